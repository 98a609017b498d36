"""Reads a run's ``events.jsonl``, also while it is written; skips what it does not know."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import cast, get_args

from pydantic import TypeAdapter
from pydantic_core import from_json

from benchmark_runner._progress.events import Event, name_of
from benchmark_runner.errors import ArtifactError

#: Bytes that are read at a time.
_PIECE = 1024**2

_KINDS: dict[str, type[Event]] = {name_of(kind): kind for kind in get_args(Event)}


@dataclass(frozen=True, slots=True)
class Logged:
    """One line of the log, at seconds since 1970; without an event, its command is running."""

    at: float
    invocation: str
    event: Event | None


class EventReader:
    """A reader of what is appended to a run's ``events.jsonl``, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._rest = b""

    def read(self) -> Iterator[Logged]:
        """Return the lines appended since the last call; other content is left out."""
        while content := self._piece():
            *lines, self._rest = (self._rest + content).split(b"\n")
            for line in lines:
                if (logged := parse(line)) is not None:
                    yield logged

    def _piece(self) -> bytes:
        # Opened each time: over a network that is what shows what others have written.
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(self._path, flags)
        except FileNotFoundError:
            return b""
        except OSError as error:
            message = f"{self._path}: can't be read: {error.strerror or error}"
            raise ArtifactError(message) from error
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ArtifactError(f"{self._path}: can't be read: not a regular file")
            file = (found.st_dev, found.st_ino)
            if file != self._file or found.st_size < self._offset:  # not the one of before
                self._file, self._offset, self._rest = file, 0, b""
            content = os.pread(descriptor, _PIECE, self._offset)
            self._offset += len(content)
            return content
        finally:
            os.close(descriptor)


def parse(line: bytes) -> Logged | None:
    """Return the content of a line; ``None`` if it is torn or something else."""
    try:
        content = cast("dict[str, str]", from_json(line, allow_inf_nan=False))
        name, at = content["event"], datetime.fromisoformat(content["at"]).timestamp()
        # A later version may have added events and fields.
        event = _adapter(name).validate_json(line, strict=True) if name in _KINDS else None
        return Logged(at, content["invocation"], event)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


@cache
def _adapter(name: str) -> TypeAdapter[Event]:
    return TypeAdapter(_KINDS[name])
