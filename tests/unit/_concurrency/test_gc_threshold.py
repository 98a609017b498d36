from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._concurrency.gc_threshold import raise_gc_threshold

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def thresholds() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)


def test_collections_are_rarer_within(thresholds: tuple[int, int, int]) -> None:
    """Inside the context garbage is collected less often."""
    with raise_gc_threshold():
        assert gc.get_threshold()[0] > thresholds[0]
        assert gc.get_threshold()[1:] == thresholds[1:]


def test_threshold_is_restored(thresholds: tuple[int, int, int]) -> None:
    """The threshold is restored, also after an error."""
    with pytest.raises(ZeroDivisionError), raise_gc_threshold():
        divmod(1, 0)
    assert gc.get_threshold() == thresholds


@pytest.mark.parametrize("chosen", [0, 100_000], ids=["never", "less often still"])
def test_chosen_threshold_is_kept(chosen: int) -> None:
    """A threshold that was chosen before is kept."""
    gc.set_threshold(chosen)
    with raise_gc_threshold():
        assert gc.get_threshold()[0] == chosen
