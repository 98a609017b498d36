"""Items collected on the event loop and processed in a thread, in batches."""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

#: Items in a batch, and seconds between two batches, in which other threads run: a thread that
#: does not pause delays the event loop by milliseconds.
_AT_ONCE = 500
_TURN = 0.0005


class Batches(Generic[T]):
    """A queue whose items are processed in its own thread, each ``interval`` seconds.

    Args:
        take: Called with the next items, in order, until none is left. It must not raise.
        then: Called after that, even without items; the first time by :meth:`start`, in the
            calling thread. It must not raise, and never runs at the same time as ``take``.
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
        """Process the items so far, and start the thread."""
        self._process()
        self._thread.start()

    def end(self, within: float | None = None) -> None:
        """Process the remaining items, and wait for that: at most ``within`` seconds."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(within)

    def _work(self) -> None:
        while not self._over.wait(self._interval):
            self._process()
        self._process()

    def _process(self) -> None:
        waiting = self._waiting
        left = len(waiting)
        while left:
            count = min(left, _AT_ONCE)
            self._take([waiting.popleft() for _ in range(count)])
            left -= count
            if left:
                self._over.wait(_TURN)
        self._then()
