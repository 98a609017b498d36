"""The streams, working directory and arguments of a command, as they were when it began.

The author's code runs in the same process. It may redirect, close or replace its streams and
leave or remove the working directory; a reader or a terminal may go away. None of this keeps a
command from its work, nor its output from where it was to go.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TextIO

    from typing_extensions import Buffer

_STANDARD = (0, 1, 2)
#: Copies of them are from here on, out of the range that some code closes to tidy up.
_FIRST_COPY = 512


@dataclass(frozen=True, slots=True)
class _Taken:
    output: TextIO
    errors: TextIO
    folder: Path
    arguments: list[str]


_taken: list[_Taken] = []


@contextmanager
def keep_start_state() -> Generator[None]:
    """Keep the streams and the working directory of this moment until the block ends.

    Meanwhile the author's code writes to streams of its own, on copies of the descriptors, which
    never raise: what a stream can't show is replaced, what nobody reads is dropped.
    """
    if _taken:
        yield
        return
    _fill_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is cast("object", None):
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 (for the process)
    output, errors = sys.stdout, sys.stderr
    if sys.stdout is sys.__stdout__:
        output, sys.stdout = _copy_of(sys.stdout, 1), _copy_of(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        errors, sys.stderr = _copy_of(sys.stderr, 2), _copy_of(sys.stderr, 2)
    _taken.append(_Taken(output, errors, _working_directory(), [*sys.argv]))
    try:
        yield
    finally:
        flush()
        _taken.clear()
        sys.stdin, sys.stdout, sys.stderr = before


def output() -> TextIO:
    """Return the standard output for the results of a command."""
    return _taken[0].output if _taken else sys.stdout


def errors() -> TextIO:
    """Return the standard error for the messages of a command."""
    return _taken[0].errors if _taken else sys.stderr


def start_folder() -> Path:
    """Return the working directory in which the command began."""
    return _taken[0].folder if _taken else _working_directory()


def start_arguments() -> list[str]:
    """Return the program and the arguments with which it began."""
    return _taken[0].arguments if _taken else sys.argv


def absolute(path: Path) -> Path:
    """Return a path that does not depend on the working directory."""
    return start_folder() / path


def flush() -> None:
    """Write what is buffered in all streams, also in those of the author's code."""
    for stream in (sys.stdout, sys.stderr, output(), errors()):
        with suppress(AttributeError, OSError, ValueError):  # anything may stand in its place
            stream.flush()


def output_error() -> OSError | None:
    """Return the error that lost output; ``None`` if just its reader has gone."""
    error = _output_error()
    return None if error is None or error.errno == errno.EPIPE else error


def is_output_read() -> bool:
    """Return False once standard output is lost, or its reader has gone."""
    return _output_error() is None


def _output_error() -> OSError | None:
    raw = getattr(getattr(output(), "buffer", None), "raw", None)
    return raw.error if isinstance(raw, _Descriptor) else None


class _Descriptor(io.RawIOBase):
    """An open descriptor whose errors are noted and not raised."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.error: OSError | None = None

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return os.isatty(self._number)

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                rest = rest[self._write_some(rest) :]
        except OSError as error:
            self.error = self.error or error
        return size

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._number, data)
        except BlockingIOError:  # somebody has set it so, for all processes that share it
            import select

            select.select([], [self._number], [])
            return 0


class _Bytes(io.BufferedWriter):
    """A buffer that the author's code can't close for others."""

    def close(self) -> None:
        self.flush()


class _Text(io.TextIOWrapper):
    """A stream that the author's code can't close for others."""

    def close(self) -> None:
        self.flush()


def _copy_of(stream: TextIO | None, number: int) -> TextIO:
    """Return a stream on a copy of a descriptor, or to nowhere if there was no such stream."""
    descriptor = number
    with suppress(OSError):  # there are no more descriptors
        descriptor = os.open(os.devnull, os.O_WRONLY) if stream is None else _high_copy_of(number)
    raw = _Descriptor(descriptor)
    return _Text(
        _Bytes(raw),
        encoding=(stream and stream.encoding) or "utf-8",
        errors="replace",
        line_buffering=number == 2 or raw.isatty(),  # noqa: PLR2004 (standard error)
    )


def _high_copy_of(number: int) -> int:
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _FIRST_COPY)
    except OSError:  # the limit is lower
        return os.dup(number)


def _fill_closed_descriptors() -> None:
    """Open what was closed: else the next file that is opened would get the output."""
    for number in _STANDARD:
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                # It gets the lowest free number, which is this one.
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return Path(os.environ.get("PWD") or "/")
