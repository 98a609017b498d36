"""The arguments of the task, ``-T NAME=VALUE``, as the settings of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark_runner._redaction import without_user_info
from benchmark_runner._run.author_options import parse_options, refuse_keys_in, secrets_of
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.cli.job import Job, open_job
from benchmark_runner.errors import BenchmarkRunnerError, UsageError

if TYPE_CHECKING:
    from benchmark_runner._run.defaults import CliSettings

__all__ = ["TaskArguments", "open_task_job", "without_traceback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskArguments:
    """The arguments of the task, as Inspect has read them; ``None`` where one was omitted.

    Attributes:
        dataset_file: Read the tasks from this file.
        dataset_name: Use this dataset of the benchmark service.
        dataset_version: Use this version of that dataset.
        service_url: URL of the benchmark service, or ``local``.
        options: The options of the author, as with ``--option``.
    """

    dataset_file: object = None
    dataset_name: object = None
    dataset_version: object = None
    service_url: object = None
    options: Mapping[str, object]

    @property
    def of_scorer(self) -> dict[str, str]:
        """Those that say which references evaluate, in which service."""
        names = ("dataset_file", "dataset_name", "dataset_version", "service_url")
        given = {name: getattr(self, name) for name in names}
        return {name: _text(value) for name, value in given.items() if value is not None}


def open_task_job(settings: CliSettings, arguments: TaskArguments) -> Job:
    """Open the benchmark with the settings that the arguments stand for.

    Inspect writes the arguments into its log, and so none may be a secret.

    Raises:
        BenchmarkRunnerError: an argument is wrong, or the benchmark can't be used.
    """
    file = arguments.dataset_file
    request = RunRequest(
        run_id="inspect",  # that of each evaluation follows
        dataset_file=None if file is None else Path(_text(file)),
        dataset_name=_known(arguments.dataset_name),
        dataset_version=_known(arguments.dataset_version),
        options=[f"{name}={_text(value)}" for name, value in arguments.options.items()],
        timeout=settings.default_timeout,
        quiet=True,
    )
    url = _known(arguments.service_url)
    if url is not None and without_user_info(url) != url:
        raise UsageError(
            "-T service_url holds a password, and Inspect would write it into its log",
            hint="Set SERVICE_URL in the environment instead.",
        )
    job = open_job(settings, request, ServiceSettings(url=url or ""))
    _refuse_secrets(job, {name: _text(value) for name, value in arguments.options.items()})
    return job


def without_traceback(error: BenchmarkRunnerError) -> Exception:
    """Return an error that Inspect shows as a message only."""
    from inspect_ai._util.error import PrerequisiteError

    hint = f"\n{error.hint}" if error.hint else ""
    return PrerequisiteError(f"{error.message}{hint}")


def _refuse_secrets(job: Job, options: Mapping[str, str]) -> None:
    runner = job.benchmark.runner(job.service.url, job.service.eval_parallelism)
    runner.options = parse_options(runner.OPTIONS_MODEL, options)
    secret = [name for name, _ in secrets_of(runner) if name in options]
    if secret:
        raise UsageError(
            f"-T {secret[0]} is a secret, and Inspect would write it into its log",
            hint=f"Give {secret[0]} a default in OPTIONS_MODEL that reads the environment.",
        )
    refuse_keys_in(options, job.artifacts.redactor)


def _known(value: object) -> str | None:
    return None if value is None else _text(value)


def _text(value: object) -> str:
    """Return the text that Inspect has parsed as YAML, or split at its commas."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, cast("list[object]", value)))
    if isinstance(value, (bool, dict)) or value is None:
        return json.dumps(value)
    return str(value)
