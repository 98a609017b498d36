"""Places for what is under way at a time, free while their holders only wait."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar

_held: ContextVar[Slot | None] = ContextVar("held", default=None)


class Slot:
    """A place that one piece of work holds, and gives back while it rests.

    Args:
        free: Counts the free places.
    """

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._is_held = False
        self.resting = False
        """Whether its holder waits for the time to try again."""

    async def take(self) -> None:
        """Wait for a free place and hold it."""
        await self._free.acquire()
        self._is_held = True

    def give_back(self) -> None:
        """Free the place, if it is held."""
        if self._is_held:
            self._is_held = False
            self._free.release()

    def belongs_to_this_work(self) -> None:
        """Let :func:`rest` give this place back, here and in all that is started from here."""
        _held.set(self)


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
    if slot is None:
        await asyncio.sleep(seconds)
        return
    slot.give_back()
    slot.resting = True
    try:
        await asyncio.sleep(seconds)
    finally:
        slot.resting = False
    await slot.take()
