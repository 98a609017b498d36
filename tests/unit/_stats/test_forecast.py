from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark_runner._stats.forecast import FEWEST, Range, forecast
from benchmark_runner._stats.survival import History
from tests.benchmarks.forecast import DURATIONS, forecast_at, simulate

if TYPE_CHECKING:
    from benchmark_runner._stats.forecast import Forecast

JOBS = st.lists(
    st.tuples(st.floats(0, 1e6), st.none() | st.floats(0, 1e4)), min_size=FEWEST, max_size=60
)


def history_of(*jobs: tuple[float, float | None]) -> History:
    history = History()
    for seconds, dollars in jobs:
        history.add(seconds, dollars)
    return history


def look(history: History, **about: float | list[float] | None) -> Forecast | None:
    known = {"elapsed": [], "waiting": 0, "parallelism": 1, "spent": 0.0}
    return forecast(history, **(known | about))  # type: ignore[arg-type]


def test_too_few() -> None:
    """There is no forecast of what is left from a handful of jobs."""
    assert look(history_of(*[(1.0, 1.0)] * (FEWEST - 1)), waiting=3) is None
    assert look(History(), waiting=3) is None


def test_nothing_left() -> None:
    """When all have finished, the final cost is exactly what was spent, and no time is left."""
    found = look(history_of((5.0, 0.25), (6.0, 0.5)), spent=0.75)
    assert found is not None
    assert found.dollars == Range(0.75, 0.75, 0.75)
    assert found.seconds == Range(0.0, 0.0, 0.0)


def test_equal_jobs() -> None:
    """Equal jobs make a forecast without doubt."""
    found = look(history_of(*[(10.0, 0.5)] * 50), waiting=100, parallelism=4, spent=25.0)
    assert found is not None
    assert found.dollars is not None
    assert found.dollars.low == pytest.approx(75, rel=0.01)
    assert found.dollars.high == pytest.approx(75, rel=0.01)
    assert found.seconds.middle == pytest.approx(250, rel=0.01)


def test_no_known_cost() -> None:
    """Without a known cost the end is forecast, and no cost."""
    found = look(history_of(*[(10.0, None)] * 20), waiting=10)
    assert found is not None
    assert found.dollars is None
    assert found.unknown == found.finished == 20
    assert found.seconds.middle == pytest.approx(100, rel=0.1)


def test_some_unknown_costs() -> None:
    """Unknown costs count nothing, in what is spent as in what is to come."""
    jobs: list[tuple[float, float | None]] = [(10.0, 1.0), (10.0, None)] * 100
    found = look(history_of(*jobs), waiting=200, spent=100.0)
    assert found is not None
    assert found.unknown == 100
    assert found.dollars is not None
    assert found.dollars.middle == pytest.approx(200, rel=0.05)


def test_running_jobs_count() -> None:
    """Jobs that run longer than all that has finished make the forecast higher."""
    history = history_of(*[(9.0 + n / 10, 0.1) for n in range(20)])
    short = look(history, elapsed=[1.0] * 20, waiting=100, parallelism=20, spent=2.0)
    long = look(history, elapsed=[40.0] * 20, waiting=100, parallelism=20, spent=2.0)
    assert short is not None
    assert long is not None
    assert short.dollars is not None
    assert long.dollars is not None
    assert long.dollars.low > short.dollars.high
    assert long.seconds.middle > short.seconds.middle


def test_limit_bounds_all() -> None:
    """No job is expected to take longer than the time limit."""
    chance = random.Random(3)
    history = history_of(*[(chance.lognormvariate(3, 1.5), 0.1) for _ in range(12)])
    limit = 2 * max(each.duration for each in history.bins())
    found = look(history, elapsed=[limit / 2] * 8, parallelism=8, limit=limit)
    assert found is not None
    assert 0 < found.seconds.high <= limit / 2 + 1e-6


@pytest.mark.parametrize("limit", [1e-3, 5.0, 10.0])
def test_limit_that_is_none(limit: float) -> None:
    """A limit that jobs exceed, or that ended each of them, says nothing."""
    history = history_of(*[(10.0, 0.1)] * 8)
    assert look(history, waiting=5, limit=limit) == look(history, waiting=5)


@settings(max_examples=60, deadline=None)
@given(
    jobs=JOBS,
    elapsed=st.lists(st.floats(0, 1e6), max_size=30),
    waiting=st.integers(0, 10_000),
    parallelism=st.integers(1, 200),
    limit=st.none() | st.floats(0, 1e6),
)
def test_any_state(
    jobs: list[tuple[float, float | None]],
    elapsed: list[float],
    waiting: int,
    parallelism: int,
    limit: float | None,
) -> None:
    """Whatever has finished, the same forecast comes out, in order and not below what is spent."""
    spent = math.fsum(dollars or 0.0 for _, dollars in jobs)
    state = {"elapsed": elapsed, "waiting": waiting, "parallelism": parallelism, "spent": spent}
    found = look(history_of(*jobs), limit=limit, **state)
    assert found is not None
    assert found == look(history_of(*jobs), limit=limit, **state)
    for values in filter(None, (found.dollars, found.seconds)):
        assert values.low <= values.middle <= values.high < math.inf
    assert found.seconds.low >= 0
    assert found.dollars is None or found.dollars.low >= spent


@pytest.mark.parametrize("name", DURATIONS)
def test_coverage(name: str) -> None:
    """The interval holds the final cost of most heavy-tailed runs, after a tenth of the tasks."""
    chance = random.Random(name)
    held = below = 0
    for _ in range(50):
        seen = simulate(DURATIONS[name][0], 200, 20, chance)
        found = forecast_at(seen, 20).dollars
        assert found is not None
        held += found.low <= seen.cost <= found.high
        below += seen.naive < found.low
    assert held >= 40
    assert below > 0  # those that have finished are the short ones
