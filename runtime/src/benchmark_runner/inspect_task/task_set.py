"""The tasks of an evaluation and the service that evaluates them, before its run is opened."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from benchmark_runner._run.author_options import parse_options, split_options
from benchmark_runner._run.connection import close_connections, connect_to_service
from benchmark_runner._run.dataset_version import choose_version
from benchmark_runner._run.graded_by import CommandGrader, ask_who_grades, grades_itself
from benchmark_runner._run.task_source import choose_source, load_tasks
from benchmark_runner.client.call import is_key_part
from benchmark_runner.client.preflight import check_service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner._run.task_source import TaskSource
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.cli.job import Job
    from benchmark_runner.schemas import Task

__all__ = ["check_and_find_grader", "load_checked_tasks", "open_runner"]

T = TypeVar("T")


def load_checked_tasks(job: Job) -> tuple[Sequence[Task], str]:
    """Return the tasks and the name of their dataset, after a look at the service.

    Inspect makes tasks in a function that is not async, within its event loop or without one.

    Raises:
        BenchmarkRunnerError: there are no tasks, or the service can't be used.
    """

    async def load() -> tuple[Sequence[Task], str]:
        runner, source = await open_runner(job)
        try:
            await check_and_find_grader(job, runner, source)
            name = runner.dataset_name or (source.file.stem if source.file else runner.NAME)
            return [*runner.registered_tasks()], name
        finally:
            await close_connections(runner)

    return _in_loop_of_its_own(load())


async def open_runner(job: Job) -> tuple[BenchmarkRunner, TaskSource]:
    """Return a runner that has its tasks and is connected to its service, outside a run."""
    runner = job.benchmark.runner(job.service.url, job.service.eval_parallelism)
    runner.options = parse_options(runner.OPTIONS_MODEL, split_options(job.request.options))
    runner.run_id = job.artifacts.run_id
    source = choose_source(None, job.request)
    connect = partial(connect_to_service, job.service, job.benchmark)
    try:
        if source.kind == "service":
            runner.service = await connect(runner, source)
        tasks = await load_tasks(runner, source)
        runner.register_tasks(tasks)
        if source.kind != "service":
            runner.service = await connect(runner, source)
        dataset = source.dataset_name if source.kind == "service" else runner.dataset_name
        await choose_version(runner.service, dataset, job.request.dataset_version)
    except BaseException:
        await close_connections(runner)
        raise
    return runner, source


async def check_and_find_grader(
    job: Job, runner: BenchmarkRunner, source: TaskSource
) -> CommandGrader:
    """Check that the service can evaluate the runner's tasks, and return who grades."""
    ids = [task.id for task in runner.registered_tasks()]
    of_files = runner.PAYLOAD_TYPE == "artifact"
    asked = next((each for each in ids if of_files and not is_key_part(each)), ids[0])
    version = await check_service(
        runner.service,
        asked,
        runner.dataset_name,
        runner.EVALUATION_API,
        own_evaluate=grades_itself(runner),
        listed=source.kind == "service",
        uploads_for=job.artifacts.run_id if of_files else None,
    )
    return await ask_who_grades(runner, local=job.service.local, version=version)


def _in_loop_of_its_own(work: Coroutine[None, None, T]) -> T:
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(asyncio.run(work))
        except BaseException as error:  # noqa: BLE001 (raised in the caller)
            done.set_exception(error)

    threading.Thread(target=run, name="load-tasks", daemon=True).start()
    return done.result()
