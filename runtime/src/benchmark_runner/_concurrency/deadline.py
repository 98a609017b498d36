"""Calls of an author's methods under a time limit of the framework."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

from benchmark_runner._concurrency.author_calls import call_either
from benchmark_runner._concurrency.author_scope import AuthorCall, Owner
from benchmark_runner._concurrency.stacks import Wait, wait_of

ResultT = TypeVar("ResultT")

#: Seconds that a cancelled call gets to clean up before it is abandoned.
CANCEL_GRACE = 5.0


class DeadlineExceeded(Exception):  # noqa: N818 (an outcome, not an error)
    """The framework's time limit was reached; never raised for the author's own time-outs."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait.place)
        self.wait = wait


class CancelledWithResult(asyncio.CancelledError):
    """The call returned although its caller was cancelled.

    For a caller without a use for the result, it is a cancellation as any other.
    ``is_late`` is True if a signal had come before: the result may be that of a child process
    which died of the same signal.
    """

    def __init__(self, result: object, *, is_late: bool = False) -> None:
        super().__init__("returned although it was cancelled")
        self.result = result
        self.is_late = is_late


async def call_within(
    function: Callable[..., object],
    call: Callable[[], Awaitable[ResultT] | ResultT],
    seconds: float | None,
    not_counted: Callable[[], float] = lambda: 0.0,
    *,
    owner: Owner | None = None,
    log_dir: Callable[[], Path] | None = None,
) -> ResultT:
    """Call an author's method in a scope of its own; in a thread if it is not a coroutine function.

    Args:
        function: The method; a ``TimeoutError`` of its own passes through unchanged.
        call: Calls it with its arguments.
        seconds: The time limit; ``None`` or 0 or less means none.
        not_counted: Returns the seconds for which other tasks have blocked the event loop so
            far; those during the call do not count.
        owner: The repeat of a task that the call is for, if any.
        log_dir: Returns its folder of logs.

    Raises:
        DeadlineExceeded: the call was cancelled, or abandoned in its thread.
        CancelledWithResult: the call returned when the caller was cancelled, or a signal had come.
    """
    name = f"{getattr(function, '__name__', type(function).__name__)}()"
    author = AuthorCall(name, owner, log_dir)
    running = author.start(call_either(function, call, name))
    try:
        return await _outcome(author, running, seconds, not_counted)
    finally:
        author.end()


async def _outcome(
    author: AuthorCall,
    running: asyncio.Task[ResultT],
    seconds: float | None,
    not_counted: Callable[[], float],
) -> ResultT:
    limit = seconds if seconds is not None and seconds > 0 else None
    try:
        done = await _done_within(author, running, limit, not_counted)
    except asyncio.CancelledError:
        await _cancel(running)
        if running.done() and not running.cancelled() and running.exception() is None:
            raise CancelledWithResult(running.result(), is_late=author.is_late) from None
        raise
    wait = None if done else wait_of(running, author.tasks())
    if wait is not None:
        await _cancel(running)
    author.fail_by_exits()
    if author.failure is not None:
        _retrieve(running)
        raise author.failure
    if wait is not None:
        raise DeadlineExceeded(wait)
    if not running.cancelled() and isinstance(running.exception(), GeneratorExit):
        # Raised on, it would end every coroutine between here and the loop.
        raise RuntimeError(f"{author.name} raised GeneratorExit")
    result = running.result()
    if author.is_late:
        raise CancelledWithResult(result, is_late=True)
    return result


def is_cancelled() -> bool:
    """Return True if the current asyncio task has been asked to cancel."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


async def _done_within(
    author: AuthorCall,
    running: asyncio.Future[ResultT],
    limit: float | None,
    not_counted: Callable[[], float],
) -> bool:
    lost_before = not_counted()
    while True:
        author.deadline = math.inf if limit is None else monotonic() + limit
        done = await _ended_within(running, limit)
        lost = not_counted()
        if done or lost <= lost_before:
            return done
        limit, lost_before = lost - lost_before, lost


async def _ended_within(running: asyncio.Future[ResultT], seconds: float | None) -> bool:
    """Do as ``asyncio.wait()`` for one future, which is much slower."""
    loop = running.get_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def wake(_: object = None) -> None:
        if not woken.done():
            woken.set_result(None)

    timer = None if seconds is None else loop.call_later(seconds, wake)
    running.add_done_callback(wake)
    try:
        await woken
    finally:
        running.remove_done_callback(wake)
        if timer is not None:
            timer.cancel()
    return running.done()


async def _cancel(running: asyncio.Future[ResultT]) -> None:
    running.cancel()
    await asyncio.wait({running}, timeout=CANCEL_GRACE)
    _retrieve(running)


def _retrieve(running: asyncio.Future[ResultT]) -> None:
    """Take the exception of a call that nobody wants to know, so that asyncio does not log it."""
    if running.done() and not running.cancelled():
        running.exception()
