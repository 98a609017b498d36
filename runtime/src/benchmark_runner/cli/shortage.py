"""Errors of a process that may not open, start or use any more, and what to do about them."""

from __future__ import annotations

import errno
import os
from threading import Event, Thread
from typing import NamedTuple

#: Files and threads of the framework itself, without those of tasks.
_FEWEST_FILES = 24
_FEWEST_THREADS = 8
#: Causes of an error that are looked at: they may form a circle.
_MOST_CAUSES = 20


class Shortage(NamedTuple):
    """A limit of the system that was reached, in words without quotes."""

    kind: str
    message: str
    hint: str


_FILES = Shortage(
    "TooManyOpenFiles",
    "this process may not open any more files or connections",
    "Raise the limit (ulimit -n 4096), or give a lower --parallelism.",
)
_THREADS = Shortage(
    "TooManyThreads",
    "this process may not start any more threads or processes",
    "Raise the limit (ulimit -u, or that of the container), or give a lower --parallelism.",
)
_MEMORY = Shortage(
    "OutOfMemory",
    "there is not enough memory",
    "Raise the limit (ulimit -v, or that of the container), or give a lower --parallelism.",
)
_BY_NUMBER = {
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.EAGAIN: _THREADS,
    errno.ENOMEM: _MEMORY,
}
#: Parts of messages of errors that have no number.
_BY_TEXT = {
    "too many open files": _FILES,
    "can't start new thread": _THREADS,
    "cannot allocate memory": _MEMORY,
    "failed to map segment": _MEMORY,
}


def require_descriptors() -> None:
    """Raise the system's error if only few more files can be opened than are open by now."""
    opened: list[int] = []
    try:
        while len(opened) < _FEWEST_FILES:
            opened.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def require_threads() -> None:
    """Raise the system's error if a run could not start its own threads."""
    over = Event()
    try:
        for _ in range(_FEWEST_THREADS):
            Thread(target=over.wait, daemon=True).start()
    finally:
        over.set()


def shortage_in(error: BaseException | None) -> Shortage | None:
    """Return the shortage that an error comes from; ``None`` if it is another one."""
    for _ in range(_MOST_CAUSES):
        if error is None:
            break
        if isinstance(error, MemoryError):
            return _MEMORY
        if isinstance(error, OSError) and error.errno in _BY_NUMBER:
            return _BY_NUMBER[error.errno]
        if isinstance(error, (ImportError, RuntimeError)):
            text = str(error).lower()
            if found := next((_BY_TEXT[part] for part in _BY_TEXT if part in text), None):
                return found
        error = error.__cause__ or error.__context__
    return None
