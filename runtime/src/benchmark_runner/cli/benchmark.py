"""The author's benchmark, opened for a command: its project, class, grader and service."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark_runner.definition import import_object, resolve_runner
from benchmark_runner.errors import RunnerDefinitionError, UsageError
from benchmark_runner.project import Project

if TYPE_CHECKING:
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.cli.settings import CliSettings
    from benchmark_runner.client import BenchmarkServiceClient
    from benchmark_runner.local.grading import Grader
    from benchmark_runner.local.service import LocalService
    from benchmark_runner.retries import RetryPolicy
    from benchmark_runner.sources import TaskSource

LOCAL = "local"


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
        """Make the author's runner."""
        return self.runner_class(service_url=service_url, eval_concurrency=eval_parallelism)

    def local_service(
        self, runner: BenchmarkRunner, data: Path, *, key: str | None = None
    ) -> LocalService:
        """Make the embedded service.

        Args:
            runner: The author's runner, which says what a task counts.
            data: A dataset file, or a folder of them.
            key: What clients must send; ``None`` lets everyone in.

        Raises:
            RunnerDefinitionError: the runner has no usable grader.
        """
        from benchmark_runner.local.data import LocalDatasets
        from benchmark_runner.local.service import LocalService

        default = data if data.is_file() else self.default_dataset_file
        return LocalService(
            self.runner_class.NAME,
            LocalDatasets(data, evaluator_fields=self.runner_class.EVALUATOR_FIELDS),
            self._grader(),
            key=key,
            default_dataset=_dataset_name(default),
            task_score=runner.task_score,
        )

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """How to talk to the service.

    Attributes:
        url: Where it is, or ``local``.
        eval_parallelism: The most gradings at a time.
        eval_timeout: Seconds for one try of a grading.
        retry: How often and how long to retry.
        allow_insecure_http: Send the key over plain http to another machine.
    """

    url: str
    eval_parallelism: int
    eval_timeout: float
    retry: RetryPolicy
    allow_insecure_http: bool

    @property
    def local(self) -> bool:
        """Whether the embedded service is meant."""
        return self.url == LOCAL

    def connect(
        self, benchmark: Benchmark, runner: BenchmarkRunner, source: TaskSource
    ) -> BenchmarkServiceClient:
        """Make the client.

        Raises:
            UsageError: no service is named, or its URL is not usable.
        """
        if not self.url:
            raise UsageError(
                "no benchmark service was given",
                hint="Set SERVICE_URL, or give --service-url URL "
                "(--service-url local grades on this machine).",
            )
        if self.local:
            from benchmark_runner.local import local_client

            file = source.file if source.kind == "file" else None
            service = benchmark.local_service(runner, file or benchmark.data_dir)
            return local_client(service, timeout=self.eval_timeout)
        from benchmark_runner.client import build_client

        return build_client(
            self.url,
            timeout=self.eval_timeout,
            retry=self.retry,
            allow_insecure_http=self.allow_insecure_http,
            max_connections=self.eval_parallelism + 1,
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

    return None if file is None or not file.is_file() else read_dataset(file).name
