"""The trajectories of one repeat of a task of a run: where they are, and their content."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import TaskRepeat
from benchmark_runner.trajectory import Digest, Trajectory, digest, find_trajectories
from benchmark_runner.trajectory.files import read_files

__all__ = [
    "TaskTrajectories", "TrajectoryReader", "attempts_with_trajectories", "earlier_attempts",
    "has_link", "log_folder", "read_task_trajectories",
]  # fmt: skip


@dataclass(frozen=True)
class TaskTrajectories:
    """The trajectories of one attempt at a repeat of a task; most agents write one.

    Attributes:
        read: Each trajectory with its file, that of the agent itself first.
        unread: More such files: what can't be read, and the other version of one that was read.
    """

    read: Sequence[tuple[Path, Trajectory]]
    unread: Sequence[Path]

    def __bool__(self) -> bool:
        """Return True if there is a trajectory."""
        return bool(self.read)

    @cached_property
    def digest(self) -> Digest:
        """Their turns, tools, tokens and cost, together."""
        return digest(*(trajectory for _, trajectory in self.read))


class TrajectoryReader:
    """A pass over the trajectories of a run's current attempts, in which each is read once.

    It keeps their digests until they are asked for, and nothing else.
    """

    def __init__(self, artifacts: RunArtifacts) -> None:
        self._artifacts = artifacts
        self._digests: dict[TaskRepeat, Digest | None] = {}

    def read(self, key: TaskRepeat) -> TaskTrajectories:
        """Read the trajectories of a repeat of a task."""
        found = read_task_trajectories(self._artifacts, key)
        self._digests[key] = found.digest if found else None
        return found

    def take_digest(self, key: TaskRepeat) -> Digest | None:
        """Return the digest of those that were read last, or read them; ``None`` without any."""
        if key not in self._digests:
            self.read(key)
        return self._digests.pop(key)


def read_task_trajectories(
    artifacts: RunArtifacts, key: TaskRepeat, attempt: int | None = None
) -> TaskTrajectories:
    """Read the trajectories of an attempt.

    Args:
        artifacts: The files of the run.
        key: The task and its repeat.
        attempt: The number of an earlier attempt; ``None`` for the current one, which may
            still be under way, or have been killed.
    """
    folder = log_folder(artifacts, key, attempt)
    if has_link(artifacts.run_dir, folder):  # an agent's, which may lead anywhere
        return TaskTrajectories((), ())
    found = find_trajectories(folder)
    read = [*read_files(found)]
    paths = {path for _, trajectory in read for path in trajectory.files}
    return TaskTrajectories(read, [path for path in found if path not in paths])


def log_folder(artifacts: RunArtifacts, key: TaskRepeat, attempt: int | None = None) -> Path:
    """Return the log folder of the current attempt, or of an earlier one by its number."""
    of_repeat = artifacts.of_repeat(key.repeat)
    if attempt is None:
        return of_repeat.agent_logs_dir(key.task_id)
    return of_repeat.task_dir(key.task_id) / "attempts" / str(attempt) / "agent_logs"


def attempts_with_trajectories(artifacts: RunArtifacts, key: TaskRepeat) -> list[int]:
    """Return the numbers of the earlier attempts that left files of trajectories, in order."""
    return [
        number
        for number in earlier_attempts(artifacts, key)
        if not has_link(artifacts.run_dir, folder := log_folder(artifacts, key, number))
        and find_trajectories(folder)
    ]


def earlier_attempts(artifacts: RunArtifacts, key: TaskRepeat) -> list[int]:
    """Return the numbers of the earlier attempts, in order; the current one has the next."""
    folder = artifacts.of_repeat(key.repeat).task_dir(key.task_id) / "attempts"
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:
        return []
    return sorted(int(name) for name in names if name.isdecimal())


def has_link(root: Path, folder: Path) -> bool:
    """Return True if a folder on the way from ``root`` to ``folder`` is a link."""
    path = str(root)
    parts = str(folder).removeprefix(path).split("/")[1:]
    return any(os.path.islink(path := f"{path}/{part}") for part in parts)  # noqa: PTH114 (of text)
