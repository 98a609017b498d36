"""The author's benchmark, opened for a command: its project, class, grader and service."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark_runner._project import Project
from benchmark_runner._run.runner_class import import_object, resolve_runner
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._run.task_source import call_load_tasks
from benchmark_runner.errors import (
    DatasetError,
    RunnerDefinitionError,
    UsageError,
    describe,
    place_of,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._run.cli_defaults import CliSettings
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner._run.task_source import TaskSource
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.local.app import LocalService
    from benchmark_runner.local.datasets import LocalDatasets
    from benchmark_runner.local.grader import Grader


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark and where its files are.

    Attributes:
        settings: What ``make_cli()`` was told.
        project: The folders of the author's project.
        runner_class: The author's runner.
    """

    settings: CliSettings
    project: Project
    runner_class: type[BenchmarkRunner]

    @property
    def default_dataset_file(self) -> Path | None:
        """The dataset where none is named, found in the project or in its package."""
        relative = self.settings.default_dataset_file
        return None if relative is None else self.project.data_path(relative)

    @property
    def data_dir(self) -> Path:
        """The datasets of the embedded service."""
        return self.project.data_path(self.settings.data_dir)

    def results_dir(self, given: Path | None) -> Path:
        """Return the results folder: as given, else ``RESULTS_DIR``, else the project's."""
        named = given or _environment_path("RESULTS_DIR")
        if named is not None:
            return named.resolve()
        return self.project.results_path(self.settings.default_results_dir)

    def service_url(self, given: str | None) -> str:
        """Return the service: as given, else ``SERVICE_URL``, else the default; may be empty."""
        return given or os.environ.get("SERVICE_URL") or self.settings.default_service_url or ""

    def runner(self, service_url: str, eval_parallelism: int) -> BenchmarkRunner:
        """Make the author's runner.

        Raises:
            RunnerDefinitionError: its ``__init__()`` fails.
        """
        try:
            return self.runner_class(service_url=service_url, eval_concurrency=eval_parallelism)
        except Exception as error:
            raise RunnerDefinitionError(
                f"{self.runner_class.__name__}() failed: {describe(error)} ({place_of(error)})",
                hint="Correct __init__() in runner/benchmark.py.",
            ) from error

    def local_service(
        self,
        runner: BenchmarkRunner,
        datasets: LocalDatasets,
        default_dataset: str | None,
        *,
        key: str | None = None,
    ) -> LocalService:
        """Make the embedded service.

        Args:
            runner: The author's runner, which says what a task counts.
            datasets: What can be graded.
            default_dataset: The dataset meant where none is named.
            key: What clients must send; ``None`` lets everyone in.

        Raises:
            RunnerDefinitionError: the runner has no usable grader.
        """
        from benchmark_runner.local.app import LocalService

        return LocalService(
            self.runner_class.NAME,
            datasets,
            self._grader(),
            key=key,
            default_dataset=default_dataset,
            task_score=runner.task_score,
        )

    def datasets_in(self, folder: Path) -> tuple[LocalDatasets, str | None]:
        """The datasets in a folder, and the name of the default one."""
        from benchmark_runner.local.datasets import LocalDatasets

        datasets = LocalDatasets(folder, evaluator_fields=self.runner_class.EVALUATOR_FIELDS)
        return datasets, _dataset_name(self.default_dataset_file)

    async def dataset_of(
        self, runner: BenchmarkRunner, file: Path | None
    ) -> tuple[LocalDatasets, str]:
        """The tasks that ``runner`` has loaded, with the references that it does not keep.

        Raises:
            BenchmarkRunnerError: the author's ``load_tasks()`` fails.
        """
        from benchmark_runner.local.datasets import LocalDatasets

        name = runner.dataset_name or (file.stem if file else "default")
        rows = _rows_of_file(file, {task.id for task in runner.get_tasks()})
        if rows is None:  # an author's own loader: only that one can read them
            fresh = self.runner(LOCAL, eval_parallelism=1)
            again = await call_load_tasks(fresh, str(file) if file else None)
            rows = [task.model_dump(mode="json") for task in again]
        fields = self.runner_class.EVALUATOR_FIELDS
        return LocalDatasets.from_rows(name, rows, evaluator_fields=fields), name

    def _grader(self) -> Grader:
        grader = self.settings.grader
        if grader is None:
            raise RunnerDefinitionError(
                "there is no grader for the local service",
                hint='Give make_cli() one, such as grader="runner.grader:grade", '
                "or name a benchmark service with --service-url.",
            )
        found = import_object(grader, "a grader") if isinstance(grader, str) else grader
        if not callable(found):
            raise RunnerDefinitionError(
                f"the grader {grader!r} is not a function", hint="Correct runner/cli.py."
            )
        return cast("Grader", found)


async def connect_to_service(
    service: ServiceSettings, benchmark: Benchmark, runner: BenchmarkRunner, source: TaskSource
) -> BenchmarkServiceClient:
    """Make the client of the service.

    Args:
        service: How to reach it.
        benchmark: The author's benchmark, which the embedded service serves.
        runner: The runner with its tasks.
        source: Where the tasks come from.

    Raises:
        UsageError: no service is named, or its URL is not usable.
    """
    if not service.url:
        raise UsageError(
            "no benchmark service was given",
            hint="Set SERVICE_URL, or give --service-url URL "
            "(--service-url local grades on this machine).",
        )
    if service.local:
        from benchmark_runner.local import local_client

        if source.kind == "file":
            datasets = await benchmark.dataset_of(runner, source.file)
        else:
            datasets = benchmark.datasets_in(benchmark.data_dir)
        embedded = benchmark.local_service(runner, *datasets)
        if source.kind != "file" and source.dataset_name is not None:
            embedded.datasets.get(source.dataset_name)  # a broken one is told at once
        return local_client(embedded, timeout=service.eval_timeout)
    from benchmark_runner.client.service_client import build_client

    return build_client(
        service.url,
        timeout=service.eval_timeout,
        retry=service.retry,
        allow_insecure_http=service.allow_insecure_http,
        max_connections=service.eval_parallelism + 1,
    )


def open_benchmark(settings: CliSettings, *, use_env_file: bool = True) -> Benchmark:
    """Import the author's runner, once the ``.env`` of its project is read.

    Args:
        settings: What ``make_cli()`` was told.
        use_env_file: Whether the project's ``.env`` fills in what the environment lacks.

    Raises:
        RunnerDefinitionError: the runner can't be found or can't work as written.
    """
    runner = settings.runner
    project = _project_of_module(runner) if isinstance(runner, str) else Project.of(runner)
    if use_env_file and project is not None:
        project.load_env()
    runner_class = resolve_runner(runner)
    return Benchmark(settings, project or Project.of(runner_class), runner_class)


def _project_of_module(reference: str) -> Project | None:
    """Find the project without importing the author's module, which may read ``.env`` values."""
    try:
        spec = find_spec(reference.partition(":")[0])
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    return Project.of_file(Path(spec.origin))


def _environment_path(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def _dataset_name(file: Path | None) -> str | None:
    from benchmark_runner.datasets import read_dataset

    try:
        return None if file is None else read_dataset(file).name
    except DatasetError:
        return None  # Another dataset may be asked for; this one is told of when it is.


def _rows_of_file(file: Path | None, task_ids: set[str]) -> list[dict[str, JsonValue]] | None:
    from benchmark_runner.datasets import read_dataset

    try:
        rows = [] if file is None else read_dataset(file).rows
    except DatasetError:
        return None
    return rows if task_ids <= {str(row["id"]) for row in rows} else None
