"""A process that is killed at any step loses nothing finished; nothing is paid for twice."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.crash.points import sample
from tests.crash.scenarios import PARALLEL, SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.crash.bench import Bench
    from tests.crash.points import Point

    TryAll = Callable[[Sequence[Point], Callable[[Point], None]], None]

PARTS = 8


def test_a_kill_at_a_sample_of_steps_costs_what_was_under_way_and_no_more(
    bench: Bench, try_all: TryAll
) -> None:
    points = [point for scenario in SCENARIOS for point in bench.kills(scenario)]
    try_all(sample(points, 12), bench.check_kill)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_a_kill_at_any_step_costs_what_was_under_way_and_no_more(
    bench: Bench, scenario: Scenario, part: int, try_all: TryAll
) -> None:
    try_all(bench.kills(scenario)[part::PARTS], bench.check_kill)


@pytest.mark.parametrize(("seed", "count"), [(1, 3), pytest.param(2, 24, marks=pytest.mark.full)])
def test_a_kill_amid_eight_tasks_costs_at_most_those_eight(
    bench: Bench, seed: int, count: int, try_all: TryAll
) -> None:
    try_all(Random(seed).sample(bench.kills(PARALLEL), count), bench.check_kill)
