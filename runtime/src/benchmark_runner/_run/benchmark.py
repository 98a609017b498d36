"""The author's benchmark: its project, runner class, grader and embedded service."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark_runner._project import Project
from benchmark_runner._run.runner_class import import_object, resolve_runner
from benchmark_runner.errors import (
    DatasetError,
    RunnerDefinitionError,
    describe,
    place_of,
)

if TYPE_CHECKING:
    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.local.app import LocalService
    from benchmark_runner.local.datasets import LocalDatasets
    from benchmark_runner.local.grader import Grader


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An author's benchmark.

    Attributes:
        settings: The arguments of ``make_cli()``.
        project: The folders of the author's project.
        runner_class: The author's runner class.
    """

    settings: CliSettings
    project: Project
    runner_class: type[BenchmarkRunner]

    @property
    def default_dataset_file(self) -> Path | None:
        """The default dataset, in the project or in its package."""
        relative = self.settings.default_dataset_file
        return None if relative is None else self.project.data_path(relative)

    @property
    def data_dir(self) -> Path:
        """The folder with the datasets of the embedded service."""
        return self.project.data_path(self.settings.data_dir)

    def results_dir(self, given: Path | None) -> Path:
        """Return the results folder: the given one, ``RESULTS_DIR``, or that of the project."""
        named = given or _environment_path("RESULTS_DIR")
        if named is not None:
            return named.resolve()
        return self.project.results_path(self.settings.default_results_dir)

    def service_url(self, given: str | None) -> str:
        """Return the URL of the service: the given one, ``SERVICE_URL``, the default, or empty."""
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
            runner: The author's runner, for ``task_score()``.
            datasets: The datasets to evaluate.
            default_dataset: The dataset of requests that name none.
            key: The key that clients must send; ``None`` for no key.

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
        """Return the datasets in a folder, and the name of the default one."""
        from benchmark_runner.local.datasets import LocalDatasets

        datasets = LocalDatasets(folder, evaluator_fields=self.runner_class.EVALUATOR_FIELDS)
        return datasets, _dataset_name(self.default_dataset_file)

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


def open_benchmark(settings: CliSettings, *, use_env_file: bool = True) -> Benchmark:
    """Read the ``.env`` of the author's project, and import the runner class.

    Args:
        settings: The arguments of ``make_cli()``.
        use_env_file: Read ``.env``, for variables that are not set.

    Raises:
        RunnerDefinitionError: the runner can't be found, or can't work as it is.
    """
    runner = settings.runner
    project = _project_of_module(runner) if isinstance(runner, str) else Project.of(runner)
    if use_env_file and project is not None:
        project.load_env()
    runner_class = resolve_runner(runner)
    return Benchmark(settings, project or Project.of(runner_class), runner_class)


def _project_of_module(reference: str) -> Project | None:
    """Find the project without importing the author's module, which may need ``.env``."""
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
        return None  # an error only for a request for this dataset
