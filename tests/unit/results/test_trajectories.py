"""The trajectories of a run's tasks: which files count, and how often each is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.results import trajectories
from benchmark_runner.results.trajectories import (
    TrajectoryReader,
    attempts_with_trajectories,
    log_folder,
    read_task_trajectories,
)
from benchmark_runner.schemas import TaskRepeat
from tests.unit.results.report.agents import put, step, trajectory
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.artifacts.run_folder import RunArtifacts

FIRST, SECOND = TaskRepeat("t1"), TaskRepeat("t1", 2)


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    """A run whose task has two repeats and an earlier attempt, each with a trajectory."""
    run = MadeRun(tmp_path)
    run.generated("t1")
    run.repeat(2).generated("t1")
    made = run.artifacts
    places = {"current": log_folder(made, FIRST), "earlier": log_folder(made, FIRST, 1)}
    for text, folder in {**places, "second": log_folder(made, SECOND)}.items():
        put(folder, trajectory(step(1, message=text)))
    return made


def last_message(artifacts: RunArtifacts, key: TaskRepeat, attempt: int | None = None) -> str:
    return read_task_trajectories(artifacts, key, attempt).digest.last_message


def test_each_attempt_has_its_own(artifacts: RunArtifacts) -> None:
    """Each repeat and each attempt has a trajectory of its own."""
    assert last_message(artifacts, FIRST) == "current"
    assert last_message(artifacts, FIRST, 1) == "earlier"
    assert last_message(artifacts, SECOND) == "second"
    assert attempts_with_trajectories(artifacts, FIRST) == [1]
    assert attempts_with_trajectories(artifacts, SECOND) == []


def test_nothing_is_no_trajectory(artifacts: RunArtifacts) -> None:
    """A task, a repeat or an attempt that is not there has none."""
    for key, attempt in ((TaskRepeat("t9"), None), (TaskRepeat("t1", 9), None), (FIRST, 9)):
        assert not read_task_trajectories(artifacts, key, attempt)


def test_several_are_counted_together(artifacts: RunArtifacts) -> None:
    """Several trajectories make one digest, with subagents; what is none is left out."""
    folder = log_folder(artifacts, FIRST)
    ref = {"results": [{"subagent_trajectory_ref": [{"trajectory_path": "sub/trajectory.json"}]}]}
    put(folder, trajectory(step(1, message="a", observation=ref)))
    put(folder, trajectory(step(1, message="b"), step(2, message="c")), "2/trajectory_atif.json")
    put(folder, trajectory(step(1)), "sub/trajectory.json")
    put(folder, {}, "no/trajectory.json")

    found = read_task_trajectories(artifacts, FIRST)

    assert (found.digest.turns, found.digest.last_message) == (3, "c")
    names = {path.relative_to(folder).as_posix() for path in found.unread}
    assert names == {"no/trajectory.json"}


@pytest.mark.parametrize("linked", ["t1", "t1/repeats", "t1/repeats/2", "t1/repeats/2/agent_logs"])
def test_links_are_not_followed(artifacts: RunArtifacts, linked: str) -> None:
    """A link in the place of any folder on the way leads to nothing."""
    folder = artifacts.run_dir / linked
    target = folder.rename(artifacts.results_dir / "elsewhere")
    folder.symlink_to(target)

    assert not read_task_trajectories(artifacts, SECOND)


def test_reader_reads_each_once(artifacts: RunArtifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest of what was read is not read again, and is not kept once it was taken."""
    read: list[TaskRepeat] = []

    def count(files: RunArtifacts, key: TaskRepeat) -> object:
        read.append(key)
        return read_task_trajectories(files, key)

    monkeypatch.setattr(trajectories, "read_task_trajectories", count)
    reader = TrajectoryReader(artifacts)

    for key in (FIRST, SECOND):
        reader.read(key)
    taken = [reader.take_digest(key) for key in (FIRST, SECOND, TaskRepeat("t9"))]

    assert [each and each.last_message for each in taken] == ["current", "second", None]
    assert read == [FIRST, SECOND, TaskRepeat("t9")]
    assert reader.take_digest(FIRST)
    assert read[-1] == FIRST
