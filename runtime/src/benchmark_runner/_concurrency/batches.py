"""Take work off the event loop: collect what comes, and see to it in a thread now and then."""

from __future__ import annotations

import time
from collections import deque
from threading import Event, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

#: Items that are taken at a time, and the seconds in between in which others have their turn: a
#: thread that goes on for long keeps the event loop waiting for milliseconds.
_AT_ONCE = 500
_TURN = 0.0005


class Batches(Generic[T]):
    """Hands on what it is given, in a thread of its own, a few times a second.

    Args:
        take: Is called with some of what has come, in its order, until there is no more.
        then: Is called after that, also where nothing has come; once at the start, in the thread
            that starts it, and once more at the end. Neither is called while the other is, and
            neither may raise.
        interval: Seconds between two rounds.
        name: The name of the thread.

    Attributes:
        add: Gives it one item; at next to no cost, from any thread.
    """

    def __init__(
        self,
        take: Callable[[Sequence[T]], None],
        then: Callable[[], None],
        interval: float,
        name: str,
    ) -> None:
        self._take = take
        self._then = then
        self._interval = interval
        self._waiting: deque[T] = deque()
        self.add: Callable[[T], None] = self._waiting.append
        self._over = Event()
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin to hand on, with what is there already."""
        self._hand_on()
        self._thread.start()

    def end(self, within: float | None = None) -> None:
        """Have what is left handed on, and return when it is.

        Args:
            within: Seconds after which not to wait any longer: the disk that is written to may
                be gone.
        """
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(within)

    def _work(self) -> None:
        while not self._over.wait(self._interval):
            self._hand_on()
        self._hand_on()

    def _hand_on(self) -> None:
        waiting = self._waiting
        left = len(waiting)
        while left:
            count = min(left, _AT_ONCE)
            self._take([waiting.popleft() for _ in range(count)])
            left -= count
            if left and not self._over.is_set():
                time.sleep(_TURN)
        self._then()
