"""One pass over the files of a run's tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from benchmark_runner.artifacts.task_files import TaskFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmark_runner.artifacts.run_folder import RunArtifacts


class Observer(Protocol):
    """An object that collects something from the files of each task."""

    def add(self, task: TaskFiles, /) -> object:
        """Take one task into account."""
        ...


def scan(
    artifacts: RunArtifacts, task_ids: Iterable[str], *observers: Observer
) -> Iterator[TaskFiles]:
    """Read the files of each task once, and show them to every observer.

    Only the files of one task are in memory at a time.

    Args:
        artifacts: The files of the run.
        task_ids: The tasks, in the order to read them.
        observers: The objects that collect something; each gets every task before it is yielded.
    """
    for task_id in task_ids:
        task = TaskFiles(artifacts, task_id)
        for observer in observers:
            observer.add(task)
        yield task


def scan_all(artifacts: RunArtifacts, task_ids: Iterable[str], *observers: Observer) -> None:
    """Run :func:`scan` to its end, for what the observers collect."""
    for _ in scan(artifacts, task_ids, *observers):
        pass
