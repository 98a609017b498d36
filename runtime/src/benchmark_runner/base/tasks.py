"""The tasks of a runner: one folder each, and nothing in them that the author's code shares."""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast
from unicodedata import normalize

from pydantic import BaseModel

from benchmark_runner._concurrency.author_scope import current_owner
from benchmark_runner.errors import (
    DatasetError,
    RunnerDefinitionError,
    UnusableArtifactError,
    UsageError,
)
from benchmark_runner.schemas import Artifact, GenerationResult

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.artifacts.kept_file import KeptFile
    from benchmark_runner.schemas import Task

__all__ = ["PinnedRun", "claim_folder", "own_copy", "run_id_of_repeat", "without_fields"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_UNCHANGEABLE = (str, int, float, bool, bytes, type(None))


class PinnedRun(NamedTuple):
    """The id, the dataset and the tasks of a run, whatever the author's code sets meanwhile.

    Outside a run, there are no ``artifacts``. Code that works on a repeat of a task gets that;
    ``score()`` gets the ``repeat`` that is scored.
    """

    run_id: str
    dataset_name: str | None
    tasks: Mapping[str, Task]
    artifacts: RunArtifacts | None = None
    repeat: int = 1

    @property
    def service_run_id(self) -> str:
        """The id under which the service gets the current repeat."""
        return run_id_of_repeat(self.run_id, self._current_repeat)

    def artifact_path(self, task_id: str) -> Path:
        """Return the kept file of a task, which is as it was kept."""
        if self.artifacts is None:
            raise UsageError("artifact_path() needs a run, in which artifacts are kept")
        artifacts = self.artifacts.of_repeat(self._current_repeat)
        generation = artifacts.load_generation(task_id) or GenerationResult()
        file = self.artifact_opener(task_id, generation)()
        file.close()
        return artifacts.submission(task_id).path(file.artifact.filename)

    def artifact_opener(self, task_id: str, generation: GenerationResult) -> Callable[[], KeptFile]:
        """Return a function that opens the kept file of a generation, if it is as it was kept.

        Any thread may call it: the repeat is that of the code which asks here.
        """
        if self.artifacts is None:
            raise UsageError("an artifact is evaluated within a run, in which it is kept")
        if not isinstance(generation.artifact, Artifact):
            raise UnusableArtifactError(f"the generation of task {task_id!r} has no artifact")
        artifacts = self.artifacts.of_repeat(self._current_repeat)
        return partial(artifacts.submission(task_id).open, generation.artifact)

    @property
    def _current_repeat(self) -> int:
        owner = current_owner()
        return self.repeat if owner is None else owner[1]


def run_id_of_repeat(run_id: str, repeat: int) -> str:
    """Return the id under which a service gets a repeat: each is a run of its own to it."""
    return run_id if repeat == 1 else f"{run_id}-repeat-{repeat}"


def own_copy(model: ModelT) -> ModelT:
    """Return a copy of a model with copies of its values, but for those that can't be copied."""
    copied = model.model_copy()
    parts = (copied.__dict__, copied.__pydantic_extra__, copied.__pydantic_private__)
    for values in cast("tuple[dict[str, object] | None, ...]", parts):
        for name, value in (values or {}).items():
            if values is not None and not isinstance(value, _UNCHANGEABLE):
                values[name] = _copy_of(value)
    return copied


def claim_folder(task_id: str, tasks: Mapping[str, Task], folders: dict[str, str]) -> None:
    """Note the folder of a task's id in ``folders``, unless it is just the id, as most are.

    Raises:
        DatasetError: the id is taken, or differs from another one only in case.
    """
    folder = normalize("NFC", task_id).casefold()
    other = folders.get(folder) or (folder if folder in tasks else task_id)
    if other != task_id:
        raise DatasetError(
            f"the task ids {other!r} and {task_id!r} name the same folder on some disks",
            hint="Give each task an id that differs in more than case.",
        )
    if task_id in tasks:
        message = f"the task id {task_id!r} occurs twice"
        raise DatasetError(message, hint="Give each task an id of its own.")
    if folder != task_id:
        folders[folder] = task_id


def without_fields(task: Task, evaluator_fields: frozenset[str]) -> Task:
    """Return a task without the fields that only the grader may see.

    Raises:
        RunnerDefinitionError: its class declares one of them.
    """
    if declared := sorted(evaluator_fields.intersection(type(task).model_fields)):
        raise RunnerDefinitionError(
            f"{type(task).__name__} declares {', '.join(declared)}, which EVALUATOR_FIELDS "
            "keeps from generate()",
            hint="Take it out of one of the two in runner/benchmark.py.",
        )
    hidden = evaluator_fields.intersection(task.model_extra or {})
    if not hidden:
        return task
    kept = {name: value for name, value in task if name not in hidden}
    return type(task).model_construct(_fields_set=task.model_fields_set - hidden, **kept)


def _copy_of(value: object) -> object:
    try:
        return deepcopy(value)
    except BaseException:  # noqa: BLE001 (such as a lock, or whatever an author's class raises)
        return value
