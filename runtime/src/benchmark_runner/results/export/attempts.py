"""The attempts at a repeat of a task, each with its number, its generation and its trajectories."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.trajectories import (
    TaskTrajectories,
    earlier_attempts,
    log_folder,
    read_task_trajectories,
)
from benchmark_runner.schemas import GenerationResult, TaskRepeat

__all__ = ["Attempt", "attempts_of"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a repeat of a task.

    Attributes:
        artifacts: The files of the run.
        key: The task and its repeat.
        number: The number of the attempt, from 1.
        is_current: True for the last one, whose result counts.
        generation: Its generation; ``None`` if there is none that can be read. Of one that was
            killed, or is under way, it is what the trajectory tells.
    """

    artifacts: RunArtifacts
    key: TaskRepeat
    number: int
    is_current: bool
    generation: GenerationResult | None

    @property
    def logs(self) -> Path:
        """The folder of its logs."""
        return log_folder(self.artifacts, self.key, self._earlier)

    def read(self) -> TaskTrajectories:
        """Read its trajectories."""
        return read_task_trajectories(self.artifacts, self.key, self._earlier)

    @property
    def _earlier(self) -> int | None:
        return None if self.is_current else self.number


def attempts_of(artifacts: RunArtifacts, task: TaskFiles) -> Iterator[Attempt]:
    """Yield the attempts at a repeat of a task, the earliest first; none before the first one."""
    key, number, readable = task.key, 0, 0
    for number in earlier_attempts(artifacts, key):
        path = log_folder(artifacts, key, number).with_name("generation.json")
        generation = artifacts.load(path, GenerationResult)
        readable += generation is not None
        yield Attempt(artifacts, key, number, False, generation)
    current = task.generation
    if current is None:
        # Killed, or under way: it comes after those that have been put away.
        current = next(iter(task.earlier_generations[readable:]), None)
    if current is not None:
        yield Attempt(artifacts, key, number + 1, True, current)
