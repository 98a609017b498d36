"""A process that is killed at any step loses nothing finished; nothing is paid for twice."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.crash.points import sample
from tests.crash.scenarios import (
    OF_A_QUESTION,
    OF_FILES,
    OF_REPEATS,
    PARALLEL,
    REGRADE,
    REGRADE_OF_REPEATS,
    SCENARIOS,
    Scenario,
)

if TYPE_CHECKING:
    from tests.crash.bench import Bench
    from tests.crash.conftest import TryAll

PARTS = 8


def test_kill_at_sample_steps_costs_running_work(bench: Bench, try_all: TryAll) -> None:
    """A kill at any of a sample of steps costs only the work that was running."""
    points = [point for scenario in SCENARIOS for point in bench.kills(scenario)]
    try_all(sample(points, 6), bench.check_kill)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=str)
def test_kill_at_any_step_costs_running_work(
    bench: Bench, scenario: Scenario, part: int, try_all: TryAll
) -> None:
    """A kill at any step costs only the work that was running."""
    try_all(bench.kills(scenario)[part::PARTS], bench.check_kill)


def test_kill_at_sample_steps_of_repeats_costs_one(bench: Bench, try_all: TryAll) -> None:
    """A kill around the files of a repeat costs only the repeat that was running."""
    points = [
        point
        for scenario in OF_REPEATS
        for point in bench.kills(scenario)
        if "repeats" in point.step or "run_config" in point.step or "final_score" in point.step
    ]
    try_all(sample(points, 4), bench.check_kill)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", OF_REPEATS, ids=str)
def test_kill_at_any_step_of_repeats_costs_one(
    bench: Bench, scenario: Scenario, part: int, try_all: TryAll
) -> None:
    """A kill at any step of a run with repeats costs only the repeat that was running."""
    try_all(bench.kills(scenario)[part::PARTS], bench.check_kill)


def test_kill_at_sample_steps_keeps_files(bench: Bench, try_all: TryAll) -> None:
    """A kill around the file that is an answer has just that file graded."""
    points = [
        point
        for scenario in OF_FILES
        for point in bench.kills(scenario)
        if "submission" in point.step or "/storage" in point.step or "/v1/" in point.step
    ]
    try_all(sample(points, 4), bench.check_kill_of_files)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", OF_FILES, ids=str)
def test_kill_at_any_step_keeps_files(
    bench: Bench, scenario: Scenario, part: int, try_all: TryAll
) -> None:
    """A kill at any step has just the file that the generation names graded."""
    try_all(bench.kills(scenario)[part::PARTS], bench.check_kill_of_files)


def test_kill_at_sample_steps_leaves_the_verdict(bench: Bench, try_all: TryAll) -> None:
    """A run with a question comes to the same verdict after a kill, and starts nothing twice."""
    try_all(sample(bench.kills(OF_A_QUESTION[0]), 4), bench.check_verdict)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("scenario", OF_A_QUESTION, ids=str)
def test_kill_at_any_step_leaves_the_verdict(
    bench: Bench, scenario: Scenario, part: int, try_all: TryAll
) -> None:
    """A run with a question comes to the same verdict after a kill at any step."""
    try_all(bench.kills(scenario)[part::PARTS], bench.check_verdict)


@pytest.mark.parametrize("regrade", [REGRADE, REGRADE_OF_REPEATS], ids=str)
def test_killed_regrade_mixes_no_grades(bench: Bench, regrade: Scenario, try_all: TryAll) -> None:
    """A regrade that is killed while it puts grades away is finished by the next command."""
    points = [
        point
        for point in bench.kills(regrade)
        if "attempts" in point.step or "run_config" in point.step or "final_score" in point.step
    ]
    try_all(sample(points, 6 if regrade is REGRADE else 3), bench.check_regrade)


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("regrade", [REGRADE, REGRADE_OF_REPEATS], ids=str)
def test_regrade_killed_at_any_step_mixes_no_grades(
    bench: Bench, regrade: Scenario, part: int, try_all: TryAll
) -> None:
    """A regrade that is killed at any step leaves grades of one judge in the end."""
    try_all(bench.kills(regrade)[part::PARTS], bench.check_regrade)


@pytest.mark.parametrize(("seed", "count"), [(1, 3), pytest.param(2, 24, marks=pytest.mark.full)])
def test_kill_amid_eight_tasks_costs_at_most_eight(
    bench: Bench, seed: int, count: int, try_all: TryAll
) -> None:
    """A kill while eight tasks run costs at most those eight."""
    try_all(Random(seed).sample(bench.kills(PARALLEL), count), bench.check_kill)
