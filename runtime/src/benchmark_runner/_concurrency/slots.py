"""Places for what is under way at a time, free while their holders only wait."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_held: ContextVar[Slot | None] = ContextVar("held", default=None)


class Slot:
    """A place that one piece of work holds, and gives back while it rests.

    Args:
        free: Counts the free places.
    """

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._turn = asyncio.Lock()
        self._is_held = self._is_over = False
        self._resting = 0
        self._on_resume: Callable[[], object] = lambda: None

    @property
    def resting(self) -> bool:
        """Whether its holder waits for the time to try again."""
        return self._resting > 0

    async def take(self) -> None:
        """Wait for a free place and hold it; once the work has ended, there is none to wait for."""
        async with self._turn:  # several calls of the same work have one place together
            if self._is_held or self._is_over:
                return
            await self._free.acquire()
            self._is_held = True
            if self._is_over:
                self._give_back()

    def end(self) -> None:
        """Free the place for good: the work has ended, whatever it has left behind."""
        self._is_over = True
        self._give_back()

    async def rest(self, seconds: float) -> None:
        """Sleep, without holding the place."""
        self._resting += 1
        self._give_back()
        try:
            await asyncio.sleep(seconds)
            await self.take()
            self._on_resume()
        finally:
            self._resting -= 1

    def belongs_to_this_work(self, on_resume: Callable[[], object] = lambda: None) -> None:
        """Let :func:`rest` give this place back, here and in all that is started from here.

        Args:
            on_resume: Is called when it is held again after a rest.
        """
        self._on_resume = on_resume
        _held.set(self)

    def _give_back(self) -> None:
        if self._is_held:
            self._is_held = False
            self._free.release()


class Slots:
    """A number of places.

    Args:
        most: How many; at least 1.
    """

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)

    async def take(self) -> Slot:
        """Wait for a free place and hold it."""
        slot = Slot(self._free)
        await slot.take()
        return slot


async def rest(seconds: float) -> None:
    """Sleep, without holding the place that this piece of work has, if it has one."""
    slot = _held.get()
    await (asyncio.sleep(seconds) if slot is None else slot.rest(seconds))
