"""A process that is killed at any step loses nothing finished; nothing is paid for twice."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.crash.points import sample
from tests.crash.scenarios import PARALLEL, SCENARIOS, Scenario

if TYPE_CHECKING:
    from tests.crash.bench import Bench
    from tests.crash.conftest import TryAll

PARTS = 8


def test_kill_at_sample_steps_costs_running_work(bench: Bench, try_all: TryAll) -> None:
    """A kill at any of a sample of steps costs only the work that was running."""
    points = [point for scenario in SCENARIOS for point in bench.kills(scenario)]
    try_all(sample(points, 12), bench.check_kill)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_kill_at_any_step_costs_running_work(
    bench: Bench, scenario: Scenario, part: int, try_all: TryAll
) -> None:
    """A kill at any step costs only the work that was running."""
    try_all(bench.kills(scenario)[part::PARTS], bench.check_kill)


@pytest.mark.parametrize(("seed", "count"), [(1, 3), pytest.param(2, 24, marks=pytest.mark.full)])
def test_kill_amid_eight_tasks_costs_at_most_eight(
    bench: Bench, seed: int, count: int, try_all: TryAll
) -> None:
    """A kill while eight tasks run costs at most those eight."""
    try_all(Random(seed).sample(bench.kills(PARALLEL), count), bench.check_kill)
