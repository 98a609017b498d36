"""The checks of the flags that a person gave, before anything is opened."""

import os
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from urllib.parse import urlsplit

from benchmark_runner._redaction import without_user_info
from benchmark_runner._run.flags import flags_of
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._text import plural, some_ids
from benchmark_runner.artifacts.task_obstacles import RESULT_FILES
from benchmark_runner.checkpoint.run_config import MOST_REPEATS
from benchmark_runner.client.own_headers import read_headers
from benchmark_runner.errors import UsageError

#: No report or export takes the place of one of these.
_FILES_OF_RUNS = {*RESULT_FILES, "run_config.json", "final_score.json", "events.jsonl"}


def named_tasks(task_ids: Sequence[str], task_file: Path | None) -> list[str]:
    """Return the task ids that were named, on the command line and in a file."""
    named = [*task_ids]
    if task_file is not None:
        try:
            lines = task_file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise UsageError(
                f"--task-file {task_file}: {reason}",
                hint="Give a text file with one task id per line.",
            ) from None
        from_file = [line.strip() for line in lines if line.strip()]
        if not from_file:
            raise UsageError(f"--task-file {task_file}: names no task")
        named += from_file
    repeated = sorted({task_id for task_id in named if named.count(task_id) > 1})
    if repeated:
        raise UsageError(
            f"{plural(len(repeated), 'task id')} named more than once: {some_ids(repeated)}",
            hint="Name each task once.",
        )
    return named


def check_output(file: Path, named: str, hint: str) -> None:
    """Check that a file can be written at the place that ``named`` says."""
    if not file.parent.is_dir():
        raise UsageError(f"{named}: there is no folder {file.parent}", hint="Make it first.")
    if file.exists() and not file.is_file():
        raise UsageError(f"{named}: exists and is not a file", hint=hint)
    file = Path(os.path.realpath(file))
    in_run = any(os.path.lexists(above / "run_config.json") for above in file.parents)
    if in_run and file.name.casefold() in _FILES_OF_RUNS:
        raise UsageError(f"{named}: the run has this file itself", hint="Give another name.")


def check_flags(request: RunRequest, service: ServiceSettings) -> None:
    """Refuse values that make no sense, and flags that contradict each other.

    ``task_ids`` must include those of ``--task-file``.
    """
    _check_source(request)
    _check_repeats(request)
    _check_question(request)
    if request.from_run is not None and not request.dry_run:
        raise UsageError("--from needs --dry-run", hint="Give both, to see what the run will cost.")
    read_headers(service.headers, "--header")
    if request.command == "run":  # the others ask no model
        _check_endpoint(request.custom_endpoint or os.environ.get("CUSTOM_ENDPOINT"))
    for container in (request, service):
        for declared, found in flags_of(request.command, container):
            number: object = getattr(container, declared.name)
            if isinstance(number, float) and not isfinite(number):
                raise UsageError(
                    f"{found.name} {number} is not a finite number", hint="Give a number."
                )
    if request.disable_streaming and not request.chat_completions:
        raise UsageError(
            "--disable-streaming needs --chat-completions", hint="Give both, or neither."
        )


def _check_repeats(request: RunRequest) -> None:
    if request.repeats is not None and request.repeats > MOST_REPEATS:
        raise UsageError(
            f"--repeats {request.repeats:,} is more than {MOST_REPEATS:,}",
            hint="Give fewer; the command plan tells how many show a difference.",
        )
    if request.repeat is not None and not request.rerun:
        raise UsageError(
            "--repeat needs --rerun", hint="Name the task, too: --rerun TASK --repeat N."
        )


def _check_question(request: RunRequest) -> None:
    score, against, alpha = request.until_score, request.until_decided_against, request.alpha
    if alpha is not None and not 0 < alpha < 1:
        raise UsageError(
            f"--alpha {alpha:g} is no probability between 0 and 1", hint="Give one such as 0.05."
        )
    if alpha is not None and not request.asks:
        raise UsageError(
            "--alpha needs --until-score or --until-decided-against", hint="Give both, or neither."
        )
    if not request.asks:
        return
    if score is not None and against is not None:
        raise UsageError(
            "--until-score and --until-decided-against exclude each other",
            hint="Ask one of them; the other needs a run of its own.",
        )
    flag = "--until-decided-against" if score is None else "--until-score"
    if score is not None and not 0 <= score <= 1:
        raise UsageError(
            f"--until-score {score:g} is not from 0 to 1", hint="Give a mean of task scores."
        )
    others = {
        "--skip-eval": (request.skip_eval, "it needs the scores"),
        "--problem": (request.problem is not None, "it is about all tasks of a dataset"),
        "--rerun": (bool(request.rerun), "another attempt may not change what is settled"),
        "--retry-timeouts": (
            request.retry_timeouts,
            "another attempt may not change what is settled",
        ),
        "TASK_IDS": (bool(request.task_ids), "it is about all tasks of the run"),
    }
    for other, (given, why) in others.items():
        if given:
            raise UsageError(f"{flag} excludes {other}: {why}", hint=f"Omit {other}.")


def _check_source(request: RunRequest) -> None:
    sources = {
        "--dataset-file": request.dataset_file,
        "--dataset-name": request.dataset_name,
        "--problem": request.problem,
    }
    given = [name for name, value in sources.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other", hint="Give one of them.")
    if request.problem is not None and len(request.task_ids) != 1:
        raise UsageError(
            f"--problem needs exactly one TASK_ID, not {len(request.task_ids)}",
            hint="Name the task of the file: run --problem FILE TASK_ID.",
        )
    if request.problem is not None and request.limit is not None:
        raise UsageError("--problem and --limit exclude each other", hint="Omit --limit.")
    if request.problem is not None and request.dataset_version is not None:
        raise UsageError(
            "--problem and --dataset-version exclude each other", hint="Omit --dataset-version."
        )
    if request.dataset_version is not None and not request.dataset_version.strip():
        raise UsageError("--dataset-version is empty", hint="Give a version, or leave it out.")
    if request.dataset_name is not None and not request.dataset_name.strip():
        raise UsageError("--dataset-name is empty", hint="Give the name of a dataset.")


def _check_endpoint(url: str | None) -> None:
    if url and not _is_http_url(url):
        raise UsageError(
            f"--custom-endpoint {without_user_info(url)!r} is not an http or https URL",
            hint="Give a URL such as https://models.example.com/v1.",
        )


def _is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:  # such as an invalid port
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
