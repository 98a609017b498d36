"""The repository of an author's runner, found and opened although it may be broken."""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._project import Project
from benchmark_runner._run.benchmark import open_benchmark
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._secrets import user_info
from benchmark_runner.cli.console import mask_secrets
from benchmark_runner.cli.doctor.answers_file import AnswersError, read_answers
from benchmark_runner.errors import BenchmarkRunnerError, RunnerDefinitionError, describe

if TYPE_CHECKING:
    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner.base import BenchmarkRunner

    Opened = tuple[Benchmark, ServiceSettings] | BenchmarkRunnerError

__all__ = ["find_root", "mask", "open_runner"]


def find_root(runner: type[BenchmarkRunner] | str) -> Path | None:
    """Return the project's root; ``None`` for an installed wheel."""
    if not isinstance(runner, str):
        return Project.of(runner).root
    # Only the package is looked up: a module in it would be imported, which may fail.
    spec = find_spec(runner.partition(":")[0].partition(".")[0])
    if spec is None:
        return None
    folders = spec.submodule_search_locations or []
    files = [spec.origin] if spec.origin else [f"{folder}/__init__.py" for folder in folders]
    return Project.of_file(Path(files[0])).root if files else None


def open_runner(
    settings: CliSettings, service_url: str | None, *, allow_insecure_http: bool
) -> Opened:
    """Return the author's benchmark and its service, or the error of opening them."""
    try:
        benchmark = open_benchmark(settings)
    except BenchmarkRunnerError as error:
        return error
    except SystemExit as error:
        return RunnerDefinitionError(
            f"{settings.runner} ended Python while it was imported: {describe(error)}",
            hint='Move what is to run as a program below `if __name__ == "__main__":`.',
        )
    service = ServiceSettings(
        url=benchmark.service_url(service_url),
        eval_parallelism=1,
        service_attempts=3,
        allow_insecure_http=allow_insecure_http,
    )
    return benchmark, service


def mask(root: Path | None, opened: Opened, service_url: str | None) -> None:
    """Mask the keys, and the passwords in the addresses of the project, in what is printed."""
    redactor = mask_secrets(opened[1].url if isinstance(opened, tuple) else service_url or "")
    with suppress(AnswersError):
        for address in (read_answers(root) if root else {}).values():
            redactor.hide(user_info(address))
