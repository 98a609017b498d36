"""A disk that refuses at any step tears nothing; if it was only once, nothing is paid twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.points import sample
from tests.crash.scenarios import OF_FILES, OF_IMPORTS, OF_REPEATS, SCENARIOS, Scenario

if TYPE_CHECKING:
    from tests.crash.bench import Bench
    from tests.crash.conftest import TryAll

PARTS = 8


def test_refusal_at_sample_steps_is_recovered(bench: Bench, try_all: TryAll) -> None:
    """A disk that refuses at any of a sample of steps is reported and recovered from."""
    points = [point for scenario in SCENARIOS for point in bench.faults(scenario)]
    try_all(sample(points, 3), bench.check_fault)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", [*SCENARIOS, *OF_FILES, *OF_REPEATS, *OF_IMPORTS], ids=str)
def test_refusal_at_any_step_is_recovered(
    bench: Bench, scenario: Scenario, part: int, try_all: TryAll
) -> None:
    """A disk that refuses at any step is reported and recovered from."""
    try_all(bench.faults(scenario)[part::PARTS], bench.check_fault)
