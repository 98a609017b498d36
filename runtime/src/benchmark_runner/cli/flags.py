"""From what a person typed to what is asked of a run."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmark_runner._redaction import without_user_info
from benchmark_runner._scores import finite
from benchmark_runner._secrets import secrets_of_environment, user_info
from benchmark_runner._text import some_ids
from benchmark_runner.cli.shell import short_path
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner._run.benchmark import Benchmark
    from benchmark_runner.llm import LLMConfig


def environment(variable: str) -> str | None:
    """Return a variable's value; ``None`` where it is unset or empty."""
    return os.environ.get(variable) or None


def known_secrets(config: LLMConfig, service_url: str) -> list[str | None]:
    """Return the keys of this invocation: of the environment, the flags and the URLs."""
    key = config.custom_api_key
    passwords = [*user_info(service_url), *user_info(config.custom_endpoint or "")]
    return [
        *secrets_of_environment(os.environ),
        key.get_secret_value() if key else None,
        *passwords,
    ]


def new_run_id() -> str:
    """Make up a run id that sorts by time and is not taken by a run started in the same second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def named_tasks(task_ids: Sequence[str], task_file: Path | None) -> list[str]:
    """Return the task ids that were named, on the command line and in a file.

    Raises:
        UsageError: one is named twice, or the file can't be read or names none.
    """
    named = [*task_ids]
    if task_file is not None:
        try:
            lines = task_file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise UsageError(
                f"--task-file {task_file}: {reason}", hint="Give a text file, one task id a line."
            ) from None
        from_file = [line.strip() for line in lines if line.strip()]
        if not from_file:
            raise UsageError(f"--task-file {task_file}: names no task")
        named += from_file
    repeated = sorted({task_id for task_id in named if named.count(task_id) > 1})
    if repeated:
        raise UsageError(
            f"task id(s) named more than once: {some_ids(repeated)}", hint="Name each task once."
        )
    return named


def check_run_flags(
    *,
    task_ids: Sequence[str],
    dataset_file: Path | None,
    dataset_name: str | None,
    problem: Path | None,
    limit: int | None,
    custom_endpoint: str | None,
    numbers: Mapping[str, float | None],
    chat_completions: bool,
    disable_streaming: bool,
) -> None:
    """Refuse values that make no sense, and combinations of flags that contradict each other.

    Raises:
        UsageError: there is one.
    """
    sources = {
        "--dataset-file": dataset_file,
        "--dataset-name": dataset_name,
        "--problem": problem,
    }
    given = [flag for flag, value in sources.items() if value is not None]
    if len(given) > 1:
        raise UsageError(
            f"{' and '.join(given)} exclude each other", hint="Take the tasks from one of them."
        )
    if problem is not None and len(task_ids) != 1:
        raise UsageError(
            f"--problem needs exactly one TASK_ID, not {len(task_ids)}",
            hint="Name the task that the file asks: run --problem FILE TASK_ID.",
        )
    if problem is not None and limit is not None:
        raise UsageError("--problem and --limit exclude each other", hint="Leave out --limit.")
    if dataset_name is not None and not dataset_name.strip():
        raise UsageError("--dataset-name is empty", hint="Give the name of a dataset.")
    endpoint = custom_endpoint or environment("CUSTOM_ENDPOINT")
    if endpoint is not None and not _is_http_url(endpoint):
        raise UsageError(
            f"--custom-endpoint {without_user_info(endpoint)!r} is not an http or https URL",
            hint="Give a URL such as https://models.example.com/v1.",
        )
    for flag, number in numbers.items():
        if number is not None and finite(number) is None:
            raise UsageError(f"{flag} {number} is not a finite number", hint="Give a number.")
    if disable_streaming and not chat_completions:
        raise UsageError(
            "--disable-streaming needs --chat-completions", hint="Give both, or neither."
        )


def where_arguments(benchmark: Benchmark, results_dir: Path, service_url: str) -> list[str]:
    """Return the flags that find the same run and service in a shell without this environment."""
    settings = benchmark.settings
    arguments: list[str] = []
    if results_dir != benchmark.project.results_path(settings.default_results_dir):
        arguments += ["--results-dir", short_path(results_dir)]
    if service_url and service_url != settings.default_service_url:
        arguments += ["--service-url", without_user_info(service_url)]
    return arguments


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # a port that is none, among others
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def given_arguments(
    flags: Mapping[str, tuple[Path | float | bool | None, float | bool | None]],
) -> list[str]:
    """Return the flags whose value differs from their default, as they would be typed.

    Settings that are frozen with the run need no repeating; these are not.
    """
    arguments: list[str] = []
    for flag, (value, default) in flags.items():
        if value == default:
            continue
        text = f"{value:g}" if isinstance(value, float) else str(value)
        arguments += [flag] if value is True else [flag, text]
    return arguments


def as_settings(
    flags: Mapping[str, tuple[Path | float | bool | None, float | bool | None]],
) -> dict[str, JsonValue]:
    """Return the same flags as settings, for the history of the run."""
    return {
        flag.removeprefix("--").replace("-", "_"): value if value is None else _plain(value)
        for flag, (value, _) in flags.items()
    }


def _plain(value: Path | float | bool) -> JsonValue:
    return value if isinstance(value, (bool, int, float)) else str(value)
