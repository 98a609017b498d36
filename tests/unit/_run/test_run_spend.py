from __future__ import annotations

import pytest

from benchmark_runner._run.run_spend import RunSpend
from benchmark_runner.schemas import GenerationResult, GenerationStatus, ScoreCounts


def spend(*taken: tuple[float | None, float | None]) -> RunSpend:
    made = RunSpend()
    for seconds, cost in taken:
        made.add_generation(
            GenerationResult(
                task_id="t1", status=GenerationStatus.SUCCESS, duration=seconds, cost=cost
            )
        )
    return made


def test_durations_are_kept() -> None:
    """The durations of generations are kept beside their costs, as far as both are possible."""
    found = spend((5.0, 0.5), (None, 0.25), (7.0, None), (-1.0, 0.25))
    assert (found.dollars, found.unknown) == (1.0, 1)
    assert (found.history.count, found.history.unknown) == (2, 1)


def test_whole_run() -> None:
    """The cost of a whole run is forecast from what has finished, and what is still to do."""
    found = spend(*[(60.0 + n, 0.5 + n / 100) for n in range(20)]).forecast(waiting=80)
    assert found is not None
    assert found.dollars is not None
    assert found.dollars.low < 100 * 0.595 < found.dollars.high
    assert found.dollars.high - found.dollars.low < 20


def test_complete_run() -> None:
    """Of a complete run, the forecast is what it has cost."""
    found = spend((5.0, 0.5), (6.0, 0.25)).forecast(waiting=0)
    assert found is not None
    assert found.dollars is not None
    assert found.dollars.middle == pytest.approx(0.75)
    assert spend((5.0, 0.5)).forecast(waiting=1) is None


def test_all_generations() -> None:
    """The cost of all generations is in proportion to that so far, and lies within its bounds."""
    found, counts = spend(*[(60.0 + n, 0.5) for n in range(20)]), ScoreCounts(total=100)
    assert found.of_all(counts) is None

    counts.attempted = 20
    assert found.of_all(counts) == pytest.approx(50)
    bounds = found.range_of_all(counts)
    assert bounds is not None
    assert bounds.low <= bounds.middle == 50 <= bounds.high
    assert spend((5.0, 0.5)).range_of_all(ScoreCounts(total=100, attempted=1)) is None
