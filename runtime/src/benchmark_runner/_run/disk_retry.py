"""Have the disk keep what must not be lost: beside the loop, and again while it refuses."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from benchmark_runner._concurrency.thread_pool import finished_beside_loop
from benchmark_runner._progress.events import RetryScheduled
from benchmark_runner.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner._progress.events import Listener

T = TypeVar("T")

#: Seconds for which a refused write is tried again: somebody may free space.
DISK_PATIENCE = 30.0
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 2.0


class Keeper:
    """Calls functions that write.

    Args:
        listener: Is told when the disk refuses.
    """

    def __init__(self, listener: Listener) -> None:
        self._emit = listener

    async def keep(self, write: Callable[..., T], *arguments: object) -> T:
        """Return ``write(*arguments)``, called in a thread.

        A cancellation waits until a write under way is done.

        Raises:
            ArtifactError: the disk has refused for :data:`DISK_PATIENCE` seconds.
        """
        wait, give_up = _FIRST_WAIT, monotonic() + DISK_PATIENCE
        while True:
            try:
                return await finished_beside_loop(write, *arguments)
            except ArtifactError as error:
                if monotonic() + wait > give_up:
                    raise
                self._emit(RetryScheduled(error.message, wait))
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def keep_if_possible(self, write: Callable[..., object], *arguments: object) -> None:
        """The same for what is a help and no result: a refusal is passed over."""
        with suppress(ArtifactError):
            await finished_beside_loop(write, *arguments)
