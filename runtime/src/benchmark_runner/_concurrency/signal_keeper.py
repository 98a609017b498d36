"""The signals that end a command, and that an author's code can't take over.

Python writes the number of each signal into a pipe, whatever the main thread is busy with.
Libraries put their own pipe and handlers in that place, ``loop.add_signal_handler()`` among them:
they are told that they have, and get the signals that the command does not need.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from types import FrameType
from typing import Any

from benchmark_runner._concurrency.author_scope import AuthorCall, current_call
from benchmark_runner._concurrency.interruption import note_signal
from benchmark_runner._concurrency.run_loop import OnStray
from benchmark_runner.errors import traceback_of

#: Timers by their signal.
_TIMERS = {
    signal.SIGALRM: signal.ITIMER_REAL,
    signal.SIGVTALRM: signal.ITIMER_VIRTUAL,
    signal.SIGPROF: signal.ITIMER_PROF,
}
#: Signals that end the process where the code that caused one has no handler.
_UNHANDLED = (*_TIMERS, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
_set_handler = signal.signal
_set_pipe = signal.set_wakeup_fd


class SignalKeeper:
    """Keeps signals while a command runs; to be used in the main thread.

    Args:
        numbers: The signals to keep.
        pipe: The end of a pipe to write to, which does not block.
        on_stray: Gets the errors of an author's handlers after their call.
    """

    def __init__(self, numbers: Iterable[int], pipe: int, on_stray: OnStray) -> None:
        self._numbers = frozenset(numbers)
        self._pipe = pipe
        self._on_stray = on_stray
        self._handlers_before: dict[int, Any] = {}
        self._pretended: dict[int, Any] = {}
        self._pipe_before = self._pretended_pipe = -1

    def install(self) -> None:
        """Take the signals; the pipe first, so that one which comes meanwhile is not lost."""
        self._pipe_before = self._pretended_pipe = self._take_pipe()
        for number in self._numbers:
            self._handlers_before[number] = _set_handler(number, self._notice)
        self._pretended = {**self._handlers_before}
        for number in _UNHANDLED:
            if signal.getsignal(number) == signal.SIG_DFL:
                _set_handler(number, self._report)
        _keepers.append(self)
        signal.signal = self._signal
        signal.set_wakeup_fd = self._set_wakeup_fd

    def keep(self) -> None:
        """Take the signals back from code that knows the functions which were replaced."""
        self._take_pipe()
        for number in self._numbers:
            if signal.getsignal(number) != self._notice:
                _set_handler(number, self._notice)

    def restore(self) -> None:
        """Give back the handlers of before, and the pipe."""
        self._give_up_functions()
        for number, handler in self._handlers_before.items():
            _set_handler(number, handler)
        for number in _UNHANDLED:
            if signal.getsignal(number) == self._report:
                if number in _TIMERS:
                    signal.setitimer(_TIMERS[number], 0)
                _set_handler(number, signal.SIG_DFL)
        _set_pipe(self._pipe_before)

    def forward(self, number: int) -> None:
        """Write a signal that is not kept to the library that wants it; from any thread."""
        if self._pretended_pipe >= 0:
            with suppress(OSError):
                os.write(self._pretended_pipe, bytes([number]))

    def leave_to_parent(self) -> None:
        """Set the usual handlers in a process that an author's code forked."""
        self._give_up_functions()
        for number in (*self._numbers, *_UNHANDLED):
            if signal.getsignal(number) in (self._notice, self._report):
                _set_handler(number, signal.SIG_DFL)
        _set_pipe(-1)
        with suppress(OSError):
            os.close(self._pipe)

    def _give_up_functions(self) -> None:
        _keepers.remove(self)
        signal.signal, signal.set_wakeup_fd = _set_handler, _set_pipe

    def _take_pipe(self) -> int:
        return _set_pipe(self._pipe, warn_on_full_buffer=False)

    def _notice(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal; Python has written its number into the pipe, unless it was replaced."""
        note_signal()
        if self._take_pipe() != self._pipe:
            with suppress(OSError):
                os.write(self._pipe, bytes([number]))

    def _report(self, number: int, _frame: FrameType | None) -> None:
        """Report a signal without a handler."""
        self._on_stray(current_call(), f"{signal.Signals(number).name} came, with no handler set")

    def _signal(self, signalnum: int, handler: Any) -> Any:
        """Stand in for ``signal.signal()``."""
        if signalnum in self._numbers and _is_in_main_thread():
            before, self._pretended[signalnum] = self._pretended[signalnum], handler
            return before
        author = current_call()
        if callable(handler) and author is not None:
            handler = _AuthorHandler(handler, author, self._on_stray)
        return _set_handler(signalnum, handler)

    def _set_wakeup_fd(self, fd: int, *, warn_on_full_buffer: bool = True) -> int:
        """Stand in for ``signal.set_wakeup_fd()``."""
        if not _is_in_main_thread():
            return _set_pipe(fd, warn_on_full_buffer=warn_on_full_buffer)  # which refuses
        before, self._pretended_pipe = self._pretended_pipe, fd
        return before


class _AuthorHandler:
    """An author's handler of a signal, whose errors are those of the call that set it.

    In the call's own code they are raised, as by an alarm that ends a calculation.
    """

    def __init__(
        self,
        handler: Callable[[int, FrameType | None], object],
        author: AuthorCall,
        on_stray: OnStray,
    ) -> None:
        self._handler, self._author, self._on_stray = handler, author, on_stray

    def __call__(self, number: int, frame: FrameType | None) -> None:
        try:
            self._handler(number, frame)
        except BaseException as error:
            if current_call() is self._author:
                raise
            if not self._author.fail(error):
                self._on_stray(self._author, traceback_of(error))


_keepers: list[SignalKeeper] = []


def _leave_to_parent() -> None:
    for keeper in [*_keepers]:
        keeper.leave_to_parent()


os.register_at_fork(after_in_child=_leave_to_parent)


def _is_in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
