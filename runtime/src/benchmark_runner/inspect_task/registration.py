"""The names of a benchmark in Inspect's registry: its task, its agent and its evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from benchmark_runner._extras import require_extra
from benchmark_runner.cli.app import RunnerApp
from benchmark_runner.errors import BenchmarkRunnerError, RunnerDefinitionError, UsageError
from benchmark_runner.inspect_task.arguments import TaskArguments, open_task_job, without_traceback
from benchmark_runner.inspect_task.evals import close_with_inspect
from benchmark_runner.inspect_task.sample import Agent, Evaluation
from benchmark_runner.inspect_task.task_set import load_checked_tasks

if TYPE_CHECKING:
    import typer
    from inspect_ai import Task as InspectTask
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import Score, Scorer, Target
    from inspect_ai.solver import Generate, Solver, TaskState

    from benchmark_runner._redaction import Redactor
    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner.cli.job import Job
    from benchmark_runner.schemas import Task

__all__ = ["register_task"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., object])


def register_task(name: str, cli: typer.Typer) -> None:
    """Register a benchmark as a task of Inspect.

    Args:
        name: The name for ``inspect eval``, as ``my_bench_runner/my_bench``. The first part is
            the name of the entry point, too.
        cli: The command line of the runner, whose defaults hold here as well.

    Raises:
        RunnerDefinitionError: ``cli`` is not the one that ``make_cli()`` has returned.
        UsageError: Inspect is not installed.
    """
    if not isinstance(cli, RunnerApp):
        raise RunnerDefinitionError(
            f"the command line of {name} was not made by make_cli()",
            hint="Hand over what make_cli() returns in runner/cli.py.",
        )
    require_extra("inspect")
    from inspect_ai import task
    from inspect_ai.scorer import mean, scorer, stderr

    settings, package = cli.settings, name.partition("/")[0]
    evaluation = scorer(metrics=[mean(), stderr()], name=f"{package}/evaluation")(
        _nowhere(_evaluation_of(settings), package)
    )

    def benchmark(
        dataset_file: str | None = None,
        dataset_name: str | None = None,
        dataset_version: str | None = None,
        service_url: str | None = None,
        **options: object,
    ) -> InspectTask:
        arguments = TaskArguments(
            dataset_file=dataset_file,
            dataset_name=dataset_name,
            dataset_version=dataset_version,
            service_url=service_url,
            options=options,
        )
        return _task_of(settings, arguments, package, evaluation)

    benchmark.__name__ = name.rpartition("/")[2]
    task(name=name)(_nowhere(benchmark, package))


def _nowhere(function: FunctionT, package: str) -> FunctionT:
    """Give a function a module that is not there, as Inspect puts that of a package before names.

    The package of each copy is called ``runner``.
    """
    function.__module__ = f"{package}.inspect_task"
    return function


def _task_of(
    settings: CliSettings,
    arguments: TaskArguments,
    package: str,
    evaluation: Callable[..., Scorer],
) -> InspectTask:
    from inspect_ai import Task as InspectTask
    from inspect_ai.dataset import MemoryDataset

    try:
        _check_backend()
        job = open_task_job(settings, arguments)
        tasks, dataset = load_checked_tasks(job)
    except BenchmarkRunnerError as error:
        raise without_traceback(error) from None
    close_with_inspect()
    samples = [_sample_of(task, job.artifacts.redactor) for task in tasks]
    runner_class = job.benchmark.runner_class
    return InspectTask(
        dataset=MemoryDataset(samples, name=dataset),
        solver=_solver_of(job, package),
        scorer=evaluation(**arguments.of_scorer),
        fail_on_error=False,
        metadata={"benchmark": runner_class.NAME},
    )


def _check_backend() -> None:
    if os.environ.get("INSPECT_ASYNC_BACKEND", "").lower() == "trio":
        raise UsageError(
            "agents of this runner need asyncio, and INSPECT_ASYNC_BACKEND is trio",
            hint="Unset INSPECT_ASYNC_BACKEND.",
        )


def _solver_of(job: Job, package: str) -> Solver:
    from inspect_ai.solver import solver

    def generate() -> Solver:
        agent = Agent(job)

        async def solve(state: TaskState, generate: Generate) -> TaskState:  # noqa: ARG001 (Inspect's own call of a model)
            return await agent.solve(state)

        return solve

    return solver(f"{package}/generate")(_nowhere(generate, package))()


def _evaluation_of(settings: CliSettings) -> Callable[..., Scorer]:
    def evaluation(
        dataset_file: str | None = None,
        dataset_name: str | None = None,
        dataset_version: str | None = None,
        service_url: str | None = None,
    ) -> Scorer:
        arguments = TaskArguments(
            dataset_file=dataset_file,
            dataset_name=dataset_name,
            dataset_version=dataset_version,
            service_url=service_url,
            options={},
        )
        of_samples = Evaluation(settings, arguments)

        async def score(state: TaskState, target: Target) -> Score | None:  # noqa: ARG001 (the references are at the service)
            return await of_samples.score(state)

        return score

    return evaluation


def _sample_of(task: Task, redactor: Redactor) -> Sample:
    """Return the sample of a task, whose fields for the grader are gone already."""
    from inspect_ai.dataset import Sample

    fields = task.model_dump(mode="json", exclude={"id", "question"}, exclude_none=True)
    plain = {name: value for name, value in fields.items() if not isinstance(value, (list, dict))}
    return Sample(
        id=task.id,
        input=redactor.clean_text(task.question),
        target="",
        metadata={name: redactor.clean_value(value) for name, value in plain.items()},
    )
