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


def test_garbage_is_looked_for_less_often_within(thresholds: tuple[int, int, int]) -> None:
    with raise_gc_threshold():
        assert gc.get_threshold()[0] > thresholds[0]
        assert gc.get_threshold()[1:] == thresholds[1:]


def test_it_is_as_before_afterwards_also_after_an_error(thresholds: tuple[int, int, int]) -> None:
    with pytest.raises(ZeroDivisionError), raise_gc_threshold():
        divmod(1, 0)
    assert gc.get_threshold() == thresholds


@pytest.mark.parametrize("chosen", [0, 100_000], ids=["never", "less often still"])
def test_what_was_chosen_before_stays(chosen: int) -> None:
    gc.set_threshold(chosen)
    with raise_gc_threshold():
        assert gc.get_threshold()[0] == chosen
