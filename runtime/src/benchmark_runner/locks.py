"""Locks that the kernel holds for a process, and lets go of when it is gone."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmark_runner.errors import RunLockedError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def held(path: Path, what: str, *, shared: bool = False) -> Generator[int]:
    """Hold the lock file ``path``, which names its holder, or fail at once; gives its descriptor.

    Args:
        path: The lock file; it is made, and left there.
        what: What is locked, for the error message.
        shared: Whether others that share may hold it, too.

    Raises:
        RunLockedError: somebody else holds it.
    """
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with _opened(path) as descriptor:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise RunLockedError(
                f"{what} is being worked on by {holder or 'another process'}",
                hint="Wait until it is done, or use another --run-id.",
            ) from None
        if not _is_at(path, descriptor):  # its last holder has just removed it
            raise RunLockedError(
                f"{what} was being worked on a moment ago", hint="Give the same command again."
            )
        if not shared:
            name = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, name, 0)
        yield descriptor


def is_only_holder(descriptor: int) -> bool:
    """Whether nobody else holds the lock; from then on nobody else can."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def awaited(path: Path) -> Generator[None]:
    """Hold the lock file ``path`` for a few moments, waiting for others to do the same."""
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(path: Path) -> Generator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
