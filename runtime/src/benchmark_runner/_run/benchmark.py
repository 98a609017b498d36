"""The author's benchmark: its project, runner class, grader and embedded service."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from benchmark_runner._project.folders import Project
from benchmark_runner._run.installation import package_of, refuse_another_runner
from benchmark_runner._start_state import absolute
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.base.score_request import SUBMISSIONS
from benchmark_runner.client.key_log import forget_unwritable_key_log
from benchmark_runner.errors import DatasetError, RunnerDefinitionError, describe, place_of
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from benchmark_runner._redaction import Redactor
    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner.local.app import LocalService
    from benchmark_runner.local.datasets import LocalDatasets
    from benchmark_runner.local.grader import Grader

_PAYLOAD_TYPES = ("text", "artifact")
_EVALUATION_APIS = ("legacy", "v1", "websocket")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An author's benchmark; ``settings`` are the arguments of ``make_cli()``."""

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
        if named := given or os.environ.get("RESULTS_DIR"):
            return absolute(Path(named)).resolve()
        return self.project.results_path(self.settings.default_results_dir)

    def service_url(self, given: str | None) -> str:
        """Return the URL of the service: the given one, ``SERVICE_URL``, the default, or empty."""
        url = given or os.environ.get("SERVICE_URL") or self.settings.default_service_url or ""
        return url.strip()

    def runner(self, service_url: str, eval_parallelism: int) -> BenchmarkRunner:
        """Make the author's runner."""
        try:
            return self.runner_class(service_url=service_url, eval_concurrency=eval_parallelism)
        except (Exception, SystemExit) as error:
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
        redactor: Redactor | None = None,
    ) -> LocalService:
        """Make the embedded service, for requests with this key, or for all if it is ``None``.

        The default dataset is for requests that name none. ``redactor`` is for those of other
        processes, which do not know this one's secrets.
        """
        from benchmark_runner.local.app import LocalService
        from benchmark_runner.local.submissions import Submissions

        return LocalService(
            self.runner_class.NAME,
            datasets,
            self._grader(),
            key=key,
            default_dataset=default_dataset,
            payload_type=self.runner_class.PAYLOAD_TYPE,
            task_score=runner.task_score,
            scores_elsewhere=self.runner_class.score is not BenchmarkRunner.score,
            redactor=redactor,
            submissions=Submissions(max_bytes=self.runner_class.ARTIFACT_MAX_BYTES),
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
        return found


def open_benchmark(settings: CliSettings, *, use_env_file: bool = True) -> Benchmark:
    """Read the ``.env`` of the author's project, unless told not to, and import the runner class.

    A variable that is set is kept.

    Raises:
        RunnerDefinitionError: the class can't be used, or is that of another runner.
    """
    runner = settings.runner
    file = _file_of_module(runner) if isinstance(runner, str) else Project.file_of(runner)
    project = None
    if file is not None:
        refuse_another_runner(package_of(runner), file)
        project = Project.of_file(file)
    if use_env_file and project is not None:
        project.load_env()
    forget_unwritable_key_log()
    runner_class = resolve_runner(runner)
    return Benchmark(settings, project or Project.of(runner_class), runner_class)


def _file_of_module(reference: str) -> Path | None:
    """Find the author's module without importing it, which may need ``.env``."""
    try:
        spec = find_spec(reference.partition(":")[0])
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _dataset_name(file: Path | None) -> str | None:
    from benchmark_runner.datasets import read_dataset

    try:
        return None if file is None else read_dataset(file).name
    except DatasetError:
        return None  # an error only for a request for this dataset


def import_object(reference: str, expected: str) -> object:
    """Import the object that ``"package.module:name"`` names; errors call it ``expected``."""
    module_name, colon, name = reference.partition(":")
    if not colon or not module_name or not name:
        raise RunnerDefinitionError(
            f"{reference!r} does not name {expected}", hint='Write it as "package.module:name".'
        )
    try:
        module = import_module(module_name)
    except SystemExit as error:
        raise RunnerDefinitionError(
            f"{module_name} ended Python while it was imported: {describe(error)}",
            hint='Move what is to run as a program below `if __name__ == "__main__":`.',
        ) from error
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing is not None and f"{module_name}.".startswith(f"{missing}."):
            raise RunnerDefinitionError(
                f"{reference!r}: there is no module {missing!r}",
                hint="Install the project (make install), or correct the name in runner/cli.py.",
            ) from None
        raise RunnerDefinitionError(
            f"{module_name} can't be imported: {describe(error)} ({place_of(error)})",
            hint="Correct the module; python -m py_compile and make lint help to find the place.",
        ) from error
    if not hasattr(module, name):
        raise RunnerDefinitionError(
            f"{reference!r}: {sys.modules[module_name].__file__} defines no {name}",
            hint="Correct the name in runner/cli.py.",
        )
    found: object = getattr(module, name)
    return found


def resolve_runner(runner: str | type[BenchmarkRunner]) -> type[BenchmarkRunner]:
    """Return the runner class, imported if given by name, after checking it."""
    found = import_object(runner, "a runner class") if isinstance(runner, str) else runner
    if not isinstance(found, type) or not issubclass(found, BenchmarkRunner):
        raise RunnerDefinitionError(
            f"{runner!r} is not a subclass of BenchmarkRunner",
            hint='Give make_cli() the runner class, or its name as "runner.benchmark:Class".',
        )
    check_definition(found)
    return found


def check_definition(runner_class: type[BenchmarkRunner]) -> None:
    """Refuse a runner class that can't work."""
    problem = _missing_name(runner_class) or _wrong_type(runner_class) or _conflict(runner_class)
    if problem is not None:
        raise RunnerDefinitionError(
            f"{runner_class.__name__}{problem}", hint="Correct the class in runner/benchmark.py."
        )


def _missing_name(runner_class: type[BenchmarkRunner]) -> str | None:
    if missing := sorted(getattr(runner_class, "__abstractmethods__", ())):
        return f" does not define {', '.join(missing)}()"
    name: object = getattr(runner_class, "NAME", None)
    if not isinstance(name, str) or not name:
        return ' has no NAME, for example NAME = "my-bench"'
    return None


def _wrong_type(runner_class: type[BenchmarkRunner]) -> str | None:
    for attribute, base in (("TASK_MODEL", Task), ("OPTIONS_MODEL", BaseModel)):
        model: object = getattr(runner_class, attribute)
        if not isinstance(model, type) or not issubclass(model, base):
            return f".{attribute} is {model!r}, not a subclass of {base.__name__}"
    most = cast("object", runner_class.ARTIFACT_MAX_BYTES)
    if not isinstance(most, int) or most < 1:
        return f".ARTIFACT_MAX_BYTES is {most!r}, not a number of bytes"
    limit = cast("object", runner_class.START_TIMEOUT)
    if not isinstance(limit, (int, float)):
        return f".START_TIMEOUT is {limit!r}, not a number of seconds"
    fields = cast("object", runner_class.EVALUATOR_FIELDS)
    if not isinstance(fields, (set, frozenset)):
        return f'.EVALUATOR_FIELDS is {fields!r}, not a set such as frozenset({{"answer"}})'
    return None


def _conflict(runner_class: type[BenchmarkRunner]) -> str | None:
    if (payload_type := runner_class.PAYLOAD_TYPE) not in _PAYLOAD_TYPES:
        return f'.PAYLOAD_TYPE is {payload_type!r}; use "text" or "artifact"'
    if runner_class.EVALUATION_API not in _EVALUATION_APIS:
        known = ", ".join(f'"{api}"' for api in _EVALUATION_APIS)
        return f".EVALUATION_API is {runner_class.EVALUATION_API!r}; use one of {known}"
    own_evaluate = runner_class.evaluate is not BenchmarkRunner.evaluate
    if payload_type == "artifact" and runner_class.EVALUATION_API != "v1" and not own_evaluate:
        return (
            f'.PAYLOAD_TYPE is "artifact", which only the v1 API takes, yet EVALUATION_API is '
            f'"{runner_class.EVALUATION_API}"; set EVALUATION_API = "v1"'
        )
    if (submission := runner_class.SCORE_SUBMISSION) not in SUBMISSIONS:
        known = ", ".join(f'"{shape}"' for shape in SUBMISSIONS)
        return f".SCORE_SUBMISSION is {submission!r}; use one of {known}"
    model = runner_class.TASK_MODEL
    if shown := sorted(runner_class.EVALUATOR_FIELDS & set(model.model_fields)):
        return (
            f".EVALUATOR_FIELDS is kept from generate(), yet {model.__name__} declares "
            f"{', '.join(shown)}; take it out of one of the two"
        )
    return None
