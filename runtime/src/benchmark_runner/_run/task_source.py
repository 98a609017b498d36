"""The source of a run's tasks: a dataset file, the service, or one problem file."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark_runner._concurrency.deadline import call_within
from benchmark_runner._json import RepeatedKeyError, parse_strictly
from benchmark_runner._run.identity import check_same_source
from benchmark_runner._run.task_content import own_tasks
from benchmark_runner._start_state import absolute
from benchmark_runner.artifacts.ids import checked_id
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.datasets import build_tasks
from benchmark_runner.errors import (
    BenchmarkRunnerError,
    DatasetError,
    RunnerDefinitionError,
    UsageError,
    describe,
    place_of,
)
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._run.request import RunRequest
    from benchmark_runner.checkpoint import RunConfig, TaskSourceKind
    from benchmark_runner.client.service_client import BenchmarkServiceClient

    #: Makes the client for a runner and its tasks.
    Connect = Callable[["BenchmarkRunner", "TaskSource"], Awaitable[BenchmarkServiceClient]]

_FIRST_KEY = re.compile(r'\{\s*"(?:[^"\\]|\\.)*"\s*:')
_QUESTION_KEY = re.compile(r'"question"\s*:')


@dataclass(frozen=True, slots=True)
class TaskSource:
    """The source of a run's tasks.

    ``file`` is the dataset file, or the one with the question of ``--problem``; ``dataset_name``
    is the name of a dataset at the service.
    """

    kind: TaskSourceKind
    file: Path | None = None
    dataset_name: str | None = None


def choose_source(frozen: RunConfig | None, request: RunRequest) -> TaskSource:
    """Return the source that was given; else that of the run; else the default file."""
    given: TaskSource | None = None
    if request.problem is not None:
        given = TaskSource("problem", file=request.problem)
    elif request.dataset_name is not None:
        given = TaskSource("service", dataset_name=request.dataset_name)
    elif request.dataset_file is not None:
        given = TaskSource("file", file=request.dataset_file)
    if frozen is None:
        return given or TaskSource("file", file=request.default_file)
    if given is not None:
        check_same_source(frozen, given.kind, given.dataset_name)
        return given
    if frozen.task_source == "problem":
        raise UsageError(
            f"run {frozen.run_id!r} takes its tasks from --problem",
            hint="Give --problem FILE and the TASK_ID.",
        )
    file = None if frozen.dataset_file is None else Path(frozen.dataset_file)
    return TaskSource(frozen.task_source, file=file, dataset_name=frozen.dataset_name)


async def load_tasks(
    runner: BenchmarkRunner, source: TaskSource, task_ids: Sequence[str] = ()
) -> list[Task]:
    """Register the source's tasks with the runner and return them, in the source's order.

    If the service lists the tasks, the runner must have its client; ``--problem`` needs the id
    of its task.
    """
    match source.kind:
        case "problem":
            tasks = _task_of_problem(runner, source.file, checked_id(task_ids[0], "task id"))
        case "service":
            tasks = await runner.load_tasks_from_service(source.dataset_name or "")
            if (pinned := runner.service.pinned) is not None:
                runner.dataset_version = pinned.name
        case "file":
            file = source.file
            tasks = await call_load_tasks(runner, None if file is None else _existing(file))
            _check_dataset_name(runner)
    runner.register_tasks(tasks)
    if not tasks:
        raise DatasetError("the dataset holds no tasks", hint="Add at least one task to it.")
    return [*runner.registered_tasks()]


def _task_of_problem(runner: BenchmarkRunner, file: Path | None, task_id: str) -> list[Task]:
    """Return the task of ``--problem``: a JSON object has its fields, a text is its question."""
    text = _question(file)
    row = _fields_in(file, text)
    shown = {name: value for name, value in row.items() if name not in runner.EVALUATOR_FIELDS}
    if len(shown) < len(row):  # the text holds the reference answer
        text = json.dumps(shown, ensure_ascii=False)
    try:
        return [
            *build_tasks(
                [{"question": text, **shown, "id": task_id}],
                runner.TASK_MODEL,
                frozenset(),
                f"--problem {file}",
            )
        ]
    except DatasetError as error:
        error.hint = (
            f"Give a file with a JSON object that has the fields of {runner.TASK_MODEL.__name__}."
        )
        raise


def _fields_in(file: Path | None, text: str) -> dict[str, JsonValue]:
    try:
        found = parse_strictly(text) if text.startswith("{") else None
    except RepeatedKeyError as error:
        raise UsageError(f"--problem {file}: {error}", hint="Remove one of the two.") from None
    except ValueError as error:
        if _is_broken_task(text):  # which may hold the reference answer
            raise UsageError(
                f"--problem {file}: not a JSON object: {error}",
                hint="Correct it, or begin with other text if all of this is the question.",
            ) from None
        return {}
    return found if isinstance(found, dict) else {}


def _is_broken_task(text: str) -> bool:
    """Return True for what was to be a JSON object with a question, and nothing after it."""
    if not (_FIRST_KEY.match(text) and _QUESTION_KEY.search(text)):
        return False
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return True
    return end == len(text)


def _question(file: Path | None) -> str:
    try:
        return absolute(Path(file or "")).read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        reason, hint = error.strerror or str(error), "Give the path of a file with the question."
    except UnicodeDecodeError:
        reason, hint = "not UTF-8 text", "Save the file as UTF-8."
    raise UsageError(f"--problem {file}: {reason}", hint=hint)


def _existing(file: Path) -> str:
    if not absolute(file).exists():
        raise DatasetError(
            f"{file}: no such file", hint="Give the dataset's path with --dataset-file."
        )
    return str(file)


def _check_dataset_name(runner: BenchmarkRunner) -> None:
    name = cast("object", runner.dataset_name)  # which load_tasks() may have set to anything
    if name is not None and not isinstance(name, str):
        raise RunnerDefinitionError(
            f"load_tasks() set self._dataset to {type(name).__name__}, not to a name",
            hint="Correct load_tasks() in runner/benchmark.py.",
        )


async def call_load_tasks(runner: BenchmarkRunner, dataset_file: str | None) -> list[Task]:
    """Call the author's ``load_tasks()`` in a thread, so that a signal can interrupt it."""
    call = partial(runner.load_tasks, dataset_file)
    try:
        loaded = cast("object", await call_within(runner.load_tasks, call, None))
    except BenchmarkRunnerError:
        raise
    except Exception as error:
        raise RunnerDefinitionError(
            f"load_tasks() failed: {describe(error)} ({place_of(error)})",
            hint="Correct load_tasks() in runner/benchmark.py, or the dataset.",
        ) from error
    if loaded is None:
        loaded = runner.get_tasks() or None  # by add_task()
    if isinstance(loaded, (list, tuple)):
        entries = cast("list[object]", loaded)
        if all(isinstance(entry, Task) for entry in entries):
            loaded_tasks = cast("list[Task]", [*entries])
            is_ours = getattr(runner.load_tasks, "__func__", None) is BenchmarkRunner.load_tasks
            return loaded_tasks if is_ours else own_tasks(loaded_tasks)
    raise RunnerDefinitionError(
        f"load_tasks() returned {type(cast('object', loaded)).__name__}, not a list of Task",
        hint="Return the tasks from load_tasks() in runner/benchmark.py.",
    )
