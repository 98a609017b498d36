"""How many requests may be under way: fewer when the service has no capacity, then more again.

That is what a 429 without ``Retry-After`` says. It halves the limit; about one full round of
successes adds one again, so that the limit stays near to what the service can take.
"""

from __future__ import annotations

import asyncio
from collections import deque


class AdaptiveLimit:
    """A limit on what is under way at a time: first come, first served.

    Args:
        most: What it begins with and never exceeds; at least 1.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._allowed = float(most)
        self._under_way = 0
        self._cuts = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """How many may be under way now."""
        return int(self._allowed)

    async def __aenter__(self) -> int:
        """Wait for a free place and hold it; returns what :meth:`cut` asks for."""
        if self._waiting or self._under_way >= self.allowed:
            await self._turn()
        else:
            self._under_way += 1
        return self._cuts

    async def __aexit__(self, *exc_info: object) -> None:
        self._leave()

    def grow(self) -> None:
        """Note a success; to be called while its place is held."""
        self._allowed = min(self._most, self._allowed + 1 / self._allowed)

    def cut(self, began: int) -> None:
        """Halve the limit, once for all that were under way at the same time.

        Args:
            began: What entering returned to the one that the service had no capacity for.
        """
        if began == self._cuts:
            self._cuts += 1
            self._allowed = max(1.0, self._allowed // 2)

    async def _turn(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn had just come
                self._leave()
            raise

    def _leave(self) -> None:
        self._under_way -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._under_way < self.allowed:
            turn = self._waiting.popleft()
            if not turn.done():  # else it was cancelled
                self._under_way += 1
                turn.set_result(None)
