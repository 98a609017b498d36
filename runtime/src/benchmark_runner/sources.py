"""Where the tasks of a run come from: a dataset file, the service, or one problem file."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark_runner.checkpoint import check_same_source
from benchmark_runner.datasets import build_tasks
from benchmark_runner.errors import (
    BenchmarkRunnerError,
    DatasetError,
    RunnerDefinitionError,
    UsageError,
    describe,
)
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.checkpoint import RunConfig, TaskSourceKind


@dataclass(frozen=True, slots=True)
class TaskSource:
    """Where the tasks come from.

    Attributes:
        kind: Which of the three it is.
        file: The dataset file, or the file with the question of ``--problem``.
        dataset_name: The service's name of the dataset.
    """

    kind: TaskSourceKind
    file: Path | None = None
    dataset_name: str | None = None


def choose_source(
    frozen: RunConfig | None,
    *,
    dataset_file: Path | None,
    dataset_name: str | None,
    problem: Path | None,
    default_file: Path | None,
) -> TaskSource:
    """Return what was asked for; else what the run was started with; else the default file.

    Raises:
        RunIdentityError: the run was started with tasks from elsewhere.
    """
    given: TaskSource | None = None
    if problem is not None:
        given = TaskSource("problem", file=problem)
    elif dataset_name is not None:
        given = TaskSource("service", dataset_name=dataset_name)
    elif dataset_file is not None:
        given = TaskSource("file", file=dataset_file)
    if frozen is None:
        return given or TaskSource("file", file=default_file)
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
    runner: BenchmarkRunner, source: TaskSource, task_ids: Sequence[str]
) -> list[Task]:
    """Register the source's tasks with the runner and return them, in the source's order.

    Args:
        runner: The author's runner, its client set where the service lists the tasks.
        source: Where they come from.
        task_ids: The ids named on the command line: the one that ``--problem`` is for.

    Raises:
        DatasetError: the dataset is missing or malformed.
        ServiceError: the service does not list it.
        RunnerDefinitionError: the author's ``load_tasks()`` fails.
    """
    match source.kind:
        case "problem":
            tasks = [_problem_task(source.file, task_ids[0])]
        case "service":
            tasks = await _tasks_of_service(runner, source.dataset_name or "")
        case "file":
            tasks = _tasks_of_file(runner, source.file)
    runner.register_tasks(tasks)
    if not tasks:
        raise DatasetError("the dataset holds no tasks", hint="Add at least one task to it.")
    return runner.get_tasks()


def _problem_task(file: Path | None, task_id: str) -> Task:
    try:
        question = Path(file or "").read_text(encoding="utf-8-sig").strip()
        return Task(id=task_id, question=question)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"--problem {file}: {reason}", hint="Give the path of a text file with the question."
        ) from None
    except UnicodeDecodeError:
        raise UsageError(f"--problem {file}: not UTF-8 text") from None
    except ValueError:
        raise UsageError(
            f"the task id {task_id!r} can't name a folder", hint="Use an id such as my-task-1."
        ) from None


async def _tasks_of_service(runner: BenchmarkRunner, dataset_name: str) -> list[Task]:
    response = await runner.service.list_tasks(dataset_name)
    runner.select_dataset(dataset_name)
    return list(
        build_tasks(
            response.tasks,
            runner.TASK_MODEL,
            runner.EVALUATOR_FIELDS,
            f"dataset {dataset_name!r} of the service",
        )
    )


def _tasks_of_file(runner: BenchmarkRunner, file: Path | None) -> list[Task]:
    if file is not None and not file.exists():
        raise DatasetError(
            f"{file}: no such file", hint="Give the dataset's path with --dataset-file."
        )
    try:
        loaded = cast("object", runner.load_tasks(None if file is None else str(file)))
    except BenchmarkRunnerError:
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise RunnerDefinitionError(
            f"load_tasks() failed: {describe(error)} ({place.filename}, line {place.lineno})",
            hint="Correct load_tasks() in runner/benchmark.py, or the dataset.",
        ) from error
    if isinstance(loaded, (list, tuple)):
        entries = cast("list[object]", loaded)
        tasks = [task for task in entries if isinstance(task, Task)]
        if len(tasks) == len(entries):
            return tasks
    raise RunnerDefinitionError(
        f"load_tasks() returned {type(cast('object', loaded)).__name__}, not a list of Task",
        hint="Return the tasks from load_tasks() in runner/benchmark.py.",
    )
