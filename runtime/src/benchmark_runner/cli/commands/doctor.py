"""``doctor``: what is wrong with this repository, and what heals it."""

from __future__ import annotations

import textwrap
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark_runner.cli.console import (
    failures_as_messages,
    mask_secrets,
    print_failure,
    print_json,
    say,
)
from benchmark_runner.cli.options import AllowInsecureHttp, AsJson, ServiceUrl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmark_runner._project import Project
    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner._run.cli_defaults import CliSettings
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.cli.doctor.checks import Examination
    from benchmark_runner.cli.doctor.findings import Finding
    from benchmark_runner.cli.signals import Interrupted
    from benchmark_runner.errors import BenchmarkRunnerError

    Opened = tuple[Benchmark, ServiceSettings] | BenchmarkRunnerError

_WIDTH = 80
_LABELS = {"ok": "ok", "fault": "FAULT", "not_checked": "not checked"}
#: Of the longest label, and of the longest name of a check.
_LABEL_WIDTH, _NAME_WIDTH = 11, 9


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def doctor(
        offline: Annotated[
            bool, typer.Option("--offline", help="Leave out what needs the network.")
        ] = False,
        service_url: ServiceUrl = None,
        allow_insecure_http: AllowInsecureHttp = False,
        json: AsJson = False,
    ) -> None:
        """Say what is wrong with this repository, and what heals it.

        It changes nothing. Exit code 1 means that it found a fault.
        """
        with failures_as_messages("doctor", as_json=json):
            from benchmark_runner._extras import require_extra

            require_extra("doctor")
            from benchmark_runner.cli.doctor.checks import Examination
            from benchmark_runner.cli.signals import Interrupted, run_interruptible

            project = _project(settings.runner)
            opened = _open(settings, service_url, allow_insecure_http=allow_insecure_http)
            root = project.root if project else None
            _mask(root, opened, service_url)
            examination = Examination(root=root, opened=opened, offline=offline)

            def interrupted(signal: Interrupted) -> None:
                message = f"stopped by {signal}"
                print_failure("doctor", "Interrupted", message, None, as_json=json)

            try:
                faults = run_interruptible(
                    _tell(examination, as_json=json), threads=1, last_words=interrupted
                )
            except Interrupted as signal:
                interrupted(signal)
                raise typer.Exit(signal.exit_code) from None
            raise typer.Exit(1 if faults else 0)


def _project(runner: type[BenchmarkRunner] | str) -> Project | None:
    from benchmark_runner._project import Project

    if not isinstance(runner, str):
        return Project.of(runner)
    # The package alone: to look for a module in it would import it, which may fail.
    spec = find_spec(runner.partition(":")[0].partition(".")[0])
    if spec is None:
        return None
    folders = spec.submodule_search_locations or []
    files = [spec.origin] if spec.origin else [f"{folder}/__init__.py" for folder in folders]
    return Project.of_file(Path(files[0])) if files else None


def _open(settings: CliSettings, service_url: str | None, *, allow_insecure_http: bool) -> Opened:
    from benchmark_runner._run.benchmark import open_benchmark
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner.errors import BenchmarkRunnerError, RunnerDefinitionError, describe

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


def _mask(root: Path | None, opened: Opened, service_url: str | None) -> None:
    from benchmark_runner._secrets import user_info
    from benchmark_runner.cli.doctor.answers_file import AnswersError, read_answers

    redactor = mask_secrets(opened[1].url if isinstance(opened, tuple) else service_url or "")
    with suppress(AnswersError):
        for address in (read_answers(root) if root else {}).values():
            redactor.hide(user_info(address))


async def _tell(examination: Examination, *, as_json: bool) -> int:
    """Print what is found, and return the number of faults."""
    found: list[tuple[str, Finding]] = []
    async for name, finding in examination.findings():
        found.append((name, finding))
        if not as_json:
            for line in _in_words(name, finding):
                say(line)
    faults = [name for name, finding in found if finding.status == "fault"]
    unknown = [name for name, finding in found if finding.status == "not_checked"]
    if as_json:
        print_json("doctor", {"faults": len(faults), "checks": [_as_json(*each) for each in found]})
    else:
        say(_summary(faults, unknown))
    return len(faults)


def _as_json(name: str, finding: Finding) -> dict[str, object]:
    return {
        "check": name,
        "status": finding.status.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _in_words(name: str, finding: Finding) -> Iterator[str]:
    begin = f"{_LABELS[finding.status]:{_LABEL_WIDTH}}  {name:{_NAME_WIDTH}}  "
    yield from _wrapped(finding.message, begin, " " * len(begin))
    margin = " " * (_LABEL_WIDTH + 2)
    if finding.advice:
        yield from _wrapped(finding.advice, margin, margin)
    if finding.command:
        yield margin + finding.command  # in one line, to be pasted


def _wrapped(text: str, begin: str, margin: str) -> Sequence[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=begin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _summary(faults: Sequence[str], unknown: Sequence[str]) -> str:
    count = len(faults)
    found = (
        f"{count} fault{'' if count == 1 else 's'}: {', '.join(faults)}"
        if count
        else "No fault found"
    )
    return f"{found}; not checked: {', '.join(unknown)}." if unknown else f"{found}."
