"""Slots that limit the work at a time; work that waits for a retry gives its slot up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

_current: ContextVar[Slot | None] = ContextVar("slot", default=None)


class Slot:
    """A slot that one piece of work holds, and gives up while it waits."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._turn = asyncio.Lock()
        self._is_held = self._is_over = False
        self._waiting = 0
        self._on_resume: Callable[[], object] = lambda: None

    @property
    def is_waiting(self) -> bool:
        """True while the holder waits for a retry."""
        return self._waiting > 0

    async def take(self) -> None:
        """Wait for a free slot and hold it; return at once if the work has ended."""
        async with self._turn:  # several calls of the same work share one slot
            if self._is_held or self._is_over:
                return
            await self._free.acquire()
            self._is_held = True
            if self._is_over:
                self._release()

    def end(self) -> None:
        """Release the slot for good: the work has ended, though calls of it may still run."""
        self._is_over = True
        self._release()

    async def sleep(self, seconds: float) -> None:
        """Sleep without holding the slot."""
        self._waiting += 1
        self._release()
        try:
            await asyncio.sleep(seconds)
            await self.take()
            self._on_resume()
        finally:
            self._waiting -= 1

    def make_current(self, on_resume: Callable[[], object] = lambda: None) -> None:
        """Make this the slot that :func:`sleep_without_slot` gives up, here and in child tasks.

        ``on_resume`` is called when the slot is held again after a sleep.
        """
        self._on_resume = on_resume
        _current.set(self)

    def _release(self) -> None:
        if self._is_held:
            self._is_held = False
            self._free.release()


class Slots(asyncio.Semaphore):
    """A number of slots."""

    async def take(self) -> Slot:
        """Wait for a free slot and hold it."""
        slot = Slot(self)
        await slot.take()
        return slot


async def sleep_without_slot(seconds: float) -> None:
    """Sleep without holding the slot of the current work, if it has one."""
    slot = _current.get()
    await (asyncio.sleep(seconds) if slot is None else slot.sleep(seconds))
