"""Ctrl-C and SIGTERM: stop in order at the first, at once at the second, and never hang.

The system writes the number of each signal into a pipe, whatever the event loop is busy with;
a thread reads it there.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import FrameType

ResultT = TypeVar("ResultT")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds after the first signal in which an orderly end must be reached, and those that
#: saying how things stand may then take. Together they are less than ten.
ORDERLY_WITHIN = 7.5
_LAST_WORDS_WITHIN = 1.5
#: Seconds that tasks left behind get to react to a second cancellation.
_LEAVE_GRACE = 1.0
_AUTHOR_THREAD = "author"
_FEWEST_THREADS = 32
_SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(Exception):  # noqa: N818 (a person's wish, not a fault)
    """A signal stopped the work; what was finished is on disk."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = 128 + signal_number


@dataclass(slots=True)
class _Watch:
    """Reads signals, and sees to it that the first one ends the process in time.

    Attributes:
        last_words: Says how things stand where the work does not end by itself.
        stop: Asks the work to end.
        received: The first signal.
    """

    last_words: Callable[[Interrupted], None]
    stop: Callable[[], None] | None = None
    received: list[int] = field(default_factory=list[int])

    def read_from(self, pipe: int) -> None:
        """Take signals from ``pipe`` until its other end is closed, then close this one."""
        while numbers := os.read(pipe, 64):
            for number in numbers:
                if number in _SIGNALS:
                    self._on_signal(number)
        os.close(pipe)

    def _on_signal(self, number: int) -> None:
        if self.received:
            leave_now(128 + number)
        self.received.append(number)
        if self.stop is not None:
            self.stop()
        Thread(target=self._end_in_time, args=(number,), daemon=True).start()

    def _end_in_time(self, number: int) -> None:
        time.sleep(ORDERLY_WITHIN)  # the process usually ends meanwhile, and this thread with it
        speaker = Thread(target=self.last_words, args=(Interrupted(number),), daemon=True)
        speaker.start()
        speaker.join(_LAST_WORDS_WITHIN)
        leave_now(128 + number)


def run_interruptible(
    work: Coroutine[None, None, ResultT],
    *,
    threads: int,
    last_words: Callable[[Interrupted], None],
) -> ResultT:
    """Run ``work`` in an event loop until it is done or a signal cancels it.

    Args:
        work: What to do.
        threads: How many calls of ``asyncio.to_thread`` an author's code may have at a time
            without one waiting for the other.
        last_words: Says how things stand, in another thread, where code that blocks the loop or
            ignores its cancellation keeps the work from ending in time. The process then ends.

    Raises:
        Interrupted: SIGINT or SIGTERM came.
    """
    loop = asyncio.new_event_loop()
    pool = ThreadPoolExecutor(max(threads, _FEWEST_THREADS), thread_name_prefix=_AUTHOR_THREAD)
    loop.set_default_executor(pool)
    task = loop.create_task(work)

    def stop() -> None:
        with suppress(RuntimeError):  # the loop is closed: the work has just ended
            loop.call_soon_threadsafe(task.cancel)

    with _watched(_Watch(last_words, stop)) as watch:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if not watch.received:
                raise
            raise Interrupted(watch.received[0]) from None
        finally:
            _leave(loop)
            pool.shutdown(wait=False, cancel_futures=True)


def author_threads_left() -> bool:
    """Whether a thread of an author's ``asyncio.to_thread`` is still busy after the run."""
    deadline = time.monotonic() + _LEAVE_GRACE
    left = [thread for thread in enumerate_threads() if thread.name.startswith(_AUTHOR_THREAD)]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    return any(thread.is_alive() for thread in left)


def leave_now(code: int) -> None:
    """End the process without waiting for anything; what is on disk is whole."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        if sys.stderr.isatty():
            os.write(2, _SHOW_CURSOR)  # a live display hides it
    os._exit(code)


@contextmanager
def _watched(watch: _Watch) -> Generator[_Watch]:
    """Have ``watch`` told of signals; after a first one it stays, until the process ends."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    before = {number: signal.signal(number, _noted_by_the_pipe) for number in _SIGNALS}
    descriptor_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    Thread(target=watch.read_from, args=(read_end,), name="signals", daemon=True).start()
    try:
        yield watch
    finally:
        if not watch.received:
            signal.set_wakeup_fd(descriptor_before)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(write_end)


def _noted_by_the_pipe(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number into the pipe only for signals that have a handler."""


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
