"""File locks, which the kernel releases when their process ends."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from benchmark_runner.errors import ArtifactError, RunLockedError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

__all__ = ["hold_lock", "holder_of", "is_only_holder", "wait_for_lock"]

_LOCK_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
#: Seconds to wait for a lock that others hold for moments only, and between two attempts.
LONGEST_WAIT = 30.0
_POLL = 0.01


@contextmanager
def hold_lock(path: Path, what: str, *, shared: bool = False) -> Generator[int]:
    """Hold a lock file, which names its holder, or fail at once; yields its descriptor.

    Args:
        path: The lock file; it is created, and not removed.
        what: The locked thing, for the error message.
        shared: Whether others may share the lock.

    Raises:
        RunLockedError: another process holds it.
        ArtifactError: the file system has no locks.
    """
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with _open(path) as descriptor:
        if not _try_lock(path, descriptor, operation):
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise RunLockedError(
                f"{what} is being worked on by {holder or 'another process'}",
                hint="Wait until it is done, or use another --run-id.",
            )
        if not _is_at(path, descriptor):  # the last holder has just removed it
            raise RunLockedError(
                f"{what} was being worked on a moment ago", hint="Give the same command again."
            )
        if not shared:
            name = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, name, 0)
        try:
            yield descriptor
        finally:
            if not shared:  # the next process must not read this name
                with suppress(OSError):
                    os.ftruncate(descriptor, 0)


def is_only_holder(descriptor: int) -> bool:
    """Return True if no other process holds the lock; from then on no other can."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def wait_for_lock(path: Path, what: str) -> Generator[None]:
    """Wait for a lock file that others hold for moments only, and hold it.

    Args:
        path: The lock file; it is created, and not removed.
        what: The locked thing, for the error message.

    Raises:
        RunLockedError: others do not release it; one of them may be stopped.
        ArtifactError: the file system has no locks.
    """
    with _open(path) as descriptor:
        give_up = time.monotonic() + LONGEST_WAIT
        while not _try_lock(path, descriptor, fcntl.LOCK_EX):
            if time.monotonic() > give_up:
                raise RunLockedError(
                    f"{what} was not released within {LONGEST_WAIT:g} s by another process",
                    hint="See whether a process of the same run is stopped, then try again.",
                )
            time.sleep(_POLL)
        yield


def holder_of(path: Path) -> str | None:
    """Return the name in a lock file that is held exclusively; ``None`` if it is not.

    The lock is tried only if the file has a name, which a holder removes at its end. So this can
    keep others from the lock only in the moment after a kill.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    name = ""
    try:
        name = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
        if name:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return name
    except OSError:  # a file system without locks, among others
        return None
    finally:
        os.close(descriptor)
    return None


def _try_lock(path: Path, descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise ArtifactError(
            f"{path}: can't be locked: {error.strerror or error}",
            hint="The file system has no locks: keep results on another one, with --results-dir.",
        ) from error
    return True


@contextmanager
def _open(path: Path) -> Generator[int]:
    descriptor = os.open(path, _LOCK_FILE, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
