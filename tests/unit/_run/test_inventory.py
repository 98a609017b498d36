"""The state of a run before a command changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.inventory import Inventory
from benchmark_runner._run.plan import Planner
from benchmark_runner.artifacts.task_files import TaskFiles
from tests.fakes import FakeRunner, RunFolder, hash_of_evals, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner.artifacts.run_folder import RunArtifacts

TASKS = ["t1", "t2", "t3"]


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    """A run of which each task is done."""
    run = RunFolder(tmp_path / "results")
    for value, task_id in enumerate(TASKS):
        run.add_evaluation(task_id, value, generation_hash=run.add_generation(task_id, cost=0.5))
    return run.artifacts


def inventory_of(artifacts: RunArtifacts, runner: FakeRunner | None = None) -> Inventory:
    inventory = Inventory(runner or FakeRunner(), Planner())
    for task_id in TASKS:
        inventory.add(TaskFiles(artifacts, task_id))
    return inventory


def test_finished_run_has_a_summary(artifacts: RunArtifacts) -> None:
    """A run with nothing left to do has its summary and its hash."""
    inventory = inventory_of(artifacts)

    assert inventory.summaries == (summarise(FakeRunner(), artifacts, TASKS),) * 2
    assert inventory.evals_hash == hash_of_evals(artifacts, TASKS)


@pytest.mark.parametrize("name", ["generation.json", "eval.json"])
@pytest.mark.parametrize("content", [None, "{"])
def test_unfinished_run_has_no_summary(
    artifacts: RunArtifacts, name: str, content: str | None
) -> None:
    """A run with something left to do has no summary, only the hash."""
    path = artifacts.task_dir("t2") / name
    path.unlink()
    if content is not None:
        path.write_text(content)
    runner = FakeRunner()

    inventory = inventory_of(artifacts, runner)

    assert inventory.summaries is None
    assert runner.results == [0, 2]  # each one that stands, once
    assert inventory.evals_hash == hash_of_evals(artifacts, TASKS)  # of what has not been set aside


def test_failing_task_score_gives_no_summary(artifacts: RunArtifacts) -> None:
    """A task_score() that fails leaves the summary out."""

    def task_score(result: JsonValue) -> float | None:
        raise KeyError(str(result))

    inventory = inventory_of(artifacts, FakeRunner(task_score=task_score))

    assert inventory.summaries is None
    assert inventory.evals_hash == hash_of_evals(artifacts, TASKS)
