"""The output of commands: results on standard output, all else on standard error."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from typing import TYPE_CHECKING

import typer

from benchmark_runner._start_state import (
    errors,
    flush,
    is_output_read,
    keep_start_state,
    output,
    output_error,
)
from benchmark_runner.cli.shortage import Shortage, require_descriptors, shortage_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from typing import TextIO

    from benchmark_runner._redaction import Redactor
    from benchmark_runner.errors import BenchmarkRunnerError
    from benchmark_runner.llm import LLMConfig

_JSON_SCHEMA_VERSION = 1
#: Characters of an error on a terminal: some windows of text.
_LONGEST_ERROR = 6000
#: Characters of a long result that are printed together.
_AT_A_TIME = 64 * 1024
#: Commands whose exit code tells of the run, and not of what they print.
_WORKING = frozenset({"run", "evaluate", "score", "import"})

_redactors: list[Redactor] = []


def mask_secrets(
    service_url: str, llm_config: LLMConfig | None = None, headers: Sequence[str] = ()
) -> Redactor:
    """Mask in all output the keys of the environment, the flags and the URLs.

    What the returned redactor is told to hide later is masked, too.
    """
    from benchmark_runner._redaction import Redactor
    from benchmark_runner._secrets import secrets_of_environment, user_info, values_of_headers

    endpoint = llm_config.custom_endpoint if llm_config else None
    key = llm_config.custom_api_key if llm_config else None
    redactor = Redactor(
        [
            *secrets_of_environment(os.environ),
            key.get_secret_value() if key else None,
            *user_info(service_url),
            *values_of_headers(headers),
            *user_info(endpoint or ""),
        ],
        reserved=_field_words,
    )
    _redactors[:] = [redactor]
    return redactor


def masked(text: str) -> str:
    """Return ``text`` with every known secret in it masked."""
    return _redactor().clean_text(text)


def say(*lines: str) -> None:
    """Print lines of a result."""
    for text in lines:
        _write(_printable(text), output())


def say_all(texts: Iterable[str]) -> None:
    """Print the many parts of a result, some at a time, while somebody reads them."""
    parts: list[str] = []
    size = 0
    for text in texts:
        parts.append(text)
        size += len(text)
        if size >= _AT_A_TIME:
            say("\n".join(parts))
            parts, size = [], 0
            if not is_output_read():
                return
    say(*parts)


def note(text: str) -> None:
    """Print a line that is not part of a result."""
    _write(_printable(text), errors())


def print_json(command: str, content: Mapping[str, object]) -> None:
    """Print the one object that ``--json`` promises."""
    from benchmark_runner._text import json_text

    redactor = _redactor()
    # The names at the top are ours.
    masked = {name: redactor.clean_value(value) for name, value in content.items()}
    document = {"schema": _JSON_SCHEMA_VERSION, "command": command, **masked}
    _write(json_text(document), output())


@contextmanager
def only_rows() -> Generator[Callable[[bytes], object]]:
    """Reserve standard output for rows, and yield the function that writes them.

    The output of the author's code goes to standard error.
    """
    with _standard_output_reserved():
        flush()
        yield output().buffer.write


def print_failure(
    command: str, kind: str, message: str, hint: str | None, *, as_json: bool
) -> None:
    """Print an error: what failed, and what to do next."""
    report_failure(f"{kind}: {message}")
    if as_json:
        error = {"type": kind, "message": message, "hint": hint}
        print_json(command, {"error": error})
        return
    label = typer.style(f"{kind}:", fg="red", bold=True) if errors().isatty() else f"{kind}:"
    _write(f"{label} {_printable(brief_error(message, errors()))}", errors())
    if hint:
        note(hint)


def report_failure(error: str) -> None:
    """Write the failure of the command, as ``Type: message``, for an orchestrator that asks so."""
    from benchmark_runner.cli.error_report import write_report

    write_report(error, _printable)


def brief_error(text: str, stream: TextIO | None = None) -> str:
    """Return an error without its middle if it would fill a terminal; elsewhere it is whole."""
    from benchmark_runner._text import without_middle

    return without_middle(text, _LONGEST_ERROR) if (stream or output()).isatty() else text


def error_content(error: BenchmarkRunnerError) -> dict[str, object]:
    """Return an error for ``--json``, with the step of the run that it ended."""
    content: dict[str, object] = {
        "type": error.kind,
        "message": error.message,
        "hint": error.hint,
    }
    if error.phase is not None:
        from benchmark_runner._run.failure_kinds import classify

        content |= classify(error, error.phase).model_dump(mode="json", exclude={"hint"})
    return content


def print_error(command: str, error: BenchmarkRunnerError, *, as_json: bool) -> None:
    """Print an error of the framework."""
    if as_json:
        report_failure(f"{error.kind}: {error.message}")
        print_json(command, {"error": error_content(error)})
    else:
        print_failure(command, error.kind, error.message, error.hint, as_json=False)


@contextmanager
def failures_as_messages(command: str, *, as_json: bool) -> Generator[None]:
    """End the command with a message and the right exit code instead of a traceback."""
    from benchmark_runner._concurrency.forked_child import ending_children

    reserved = _standard_output_reserved() if as_json else nullcontext()
    try:
        with keep_start_state(), _errors_printed(command, as_json=as_json):
            require_descriptors()
            with reserved, ending_children():
                yield
            _check_output()
    except typer.Exit:
        if command in _WORKING and (lost := output_error()) is not None:
            _note_lost(lost)
        raise
    finally:
        _redactors.clear()


@contextmanager
def _errors_printed(command: str, *, as_json: bool) -> Generator[None]:
    from benchmark_runner.errors import BenchmarkRunnerError, describe

    try:
        yield
    except BenchmarkRunnerError as error:
        print_error(command, error, as_json=as_json)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        print_failure(command, "Interrupted", "stopped by SIGINT", None, as_json=as_json)
        raise typer.Exit(130) from None
    except (typer.Exit, typer.Abort):
        raise
    except SystemExit as error:
        message = f"code in runner/ tried to end the program: {describe(error)}"
        print_failure(command, "SystemExit", message, None, as_json=as_json)
        raise typer.Exit(1) from None
    except Exception as error:  # noqa: BLE001 (it ends the command all the same)
        if (shortage := shortage_in(error)) is not None:
            print_shortage(command, shortage, as_json=as_json)
            raise typer.Exit(1) from None
        # A bug of ours; with --json there is an object all the same.
        note(traceback.format_exc().rstrip())
        if as_json:
            print_failure(command, type(error).__name__, describe(error), None, as_json=True)
        report_failure(describe(error))
        raise typer.Exit(1) from None


def _check_output() -> None:
    from benchmark_runner.errors import describe

    if (lost := output_error()) is not None:
        _note_lost(lost)
        report_failure(describe(lost))
        raise typer.Exit(1)


def _note_lost(error: OSError) -> None:
    note(f"Standard output can't be written: {error.strerror}")


def print_shortage(command: str, shortage: Shortage, *, as_json: bool) -> None:
    """Print that the process lacks something, without an import, for which that may be needed."""
    with suppress(Exception):  # the report needs some
        report_failure(f"{shortage.kind}: {shortage.message}")
    if as_json:
        error = f'{{"type": "{shortage.kind}", "message": "{shortage.message}", "hint": '
        head = f'{{"schema": {_JSON_SCHEMA_VERSION}, "command": "{command}", "error": '
        _write(f'{head}{error}"{shortage.hint}"}}}}', output())
    else:
        _write(f"{shortage.kind}: {shortage.message}\n{shortage.hint}", errors())


def _printable(text: str) -> str:
    from benchmark_runner._text import for_terminal

    # In this order: control characters could hide a secret.
    return _redactor().clean_text(for_terminal(text))


def _redactor() -> Redactor:
    if _redactors:
        return _redactors[0]
    # The command does not know all of its secrets yet.
    from benchmark_runner._redaction import Redactor
    from benchmark_runner._secrets import secrets_of_arguments, secrets_of_environment

    known = (*secrets_of_environment(os.environ), *secrets_of_arguments(sys.argv[1:]))
    return Redactor(known, reserved=_field_words)


def _field_words() -> frozenset[str]:
    from benchmark_runner.checkpoint import field_words

    return field_words()


@contextmanager
def _standard_output_reserved() -> Generator[None]:
    """Send the output of the author's code, and of what it starts, to standard error."""
    flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        flush()
        os.dup2(kept, 1)
        os.close(kept)


def _write(text: str, stream: TextIO) -> None:
    flush()  # what the author's code has printed before
    typer.echo(text, file=stream)
