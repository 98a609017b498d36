"""The author's code (runner, default dataset, grader), and the service that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner._run.author_options import parse_options
from benchmark_runner._run.connection import connect_to_service
from benchmark_runner._run.task_source import TaskSource, load_tasks
from benchmark_runner._text import plural
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.doctor.findings import Finding, not_checked, ok
from benchmark_runner.client.preflight import check_service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner.schemas import Task

__all__ = ["Loaded", "check_reachable", "describe_loaded", "load"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A runner with its default tasks.

    Attributes:
        runner: The author's runner, the tasks registered.
        source: Where the tasks are from.
        tasks: The tasks; none where the runner has no default dataset.
    """

    runner: BenchmarkRunner
    source: TaskSource
    tasks: Sequence[Task]


async def load(benchmark: Benchmark, service_url: str) -> Loaded:
    """Load the tasks of a run without arguments.

    Raises:
        BenchmarkRunnerError: the runner or its dataset can't be used.
    """
    runner = benchmark.runner(service_url, eval_parallelism=1)
    runner.options = parse_options(runner.OPTIONS_MODEL, {})
    source = TaskSource("file", file=benchmark.default_dataset_file)
    if source.file is None and type(runner).load_tasks is BenchmarkRunner.load_tasks:
        return Loaded(runner, source, ())
    return Loaded(runner, source, await load_tasks(runner, source))


def describe_loaded(benchmark: Benchmark, loaded: Loaded, *, local: bool) -> Finding:
    """Return what was loaded; import the grader, too, where this machine grades.

    Raises:
        RunnerDefinitionError: there is no usable grader.
    """
    if local:
        benchmark.local_service(loaded.runner, *benchmark.datasets_in(benchmark.data_dir))
    name = type(loaded.runner).__name__
    grader = " and its grader" if local else ""
    return ok(f"{name}{grader} can be imported, with {_dataset(benchmark, loaded)}")


async def check_reachable(
    benchmark: Benchmark, service: ServiceSettings, loaded: Loaded
) -> Finding:
    """Send the requests that a run begins with.

    Raises:
        BenchmarkRunnerError: grading could not work; the class says why.
    """
    if service.local:
        return ok("local: this machine grades")
    runner = loaded.runner
    async with await connect_to_service(service, benchmark, runner, loaded.source) as client:
        if not loaded.tasks:
            await client.health()
            return not_checked(
                f"{client.base_url} is up; without a default dataset the key is not tried"
            )
        await check_service(client, loaded.tasks[0].id, runner.dataset_name, runner.EVALUATION_API)
        key = (
            f"does not refuse the key in {client.auth_name}" if client.auth_name else "wants no key"
        )
        return ok(f"{client.base_url} is up and {key}")


def _dataset(benchmark: Benchmark, loaded: Loaded) -> str:
    if not loaded.tasks:
        return "no default dataset"
    tasks = plural(len(loaded.tasks), "task")
    file, root = loaded.source.file, benchmark.project.root
    if file is not None and root is not None and file.is_relative_to(root):
        file = file.relative_to(root)
    return tasks if file is None else f"{tasks} in {file}"
