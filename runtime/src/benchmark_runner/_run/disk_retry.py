"""Write results off the event loop, retrying while the disk is full."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TypeVar

from benchmark_runner._concurrency.thread_pool import finish_in_thread
from benchmark_runner._progress.events import Listener, RetryScheduled
from benchmark_runner._run.write_reserve import WriteReserve
from benchmark_runner.errors import ArtifactError, RunLockedError

T = TypeVar("T")

#: Seconds for which a failed write is retried: somebody may free space.
DISK_PATIENCE = 30.0
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 2.0


class DiskWriter:
    """Calls functions that write, and retries them; each retry is an event.

    In the context of its ``reserve``, they write also where agents have left nothing to do it with.
    """

    def __init__(self, listener: Listener) -> None:
        self._emit = listener
        self.reserve = WriteReserve()

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
                return await finish_in_thread(self.reserve.call, function, *arguments)
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
