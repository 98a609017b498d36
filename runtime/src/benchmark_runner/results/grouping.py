"""Fields of a run's tasks to group its results by, such as ``category`` or ``meta.topic``.

A run keeps no copy of its tasks, so they are loaded again as on a resume: from the file, or from
the service. Tasks of ``--problem`` have nothing but a question.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from benchmark_runner._run.identity import task_changes
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.task_source import choose_source, load_tasks
from benchmark_runner._text import did_you_mean, plural, some_ids
from benchmark_runner.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._run.task_source import Connect
    from benchmark_runner.results.run_view import RunView
    from benchmark_runner.schemas import Task

#: Fields whose value differs in each task.
_OF_ONE_TASK = frozenset({"id", "question"})

__all__ = ["TaskFields", "field_value", "group_name", "load_task_fields"]


@dataclass(frozen=True, slots=True)
class TaskFields:
    """Fields of a run's tasks: by name, the value of each task by id; ``None`` without the field.

    ``changed`` lists tasks whose content, so perhaps the field, has changed since the run started.
    """

    values: dict[str, dict[str, JsonValue]]
    changed: list[str]

    def group_of(self, name: str) -> dict[str, str]:
        """Return the name of each task's group by the field ``name``, in the run's order."""
        return {task_id: group_name(value) for task_id, value in self.values[name].items()}


async def load_task_fields(view: RunView, names: Sequence[str], connect: Connect) -> TaskFields:
    """Load a run's tasks again and return some of their fields; a dot leads into a nested one.

    ``connect`` makes the client, if the service lists the tasks.

    Raises:
        UsageError: no task has such a field, or the tasks are from ``--problem``.
        DatasetError: the dataset is missing or malformed, or lacks tasks of the run.
        ServiceError: the service does not list it.
        RunnerDefinitionError: the author's ``load_tasks()`` fails.
    """
    config, runner = view.config, view.runner
    if config.task_source == "problem":
        raise UsageError(
            f"run {view.run_id!r} takes its tasks from --problem: they have no field "
            f"{' or '.join(map(repr, names))}",
            hint="Leave out the field: only the tasks of a dataset can be grouped.",
        )
    source = choose_source(config, RunRequest())
    runner.run_id = view.run_id
    if source.kind == "service":
        runner.service = await connect(runner, source)
    loaded = {task.id: task for task in await load_tasks(runner, source)}
    if gone := [task_id for task_id in config.tasks if task_id not in loaded]:
        where = source.file or f"dataset {source.dataset_name!r}"
        raise DatasetError(
            f"{where} no longer has {plural(len(gone), 'task')} of run {view.run_id!r}: "
            f"{some_ids(gone)}",
            hint="Restore the dataset as it was when the run was started, or leave out the field.",
        )
    tasks = [loaded[task_id] for task_id in config.tasks]
    values = {name: {task.id: field_value(task, name) for task in tasks} for name in names}
    for name, by_task in values.items():
        if all(value is None for value in by_task.values()):
            raise _no_such_field(view.run_id, name, tasks)
    return TaskFields(values, task_changes(config, tasks, complete=False).changed)


def field_value(task: Task, name: str) -> JsonValue:
    """Return the value of a task's field, also of a nested one; ``None`` if the task lacks it."""
    for field in (name, name.partition(".")[0]):
        fields = _as_json(task, field)
        if field in fields:
            return _inside(fields[field], name.removeprefix(field).lstrip("."))
    return None


def group_name(value: JsonValue) -> str:
    """Return the name of the group of tasks with this value."""
    match value:
        case str():
            return value
        case None:
            return "(none)"
        case _:
            return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _inside(value: JsonValue, path: str) -> JsonValue:
    for part in path.split(".") if path else ():
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _as_json(task: Task, *names: str) -> dict[str, JsonValue]:
    return cast(
        "dict[str, JsonValue]",
        task.model_dump(mode="json", include={*names} if names else None, fallback=str),
    )


def _no_such_field(run_id: str, name: str, tasks: Sequence[Task]) -> UsageError:
    known = sorted({field for task in tasks for field in _names_in(_as_json(task))} - _OF_ONE_TASK)
    return UsageError(
        f"no task of run {run_id!r} has a field {name!r}",
        hint=f"{did_you_mean(name, known)}Their fields are: {', '.join(known) or 'none'}.",
    )


def _names_in(fields: dict[str, JsonValue], before: str = "") -> Iterator[str]:
    for name, value in fields.items():
        if isinstance(value, dict) and value:
            yield from _names_in(value, f"{before}{name}.")
        elif value is not None:
            yield before + name
