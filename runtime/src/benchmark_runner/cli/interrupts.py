"""Ctrl-C and SIGTERM: stop in order at the first, at once at the second."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

ResultT = TypeVar("ResultT")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds that tasks left behind get to react to a second cancellation.
_LEAVE_GRACE = 1.0
_AUTHOR_THREAD = "author"
_FEWEST_THREADS = 32


class Interrupted(Exception):  # noqa: N818 (a person's wish, not a fault)
    """A signal stopped the work; what was finished is on disk."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number


def run_interruptible(work: Coroutine[None, None, ResultT], *, threads: int) -> ResultT:
    """Run ``work`` in an event loop until it is done or a signal cancels it.

    Args:
        work: What to do.
        threads: How many calls of ``asyncio.to_thread`` an author's code may have at a time
            without one waiting for the other.

    Raises:
        Interrupted: SIGINT or SIGTERM came.
    """
    received: list[int] = []

    async def main() -> ResultT:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def on_signal(number: int) -> None:
            if received:
                os._exit(128 + number)
            received.append(number)
            task.cancel()

        for number in _SIGNALS:
            loop.add_signal_handler(number, on_signal, number)
        return await task

    loop = asyncio.new_event_loop()
    pool = ThreadPoolExecutor(max(threads, _FEWEST_THREADS), thread_name_prefix=_AUTHOR_THREAD)
    loop.set_default_executor(pool)
    try:
        return loop.run_until_complete(main())
    except asyncio.CancelledError:
        if not received:
            raise
        raise Interrupted(received[0]) from None
    finally:
        _leave(loop)
        pool.shutdown(wait=False, cancel_futures=True)


def author_threads_left() -> bool:
    """Whether a thread of an author's ``asyncio.to_thread`` is still busy after the run."""
    deadline = monotonic() + _LEAVE_GRACE
    left = [thread for thread in enumerate_threads() if thread.name.startswith(_AUTHOR_THREAD)]
    for thread in left:
        thread.join(max(0.0, deadline - monotonic()))
    return any(thread.is_alive() for thread in left)


def _leave(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop; unlike ``asyncio.run()``, don't wait for what ignores its cancellation."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_LEAVE_GRACE))
    loop.run_until_complete(loop.shutdown_asyncgens())
    # The engine has given up on what is still there; nobody needs to hear of it again.
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.close()
