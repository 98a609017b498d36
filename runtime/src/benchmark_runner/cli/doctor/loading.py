"""Whether the author's code can be used: the runner, its default dataset and its grader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner._run.options import parse_options
from benchmark_runner._run.task_source import TaskSource, load_tasks
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.doctor.findings import Finding, ok

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner.schemas import Task


@dataclass(frozen=True, slots=True)
class Loaded:
    """A runner with its default tasks.

    Attributes:
        runner: The author's runner, the tasks registered.
        source: Where they are from.
        tasks: The tasks; none where the runner has no default dataset.
    """

    runner: BenchmarkRunner
    source: TaskSource
    tasks: Sequence[Task]


async def load(benchmark: Benchmark, service_url: str) -> Loaded:
    """Load the tasks that a run without further words would have.

    Raises:
        BenchmarkRunnerError: the runner or its dataset can't be used.
    """
    runner = benchmark.runner(service_url, eval_parallelism=1)
    runner.options = parse_options(runner.OPTIONS_MODEL, {})
    source = TaskSource("file", file=benchmark.default_dataset_file)
    if source.file is None and type(runner).load_tasks is BenchmarkRunner.load_tasks:
        return Loaded(runner, source, ())
    return Loaded(runner, source, await load_tasks(runner, source))


def say_what_loads(benchmark: Benchmark, loaded: Loaded, *, local: bool) -> Finding:
    """Import the grader, where this machine grades, and say what there is.

    Raises:
        RunnerDefinitionError: there is no usable grader.
    """
    name = type(loaded.runner).__name__
    dataset = _dataset(benchmark, loaded)
    if not local:
        return ok(f"{name} can be imported, with {dataset}")
    benchmark.local_service(loaded.runner, *benchmark.datasets_in(benchmark.data_dir))
    return ok(f"{name} and its grader can be imported, with {dataset}")


def _dataset(benchmark: Benchmark, loaded: Loaded) -> str:
    file, count = loaded.source.file, len(loaded.tasks)
    if not count:
        return "no default dataset"
    tasks = f"{count} task{'' if count == 1 else 's'}"
    return tasks if file is None else f"{tasks} in {_shown(file, benchmark.project.root)}"


def _shown(file: Path, root: Path | None) -> Path:
    return file.relative_to(root) if root is not None and file.is_relative_to(root) else file
