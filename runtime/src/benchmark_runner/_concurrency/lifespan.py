"""Two calls of an author's methods, before all others and after them, in one asyncio task.

Some of what the first opens only its own task may close, such as a task group of anyio: clients
of MCP servers have one.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from benchmark_runner._concurrency import deadline
from benchmark_runner._concurrency.author_calls import call_either
from benchmark_runner._concurrency.author_scope import AuthorCall
from benchmark_runner._concurrency.stacks import Wait, wait_of

#: Seconds that the second call gets once a signal has come, and then to clean up: an agent that
#: ignores its cancellation may have taken most of the time until the process ends.
_HURRY = 1.5
_HURRY_GRACE = 0.5


class Lifespan:
    """The time between the calls of ``start`` and ``stop``, coroutine functions or plain ones.

    ``stop`` is called only if ``start`` has returned; before :meth:`stop` is called, only if what
    ``start`` opened cancels its own task.
    """

    def __init__(self, start: Callable[[], object], stop: Callable[[], object]) -> None:
        self._start, self._stop = start, stop
        self._author = AuthorCall("start()")
        self._asked = asyncio.Event()
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def start(self, seconds: float | None) -> None:
        """Call ``start``, for at most so many seconds; ``None`` or 0 or less means no limit.

        Raises:
            DeadlineExceeded: it was cancelled, or abandoned in its thread.
            Exception: that of ``start``.
        """
        self._task = task = self._author.start(self._live())
        limit = seconds if seconds is not None and seconds > 0 else None
        try:
            wait = await self._wait_of_start(task, limit)
        except asyncio.CancelledError:
            if not self._started.done():
                await self._cancel_start(task)
            raise
        self._author.fail_by_exits()
        failure = self._author.failure
        self._author.end()
        if failure is not None:
            raise failure
        if wait is not None:
            raise deadline.DeadlineExceeded(wait)
        if not self._started.done():
            _raise_error_of(task)

    async def stop(self, seconds: float) -> None:
        """Call ``stop``, for at most so many seconds, or fewer once a signal has come.

        Raises:
            DeadlineExceeded: it was cancelled, or abandoned in its thread.
            Exception: that of ``stop``.
        """
        self._asked.set()  # also for a start that was abandoned, and returns later
        task = self._task
        if task is None or not self._started.done():
            return
        try:
            if deadline.is_cancelled():
                await self._end(task, _HURRY, _HURRY_GRACE)
            else:
                await self._end(task, seconds, deadline.CANCEL_GRACE)
        except asyncio.CancelledError:
            with suppress(Exception):
                await self._end(task, _HURRY, _HURRY_GRACE)
            raise
        if task.cancelled() or task.exception() is not None:
            _raise_error_of(task)

    async def _live(self) -> None:
        await call_either(self._start, self._start, "start()")
        self._started.set_result(None)
        # Cancelled by what start() opened, which has failed, and can be closed only here.
        with suppress(asyncio.CancelledError):
            await self._asked.wait()
        await call_either(self._stop, self._stop, "stop()")

    async def _wait_of_start(self, task: asyncio.Task[None], limit: float | None) -> Wait | None:
        """Wait until ``start`` has ended; return its wait if it was stopped at the limit."""
        ends = {task, self._started}
        await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if any(end.done() for end in ends):
            return None
        wait = wait_of(task, self._author.tasks())
        await self._cancel_start(task)
        return wait

    async def _cancel_start(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        ends = {task, self._started}
        await asyncio.wait(ends, timeout=deadline.CANCEL_GRACE, return_when=asyncio.FIRST_COMPLETED)
        _forget_error_of(task)

    async def _end(self, task: asyncio.Task[None], seconds: float, grace: float) -> None:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return
        wait = wait_of(task, self._author.tasks())
        task.cancel()
        await asyncio.wait({task}, timeout=grace)
        _forget_error_of(task)
        raise deadline.DeadlineExceeded(wait)


def _forget_error_of(task: asyncio.Task[None]) -> None:
    """Take the exception of a call that nobody wants to know, so that asyncio does not log it."""
    if task.done() and not task.cancelled():
        task.exception()


def _raise_error_of(task: asyncio.Task[None]) -> NoReturn:
    if task.cancelled():
        raise RuntimeError("it was cancelled by its own code")
    error = task.exception()
    if isinstance(error, Exception):
        raise error
    # GeneratorExit: raised on, it would end every coroutine between here and the loop.
    raise RuntimeError(f"it raised {type(error).__name__}") from error
