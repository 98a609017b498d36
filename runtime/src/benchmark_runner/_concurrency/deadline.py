"""Calls of an author's methods under a time limit of the framework."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from benchmark_runner._concurrency.author_calls import call_either
from benchmark_runner._concurrency.stacks import Wait, wait_of

ResultT = TypeVar("ResultT")

#: Seconds that a cancelled call gets to clean up before it is abandoned.
CANCEL_GRACE = 5.0


class DeadlineExceeded(Exception):  # noqa: N818 (an outcome, not an error)
    """The framework's time limit was reached; never raised for the author's own time-outs."""

    def __init__(self, wait: Wait) -> None:
        super().__init__(wait.place)
        self.wait = wait


class CancelledWithResult(Exception):  # noqa: N818 (an outcome, not an error)
    """The call returned although its caller was cancelled; the result is kept."""

    def __init__(self, result: object) -> None:
        super().__init__("returned although it was cancelled")
        self.result = result


async def call_within(
    function: Callable[..., object],
    call: Callable[[], Awaitable[ResultT] | ResultT],
    seconds: float | None,
    not_counted: Callable[[], float] = lambda: 0.0,
    tasks: Callable[[], Iterable[asyncio.Task[Any]]] = tuple,
) -> ResultT:
    """Call an author's method, in a thread if it is not a coroutine function.

    Args:
        function: The method; a ``TimeoutError`` of its own passes through unchanged.
        call: Calls it with its arguments.
        seconds: The time limit; ``None`` or 0 or less means none.
        not_counted: Returns the seconds for which other tasks have blocked the event loop so
            far; those during the call do not count.
        tasks: Returns the asyncio tasks that the call has started.

    Raises:
        DeadlineExceeded: the call was cancelled, or abandoned in its thread.
        CancelledWithResult: the caller was cancelled just when the call returned.
    """
    name = f"{getattr(function, '__name__', type(function).__name__)}()"
    running = asyncio.ensure_future(call_either(function, call, name))
    limit = seconds if seconds is not None and seconds > 0 else None
    try:
        done = await _done_within(running, limit, not_counted)
    except asyncio.CancelledError:
        await _cancel(running)
        if running.done() and not running.cancelled() and running.exception() is None:
            raise CancelledWithResult(running.result()) from None
        raise
    if not done:
        wait = wait_of(running, tasks())
        await _cancel(running)
        raise DeadlineExceeded(wait)
    if not running.cancelled() and isinstance(running.exception(), GeneratorExit):
        # Raised on, it would end every coroutine between here and the loop.
        raise RuntimeError(f"{name} raised GeneratorExit")
    return running.result()


def is_cancelled() -> bool:
    """Return True if the current asyncio task has been asked to cancel."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


async def _done_within(
    running: asyncio.Future[ResultT], limit: float | None, not_counted: Callable[[], float]
) -> bool:
    lost_before = not_counted()
    while True:
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
    if running.done() and not running.cancelled():
        running.exception()  # retrieved, so that asyncio does not log it
