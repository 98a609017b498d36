"""Ctrl-C and SIGTERM: an orderly end at the first, an immediate one at the second.

The system writes the number of each signal into a pipe, whatever the event loop is busy with,
and a thread reads it there: so the process ends even if an agent blocks the loop.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import TYPE_CHECKING, TypeVar

from benchmark_runner.cli.exit_codes import after_signal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import FrameType

ResultT = TypeVar("ResultT")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Seconds from the first signal to an orderly end; then those for printing the state of the run,
#: and those for flushing the output: less than ten in all.
ORDERLY_WITHIN = 7.5
_OVERRUN_WITHIN = 1.5
_FLUSH_WITHIN = 0.3
#: Seconds that tasks left behind get to react to a second cancellation.
_LEAVE_GRACE = 1.0
_AUTHOR_THREAD = "author"
_FEWEST_THREADS = 32
_SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(Exception):  # noqa: N818 (a person asked for it)
    """A signal stopped the command; what was finished is on disk."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = after_signal(signal_number)


@dataclass(slots=True)
class _Watch:
    """The reader of signals, which ends the process in time after the first one."""

    on_overrun: Callable[[Interrupted], None]
    stop: Callable[[], None]
    received: list[int] = field(default_factory=list[int])
    _leave_at: float | None = None

    def read_from(self, pipe: int) -> None:
        """Read signals from ``pipe`` until its other end is closed, then close this one.

        After a first signal it stays open; usually the process ends before the time is up.
        """
        readable = select.poll()
        readable.register(pipe, select.POLLIN)
        while readable.poll(self._milliseconds_left()):
            numbers = os.read(pipe, 64)
            if not numbers:
                os.close(pipe)
                return
            for number in numbers:
                if number in _SIGNALS:
                    self._on_signal(number)
        self._end_by_force()

    def _milliseconds_left(self) -> float | None:
        if self._leave_at is None:
            return None
        return max(0.0, self._leave_at - time.monotonic()) * 1000

    def _on_signal(self, number: int) -> None:
        if self.received:
            _leave_now(after_signal(number))
        self._leave_at = time.monotonic() + ORDERLY_WITHIN
        self.received.append(number)
        self.stop()

    def _end_by_force(self) -> None:
        number = self.received[0]
        _call_within(_OVERRUN_WITHIN, partial(self.on_overrun, Interrupted(number)))
        _leave_now(after_signal(number))


def run_interruptible(
    work: Coroutine[None, None, ResultT], *, threads: int, on_overrun: Callable[[Interrupted], None]
) -> ResultT:
    """Run ``work`` in an event loop until it is done or a signal cancels it.

    Args:
        work: The coroutine.
        threads: The number of ``asyncio.to_thread`` calls that an author's code can have at a
            time without one waiting for another.
        on_overrun: Prints the state of the run, in another thread, if code that blocks the loop
            or ignores its cancellation keeps the work from ending in time. The process then ends.

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

    watch = _Watch(on_overrun, stop)
    with _watched(watch):
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if not watch.received:
                raise
            raise Interrupted(watch.received[0]) from None
        finally:
            _close(loop)
            pool.shutdown(wait=False, cancel_futures=True)


def author_threads_left() -> bool:
    """Return True if a thread of an author's ``asyncio.to_thread`` is busy after the run."""
    deadline = time.monotonic() + _LEAVE_GRACE
    left = [thread for thread in enumerate_threads() if thread.name.startswith(_AUTHOR_THREAD)]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    return any(thread.is_alive() for thread in left)


def _leave_now(code: int) -> None:
    """End the process without waiting for anything; what is on disk is whole."""
    _call_within(_FLUSH_WITHIN, _flush)
    os._exit(code)


def _flush() -> None:
    with suppress(OSError, ValueError):
        sys.stderr.flush()
        if sys.stderr.isatty():
            os.write(2, _SHOW_CURSOR)  # a live display hides it
    with suppress(OSError, ValueError):
        sys.stdout.flush()


def _call_within(seconds: float, function: Callable[[], None]) -> None:
    """Call ``function``, and wait no longer: a pipe that nobody reads blocks for ever."""
    thread = Thread(target=function, daemon=True)
    with suppress(RuntimeError):  # the system has no more threads
        thread.start()
        thread.join(seconds)


@contextmanager
def _watched(watch: _Watch) -> Generator[None]:
    """Send signals to ``watch``; after a first one, until the process ends."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    Thread(target=watch.read_from, args=(read_end,), name="signals", daemon=True).start()
    # The pipe first, and away last: a signal in between is not lost.
    descriptor_before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    before = {number: signal.signal(number, _handled_by_pipe) for number in _SIGNALS}
    try:
        yield
    finally:
        if not watch.received:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(descriptor_before)
            os.close(write_end)


def _handled_by_pipe(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: Python writes a number into the pipe only if the signal has a handler."""


def _reset_in_child() -> None:
    """Restore the handlers in a process that an agent forks, so that signals end it alone."""
    for number in _SIGNALS:
        if signal.getsignal(number) is _handled_by_pipe:
            signal.set_wakeup_fd(-1)
            signal.signal(number, signal.SIG_DFL)


os.register_at_fork(after_in_child=_reset_in_child)


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Close the loop; unlike ``asyncio.run()``, don't wait for what ignores its cancellation."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=_LEAVE_GRACE))
    closing = loop.create_task(loop.shutdown_asyncgens())
    loop.run_until_complete(asyncio.wait({closing}, timeout=_LEAVE_GRACE))
    # What is still there has been reported; asyncio need not do so again.
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.close()
