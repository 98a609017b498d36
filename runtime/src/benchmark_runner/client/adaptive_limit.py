"""A limit on concurrent requests that follows the capacity of the service.

A 429 without ``Retry-After`` halves it. About one full round of successes adds one again, so
that it stays near to what the service can take.
"""

import asyncio
from collections import deque

__all__ = ["AdaptiveLimit"]


class AdaptiveLimit:
    """A limit on concurrent requests, at first and at most ``most``: first come, first served."""

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._allowed = float(most)
        self._running = 0
        self._cuts = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """The most concurrent requests now."""
        return int(self._allowed)

    async def __aenter__(self) -> int:
        """Wait for a free place, hold it and return the argument for :meth:`cut`."""
        if self._waiting or self._running >= self.allowed:
            await self._wait()
        else:
            self._running += 1
        return self._cuts

    async def __aexit__(self, *exc_info: object) -> None:
        self._leave()

    def grow(self) -> None:
        """Count a success; to be called while its place is held."""
        self._allowed = min(self._most, self._allowed + 1 / self._allowed)

    def cut(self, began: int) -> None:
        """Halve the limit, once for all requests that ran together; entering returned ``began``."""
        if began == self._cuts:
            self._cuts += 1
            self._allowed = max(1.0, self._allowed // 2)

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn has just come
                self._leave()
            raise

    def _leave(self) -> None:
        self._running -= 1
        while self._waiting and self._running < self.allowed:
            turn = self._waiting.popleft()
            if not turn.done():  # else it was cancelled
                self._running += 1
                turn.set_result(None)
