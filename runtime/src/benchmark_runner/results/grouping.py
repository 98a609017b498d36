"""What a run's tasks say of themselves, to group its results by: ``category``, ``meta.topic``.

A run keeps no copy of its tasks. They are read again as on a resume: a file run rereads its file,
a service run asks the service, and of ``--problem`` there is nothing but the question.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from benchmark_runner._run.identity import task_changes
from benchmark_runner._run.task_source import choose_source, load_tasks
from benchmark_runner._text import did_you_mean, some_ids
from benchmark_runner.errors import DatasetError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import JsonValue

    from benchmark_runner._run.session import Connect
    from benchmark_runner.results.run_view import RunView
    from benchmark_runner.schemas import Task

#: Each task has its own.
_OF_ONE_TASK = frozenset({"id", "question"})


@dataclass(frozen=True, slots=True)
class TaskFields:
    """Fields of a run's tasks.

    Attributes:
        values: Of each field that was asked for the value by task id, for all of the run's
            tasks; ``None`` where a task does not have it.
        changed: Tasks whose content is not what it was when the run was started, so that the
            field may not be either.
    """

    values: dict[str, dict[str, JsonValue]]
    changed: list[str]

    def groups(self, name: str) -> dict[str, list[str]]:
        """The task ids by what the field ``name`` says, in the run's order."""
        found: dict[str, list[str]] = {}
        for task_id, value in self.values[name].items():
            found.setdefault(group_name(value), []).append(task_id)
        return found


async def load_task_fields(view: RunView, names: Sequence[str], connect: Connect) -> TaskFields:
    """Load a run's tasks again and take fields from them.

    Args:
        view: The run.
        names: The fields; a dot leads into a nested one.
        connect: Makes the client for the run's tasks; called where the service lists them.

    Raises:
        UsageError: no task has such a field, or the run's tasks have none at all.
        DatasetError: the dataset is gone or malformed, or lacks some of the run's tasks.
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
    source = choose_source(
        config, dataset_file=None, dataset_name=None, problem=None, default_file=None
    )
    runner.run_id = view.run_id
    if source.kind == "service":
        runner.service = await connect(runner, source)
    loaded = {task.id: task for task in await load_tasks(runner, source)}
    if gone := [task_id for task_id in config.tasks if task_id not in loaded]:
        where = source.file or f"dataset {source.dataset_name!r}"
        raise DatasetError(
            f"{len(gone)} task(s) of run {view.run_id!r} are not in {where} any more: "
            f"{some_ids(gone)}",
            hint="Restore the dataset as it was when the run was started, or leave out the field.",
        )
    tasks = [loaded[task_id] for task_id in config.tasks]
    values = {name: {task.id: field_of(task, name) for task in tasks} for name in names}
    for name, by_task in values.items():
        if all(value is None for value in by_task.values()):
            raise _no_such_field(view.run_id, name, tasks)
    return TaskFields(values, task_changes(config, tasks, complete=False).changed)


def field_of(task: Task, name: str) -> JsonValue:
    """What a field of a task says; ``None`` if the task does not have it.

    Args:
        task: The task.
        name: The field; a dot leads into a nested one, where none is called exactly so.
    """
    for field in (name, name.partition(".")[0]):
        fields = _as_json(task, field)
        if field in fields:
            return _inside(fields[field], name.removeprefix(field).lstrip("."))
    return None


def group_name(value: JsonValue) -> str:
    """What a group of tasks is called whose field has this value."""
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
