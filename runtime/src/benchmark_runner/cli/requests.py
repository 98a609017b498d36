"""From what a person typed to what is asked of a run."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmark_runner.checkpoint import some_ids
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def environment(variable: str) -> str | None:
    """Return a variable's value; ``None`` where it is unset or empty."""
    return os.environ.get(variable) or None


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
    chat_completions: bool,
    disable_streaming: bool,
) -> None:
    """Refuse combinations of flags that contradict each other.

    Raises:
        UsageError: they do.
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
    if disable_streaming and not chat_completions:
        raise UsageError(
            "--disable-streaming needs --chat-completions", hint="Give both, or neither."
        )


def resume_arguments(
    command: str,
    run_id: str,
    flags: Mapping[str, Path | str | bool | None],
    task_ids: Sequence[str],
) -> list[str]:
    """Return the arguments that go on with the same work.

    The run's own settings are frozen on disk, so that only what says where to look, and how
    far to go, is repeated; keys never are.
    """
    arguments = [command, "--run-id", run_id]
    for flag, value in flags.items():
        if value is True:
            arguments.append(flag)
        elif value:
            arguments += [flag, str(value)]
    return [*arguments, *task_ids]
