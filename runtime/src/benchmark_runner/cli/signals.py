"""Ctrl-C, SIGTERM and SIGHUP: an orderly end at the first, an immediate one at the second.

The system writes the number of each signal into a pipe, whatever the event loop is busy with,
and a thread reads it there: so the process ends even if an agent blocks the loop.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from contextvars import Context
from functools import partial
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, TypeVar

import typer

from benchmark_runner._concurrency.author_threads import AuthorPool, watched_threads
from benchmark_runner._concurrency.child_output import pipes_left_by_children
from benchmark_runner._concurrency.interruption import forget_signal, note_signal
from benchmark_runner._concurrency.kept_process import kept_process
from benchmark_runner._concurrency.run_loop import RunLoop
from benchmark_runner._concurrency.signal_keeper import SignalKeeper
from benchmark_runner._start_state import errors, output
from benchmark_runner.cli.exit_codes import after_signal
from benchmark_runner.cli.process_end import call_within, leave_now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Generator, Iterator
    from types import FrameType

    from benchmark_runner._concurrency.run_loop import OnStray

ResultT = TypeVar("ResultT")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds from the first signal to an orderly end; then those for printing the state of the run:
#: with flushing the output, less than ten in all.
ORDERLY_WITHIN = 7.5
_OVERRUN_WITHIN = 1.5
#: Seconds after which signals are taken back from code that took them.
_KEEP_EVERY = 0.5
_AUTHOR_THREAD = "author"
_FEWEST_THREADS = 32


class Interrupted(Exception):  # noqa: N818 (a person asked for it)
    """A signal stopped the command; what was finished is on disk."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.exit_code = after_signal(signal_number)


@contextmanager
def exit_on_sigterm() -> Generator[None]:
    """Exit by an exception at SIGTERM, so that the terminal is left as it was."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise typer.Exit(after_signal(number))

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Watch:
    """The reader of signals, which ends the process in time after the first one.

    Attributes:
        numbers: The signals that end the command; ``forward`` gets the others.
        received: The ones that came.
    """

    def __init__(self, on_overrun: Callable[[Interrupted], None]) -> None:
        self.numbers: Collection[int] = ()
        self.forward: Callable[[int], None] = lambda _: None
        self.received: list[int] = []
        self._on_overrun = on_overrun
        self._stop: Callable[[], None] = lambda: None
        self._leave_at: float | None = None

    def stops(self, stop: Callable[[], None]) -> None:
        """Call ``stop`` at a first signal, which may have come already."""
        self._stop = stop
        if self.received:
            stop()

    def read_from(self, pipe: int) -> None:
        """Read signals from ``pipe`` until its other end is closed, then close this one.

        After a first signal it stays open; usually the process ends before the time is up.
        """
        readable = select.poll()
        readable.register(pipe, select.POLLIN)
        while readable.poll(self._milliseconds_left()):
            numbers = b""
            with suppress(OSError):  # an author's code has closed it
                numbers = os.read(pipe, 64)
            if not numbers:
                with suppress(OSError):
                    os.close(pipe)
                return
            for number in numbers:
                if number in self.numbers:
                    self._on_signal(number)
                else:
                    self.forward(number)
        self._end_by_force()

    def _milliseconds_left(self) -> float | None:
        if self._leave_at is None:
            return None
        return max(0.0, self._leave_at - time.monotonic()) * 1000

    def _on_signal(self, number: int) -> None:
        if self.received:
            leave_now(after_signal(number))
        note_signal()
        self._leave_at = time.monotonic() + ORDERLY_WITHIN
        self.received.append(number)
        self._stop()

    def _end_by_force(self) -> None:
        number = self.received[0]
        call_within(_OVERRUN_WITHIN, partial(self._on_overrun, Interrupted(number)))
        leave_now(after_signal(number))


def run_interruptible(
    work: Coroutine[None, None, ResultT],
    *,
    threads: int,
    on_overrun: Callable[[Interrupted], None],
    on_stray: OnStray,
) -> ResultT:
    """Run ``work`` in an event loop until it is done or a signal cancels it.

    Where this thread has a running loop already, as in a notebook, it runs in another thread.

    Args:
        work: The coroutine.
        threads: The number of ``asyncio.to_thread`` calls that an author's code can have at a
            time without one waiting for another.
        on_overrun: Prints the state of the run, in another thread, if code that blocks the loop
            or ignores its cancellation keeps the work from ending in time. The process then ends.
        on_stray: Gets the errors that nobody waits for; from any thread.

    Raises:
        Interrupted: SIGINT, SIGTERM or SIGHUP came.
    """
    watch, forget = _Watch(on_overrun), has_running_loop()
    forget_signal()
    with (
        pipes_left_by_children(_output_descriptors()),
        watched_threads(on_stray),
        kept_process(),
        _watched(watch, on_stray, forget=forget) as keep,
    ):
        try:
            if forget:
                return _in_another_thread(partial(_complete, work, threads, watch, on_stray), keep)
            return _complete(work, threads, watch, on_stray, keep)
        except asyncio.CancelledError:
            if not watch.received:
                raise
            raise Interrupted(watch.received[0]) from None


def _complete(
    work: Coroutine[None, None, ResultT],
    threads: int,
    watch: _Watch,
    on_stray: OnStray,
    keep: Callable[[], None] = lambda: None,
) -> ResultT:
    """Complete the work in an event loop of its own, calling ``keep`` from time to time."""
    loop = RunLoop(on_stray)
    pool = AuthorPool(max(threads, _FEWEST_THREADS), thread_name_prefix=_AUTHOR_THREAD)
    loop.set_default_executor(pool)
    task = loop.create_task(work)

    def stop() -> None:
        with suppress(RuntimeError):  # the loop is closed: the work has just ended
            loop.call_soon_threadsafe(task.cancel, context=Context())

    def keep_on() -> None:
        keep()
        loop.call_later(_KEEP_EVERY, keep_on)

    keep_on()
    watch.stops(stop)
    try:
        return loop.run_until_complete(task)
    finally:
        loop.end()
        pool.shutdown(wait=False, cancel_futures=True)


def _in_another_thread(function: Callable[[], ResultT], keep: Callable[[], None]) -> ResultT:
    done: Future[ResultT] = Future()

    def work() -> None:
        try:
            done.set_result(function())
        except BaseException as error:  # noqa: BLE001 (raised in the calling thread)
            done.set_exception(error)

    Thread(target=work, name="run", daemon=True).start()
    while not wait([done], _KEEP_EVERY).done:
        keep()
    return done.result()


def _output_descriptors() -> Iterator[int]:
    yield from (1, 2)
    for stream in (output(), errors()):
        with suppress(OSError, ValueError):  # it may be in memory
            yield stream.fileno()


def has_running_loop() -> bool:
    """Return True if this thread has a running event loop, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _watched(watch: _Watch, on_stray: OnStray, *, forget: bool) -> Generator[Callable[[], None]]:
    """Send signals to ``watch``; after a first one, until the process ends or it may forget them.

    Yields the function that takes the signals back from code which took them.
    """
    if current_thread() is not main_thread():  # no other one gets signals
        yield lambda: None
        return
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    # Signals that were ignored from the start stay so, as with nohup.
    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    numbers = [number for number in _SIGNALS if not (ignored and number == signal.SIGHUP)]
    keeper = SignalKeeper(numbers, write_end, on_stray)
    watch.numbers, watch.forward = numbers, keeper.forward
    Thread(target=watch.read_from, args=(read_end,), name="signals", daemon=True).start()
    keeper.install()
    try:
        yield keeper.keep
    finally:
        if forget or not watch.received:
            keeper.restore()
            with suppress(OSError):  # an author's code has closed it
                os.close(write_end)
