"""A process that is killed at any step loses nothing finished; nothing is paid for twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.crash.bench import Bench
from tests.crash.points import Point, sample
from tests.crash.scenarios import (
    OF_A_QUESTION,
    OF_COSTS,
    OF_FILES,
    OF_IMPORTS,
    OF_REPEATS,
    PARALLEL,
    REGRADE,
    REGRADE_OF_REPEATS,
    SCENARIOS,
    Scenario,
)

if TYPE_CHECKING:
    from tests.crash.conftest import TryAll

Check = Callable[[Bench, Point], None]

PARTS = 8
#: Names of the files of a run, in the steps that write them; those beside the upload of an answer;
#: those that a regrade puts away.
RECORDS = ("run_config", "final_score")
UPLOADS = ("submission", "/storage", "/v1/")
GRADES = ("attempts", *RECORDS)
CHECKS: list[tuple[Scenario, Check]] = [
    *((scenario, Bench.check_kill) for scenario in [*SCENARIOS, *OF_REPEATS, *OF_IMPORTS]),
    *((scenario, Bench.check_costs) for scenario in OF_COSTS),
    *((scenario, Bench.check_kill_of_files) for scenario in OF_FILES),
    *((scenario, Bench.check_verdict) for scenario in OF_A_QUESTION),
    *((scenario, Bench.check_regrade) for scenario in (REGRADE, REGRADE_OF_REPEATS)),
]


@pytest.mark.parametrize(
    ("scenarios", "check", "names", "count"),
    [
        pytest.param(SCENARIOS, Bench.check_kill, [""], 4, id="all"),
        pytest.param(OF_REPEATS, Bench.check_kill, ["repeats", *RECORDS], 3, id="repeats"),
        pytest.param(OF_COSTS, Bench.check_costs, ["attempts", "generation"], 3, id="costs"),
        pytest.param(OF_FILES, Bench.check_kill_of_files, UPLOADS, 3, id="files"),
        pytest.param(OF_IMPORTS, Bench.check_kill, [""], 3, id="imports"),
        pytest.param(OF_A_QUESTION[:1], Bench.check_verdict, [""], 3, id="question"),
        pytest.param([REGRADE], Bench.check_regrade, GRADES, 3, id="regrade"),
        pytest.param([REGRADE_OF_REPEATS], Bench.check_regrade, GRADES, 2, id="all repeats"),
    ],
)
def test_kill_at_sample_steps_loses_nothing(
    bench: Bench,
    scenarios: Sequence[Scenario],
    check: Check,
    names: Sequence[str],
    count: int,
    try_all: TryAll,
) -> None:
    """A kill at any of a sample of steps leaves what the check of its scenario asks for."""
    points = [
        point
        for scenario in scenarios
        for point in bench.kills(scenario)
        if any(name in point.step for name in names)
    ]
    try_all(sample(points, count), partial(check, bench))


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(("scenario", "check"), CHECKS, ids=[str(each) for each, _ in CHECKS])
def test_kill_at_any_step_loses_nothing(
    bench: Bench, scenario: Scenario, check: Check, part: int, try_all: TryAll
) -> None:
    """A kill at any step leaves what the check of its scenario asks for."""
    try_all(bench.kills(scenario)[part::PARTS], partial(check, bench))


@pytest.mark.parametrize(("seed", "count"), [(1, 3), pytest.param(2, 24, marks=pytest.mark.full)])
def test_kill_amid_eight_tasks_costs_at_most_eight(
    bench: Bench, seed: int, count: int, try_all: TryAll
) -> None:
    """A kill while eight tasks run costs at most those eight."""
    try_all(Random(seed).sample(bench.kills(PARALLEL), count), bench.check_kill)
