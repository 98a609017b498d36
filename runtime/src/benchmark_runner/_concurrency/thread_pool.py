"""A thread pool for the framework's own blocking calls, mostly writes.

Waking the event loop for each of hundreds of calls costs more than the calls: it is woken once
for all that have ended meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context
from functools import partial
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

#: Several, so that flushes overlap; no more, as threads contend with the event loop.
THREADS = 4
#: Seconds that a write gets to finish when its caller is cancelled.
GRACE = 5.0
#: Results delivered at a time, so that the loop runs other tasks in between.
_AT_ONCE = 50


class ThreadPool:
    """A pool of threads whose calls settle futures of an event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="framework")
        self._jobs: deque[Callable[[], None]] = deque()
        self._at_work = 0
        self._lock = Lock()
        self._results: WeakKeyDictionary[asyncio.AbstractEventLoop, _Results] = WeakKeyDictionary()

    def call(
        self, future: asyncio.Future[T], function: Callable[..., T], *arguments: object
    ) -> asyncio.Future[T]:
        """Call ``function(*arguments)`` in a thread, and return ``future``, which gets the result.

        A call that has begun is not stopped by a cancellation of ``future``.
        """
        results = self._results.setdefault(future.get_loop(), _Results())
        with self._lock:
            self._jobs.append(partial(results.settle, future, partial(function, *arguments)))
            if self._at_work == self._most:
                return future
            self._at_work += 1
        # A thread that starts here must not belong to the author's call that waits for it.
        Context().run(self._executor.submit, self._work)
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._at_work -= 1
                    return
                job = self._jobs.popleft()
            job()


class _LateCancelFuture(asyncio.Future[T]):
    """A future that delays a cancellation until its call has ended."""

    def cancel(self, msg: Any | None = None) -> bool:
        if not self.done():
            self.get_loop().call_later(GRACE, super().cancel, msg)
        return False  # tells the awaiting task that it is not cancelled yet


class _Results:
    """The results of calls, on their way to the event loop."""

    def __init__(self) -> None:
        self._ended: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    def settle(self, future: asyncio.Future[T], call: Callable[[], T]) -> None:
        """Make the call in this thread, and wake the loop for its result."""
        if future.cancelled():
            return
        try:
            self._ended.append((future, call(), None))
        except StopIteration as error:  # which no future can hold
            unfit = RuntimeError("StopIteration was raised")
            unfit.__cause__ = error
            self._ended.append((future, None, unfit))
        except BaseException as error:  # noqa: BLE001 (raised in the awaiting task)
            self._ended.append((future, None, error))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop = future.get_loop()
                loop.call_soon_threadsafe(self._deliver, loop)

    def _deliver(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(len(self._ended), _AT_ONCE)):
            future, value, error = self._ended.popleft()
            if future.done():  # cancelled
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        # In this order, so that a result that comes in between is not missed.
        self._woken = False
        if self._ended:
            self._woken = True
            loop.call_soon(self._deliver, loop)


_POOL = ThreadPool(THREADS)


def run_in_thread(function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
    """Call a blocking function of the framework in its own thread pool.

    An author's calls may fill the event loop's pool for a long time.
    """
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    return _POOL.call(future, function, *arguments)


def finish_in_thread(function: Callable[..., T], *arguments: object) -> asyncio.Future[T]:
    """Do as :func:`run_in_thread` for a call that must not be abandoned half-done.

    A cancellation waits until the call has ended, at most :data:`GRACE` seconds.
    """
    future: asyncio.Future[T] = _LateCancelFuture(loop=asyncio.get_running_loop())
    return _POOL.call(future, function, *arguments)
