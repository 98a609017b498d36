"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

JSON_SCHEMA_VERSION = 1


def say(text: str = "") -> None:
    """Print a line of a result."""
    typer.echo(text)


def note(text: str) -> None:
    """Print a line about the work, which is not part of a result."""
    typer.echo(text, err=True)


def print_json(command: str, content: Mapping[str, object]) -> None:
    """Print the one object that ``--json`` promises."""
    document = {"schema": JSON_SCHEMA_VERSION, "command": command, **content}
    typer.echo(json.dumps(document, ensure_ascii=False))


def print_failure(
    command: str, kind: str, message: str, hint: str | None, *, as_json: bool
) -> None:
    """Print what went wrong, to what, and what to do next."""
    if as_json:
        error = {"type": kind, "message": message, "hint": hint}
        print_json(command, {"error": error})
        return
    label = typer.style(f"{kind}:", fg="red", bold=True) if sys.stderr.isatty() else f"{kind}:"
    note(f"{label} {message}")
    if hint:
        note(hint)


@contextmanager
def standard_output_reserved() -> Generator[None]:
    """Send to standard error what others print, so that one JSON object stands alone.

    That is the author's code, and the processes it starts.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def failures_as_messages(command: str, *, as_json: bool) -> Generator[None]:
    """End the command with a message and the right exit code instead of a traceback."""
    from benchmark_runner.errors import BenchmarkRunnerError

    try:
        yield
    except BenchmarkRunnerError as error:
        print_failure(command, type(error).__name__, error.message, error.hint, as_json=as_json)
        raise typer.Exit(error.exit_code) from None
