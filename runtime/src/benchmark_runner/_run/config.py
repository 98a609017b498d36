"""The config of a run: new, or as it is frozen, with the tasks that are accepted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmark_runner._redaction import without_user_info
from benchmark_runner._run.identity import (
    TaskChanges,
    check_same_dataset,
    refuse_changed_tasks,
    task_changes,
)
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import UsageError
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.task_source import TaskSource
    from benchmark_runner.base import BenchmarkRunner


def new_config(
    runner: BenchmarkRunner,
    run_id: str,
    request: RunRequest,
    source: TaskSource,
    tasks: Sequence[Task],
) -> RunConfig:
    """Return the config of a new run, and register its tasks up to its limit.

    Raises:
        UsageError: no model is named.
    """
    model = request.model or request.default_model
    if not model:
        raise UsageError(
            "no model was given", hint="Give --model NAME, or set default_model in runner/cli.py."
        )
    file = source.file if source.kind == "file" else None
    limit = request.limit if source.kind != "problem" else None
    first = tasks[:limit]
    if len(first) < len(tasks):
        runner.register_tasks(first)
    return RunConfig(
        run_id=run_id,
        model=model,
        tasks=[task.id for task in first],
        task_source=source.kind,
        dataset_name=runner.dataset_name,
        dataset_file=None if file is None else str(file.resolve()),
        payload_schema=runner.payload_schema,
        payload_type=runner.PAYLOAD_TYPE,
        service_url=without_user_info(runner.service_url) or None,
        evaluation_api=runner.EVALUATION_API,
        created_at=datetime.now(UTC),
        limit=limit,
        dataset_size=len(tasks),
        local=runner.service_url == LOCAL,
    )


def resumed_config(
    frozen: RunConfig,
    runner: BenchmarkRunner,
    source: TaskSource,
    tasks: Sequence[Task],
    *,
    accept_changes: bool,
) -> tuple[RunConfig, TaskChanges]:
    """Check the tasks against the frozen ones, and register them.

    Returns:
        The run's config, and the accepted changes of its tasks.

    Raises:
        RunIdentityError: the tasks have changed, and that is not accepted.
    """
    of_problem = source.kind == "problem"
    if source.kind == "file":
        check_same_dataset(frozen, runner.dataset_name)
    first = tasks if of_problem else tasks[: frozen.limit]
    changes = task_changes(frozen, first, complete=not of_problem)
    if not accept_changes:
        refuse_changed_tasks(frozen, changes, source.file)
    ids = frozen.tasks
    if of_problem:
        ids = [*frozen.tasks, *(task.id for task in first if task.id not in frozen.task_hashes)]
    elif changes:
        ids = [task.id for task in first]
    config = frozen.without_hashes(tasks=ids)
    if changes and not of_problem:
        config.dataset_size = len(tasks)
    if source.kind == "file" and source.file is not None:
        config.dataset_file = str(source.file.resolve())
    # Of other --problem runs only the ids are known.
    known = dict.fromkeys(ids, None) | {task.id: task for task in first}
    runner.register_tasks(task or Task(id=task_id, question="") for task_id, task in known.items())
    return config, changes
