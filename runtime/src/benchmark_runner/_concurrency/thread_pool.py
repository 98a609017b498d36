"""Threads for the framework's own blocking calls: above all those that write.

With hundreds of calls under way, waking the event loop for each one costs more than the call.
So it is woken once for all that have ended meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Several, as what they wait for is flushed at once; no more, as they contend with the loop.
THREADS = 4
#: Seconds that a write under way gets when who waits for it is stopped.
GRACE = 5.0
#: As many callers are told at a time, so that others have their turn in between.
_AT_ONCE = 50


class Threads:
    """Calls functions in threads, at most so many at a time, for futures of an event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="framework")
        self._jobs: deque[Callable[[], None]] = deque()
        self._at_work = 0
        self._lock = Lock()
        self._returns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Returns] = WeakKeyDictionary()

    def call(
        self, future: asyncio.Future[T], function: Callable[..., T], *arguments: object
    ) -> asyncio.Future[T]:
        """Have a thread call ``function(*arguments)``, and return ``future``, which it settles.

        Once the call has begun, a cancellation of ``future`` leaves it to it.
        """
        returns = self._returns.setdefault(future.get_loop(), _Returns())
        with self._lock:
            self._jobs.append(partial(returns.of, future, partial(function, *arguments)))
            if self._at_work == self._most:
                return future
            self._at_work += 1
        self._executor.submit(self._work)
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._at_work -= 1
                    return
                job = self._jobs.popleft()
            job()


class _Finishing(asyncio.Future[T]):
    """Ends when its call does, and only then hears its awaiter of a cancellation."""

    def cancel(self, msg: Any | None = None) -> bool:
        if not self.done():
            self.get_loop().call_later(GRACE, super().cancel, msg)
        return False  # by which the awaiting task knows that it is cancelled later


class _Returns:
    """Gives an event loop what calls have returned."""

    def __init__(self) -> None:
        self._ended: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    def of(self, future: asyncio.Future[T], call: Callable[[], T]) -> None:
        """Make the call, in this thread, and have the loop told of its end."""
        if future.cancelled():
            return
        try:
            self._ended.append((future, call(), None))
        except StopIteration as error:  # which no future can hold
            unfit = RuntimeError("StopIteration was raised")
            unfit.__cause__ = error
            self._ended.append((future, None, unfit))
        except BaseException as error:  # noqa: BLE001 (it is raised where it is awaited)
            self._ended.append((future, None, error))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop = future.get_loop()
                loop.call_soon_threadsafe(self._give, loop)

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(len(self._ended), _AT_ONCE)):
            future, value, error = self._ended.popleft()
            if future.done():  # cancelled
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        # In this order: what has ended in between is seen by one of the two.
        self._woken = False
        if self._ended:
            self._woken = True
            loop.call_soon(self._give, loop)


_THREADS = Threads(THREADS)


def beside_loop(function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
    """Call the framework's own blocking ``function`` in a thread of the framework's own.

    Not in the loop's pool: an author's calls may fill that one for a long time.
    """
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    return _THREADS.call(future, function, *arguments)


def finished_beside_loop(function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
    """The same for what must not be left half-done.

    A cancellation waits until it has ended, though not longer than :data:`GRACE` seconds.
    """
    future: asyncio.Future[T] = _Finishing(loop=asyncio.get_running_loop())
    return _THREADS.call(future, function, *arguments)
