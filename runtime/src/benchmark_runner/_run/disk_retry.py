"""Write results off the event loop, retrying while the disk is full."""

import asyncio
import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Self, TypeVar

from benchmark_runner._concurrency.thread_pool import finish_in_thread
from benchmark_runner._progress.events import Listener, RetryScheduled
from benchmark_runner.errors import ArtifactError, RunLockedError

T = TypeVar("T")

#: Seconds for which a failed write is retried: somebody may free space.
DISK_PATIENCE = 30.0
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 2.0
#: Descriptors that are held for writing: a file and its folder, with some to spare.
_HELD = 4
#: Limits of a process by the error of a write that they stop.
_LIMITS = {errno.EMFILE: resource.RLIMIT_NOFILE, errno.EFBIG: resource.RLIMIT_FSIZE}


class DiskWriter:
    """Calls functions that write, and retries them; each retry is an event.

    In its context it holds descriptors for them, as agents may leave none, and takes back limits
    that agents have set.
    """

    def __init__(self, listener: Listener) -> None:
        self._emit = listener
        self._held: list[int] = []
        self._lock = Lock()
        self._limits = {limit: resource.getrlimit(limit) for limit in _LIMITS.values()}

    def __enter__(self) -> Self:
        self._hold()
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    async def write(self, function: Callable[..., T], *arguments: object) -> T:
        """Return ``function(*arguments)``, called in a thread.

        A cancellation waits for a write that has started.

        Raises:
            RunLockedError: at once, as waiting does not help.
            ArtifactError: it failed for :data:`DISK_PATIENCE` seconds.
        """
        wait, give_up = _FIRST_WAIT, monotonic() + DISK_PATIENCE
        while True:
            try:
                return await finish_in_thread(self._call, function, *arguments)
            except RunLockedError:
                raise
            except ArtifactError as error:
                if monotonic() + wait > give_up:
                    raise
                self._emit(RetryScheduled(error.message, wait))
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def try_write(self, function: Callable[..., object], *arguments: object) -> None:
        """Call ``function(*arguments)`` once, ignoring errors, for what is not a result."""
        with suppress(ArtifactError):
            await finish_in_thread(function, *arguments)

    def _call(self, function: Callable[..., T], *arguments: object) -> T:
        try:
            return function(*arguments)
        except ArtifactError as error:
            cause = error.__cause__
            limit = _LIMITS.get(cause.errno or 0) if isinstance(cause, OSError) else None
            if limit is None or not self._held:
                raise
            with suppress(OSError, ValueError):  # the hard limit was lowered, too
                resource.setrlimit(limit, self._limits[limit])
        with self._lock:
            self._release()
            try:
                return function(*arguments)
            finally:
                self._hold()

    def _hold(self) -> None:
        with suppress(OSError):
            while len(self._held) < _HELD:
                self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))

    def _release(self) -> None:
        while self._held:
            with suppress(OSError):  # an author's code has closed it
                os.close(self._held.pop())
