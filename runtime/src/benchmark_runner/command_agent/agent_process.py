"""The process of a command, which a thread looks after from its start to the end of its group."""

from __future__ import annotations

import math
import os
import selectors
import signal
import threading
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.process_group import ProcessGroup
from benchmark_runner.command_agent.output_log import OutputLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["AgentProcess"]

_PIECE = 256 * 1024
#: More than a pipe holds, for what is read after the end.
_LAST_PIECES = 16
_WAKE = "wake"
#: Seconds between two looks at what no descriptor tells.
_LOOK_EVERY = 0.05
#: Seconds for processes that the program has left running: to end, then from SIGTERM to SIGKILL.
_LEFT_WITHIN = 0.2
_LEFT_GRACE = 1.0
#: Seconds for the system to end what was killed: a process may wait for a dead disk.
_KILLED_WITHIN = 5.0


class AgentProcess:
    """A program with the processes that it starts; their output goes to ``logs``.

    Attributes:
        error: The error of starting it, if there was one.
        exit_code: Its exit code, negative for a signal; ``None`` if nobody knows it.
        left: True if it ended while processes that it had started still ran.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        logs: Sequence[OutputLog],
    ) -> None:
        self._command, self._folder, self._environment = command, folder, environment
        self._logs = logs
        self._lock = threading.Lock()
        self._kill_at: float | None = None
        self._wake: int | None = None
        self.error: OSError | ValueError | None = None
        self.exit_code: int | None = None
        self.left = False

    def start(self, on_end: Callable[[], None]) -> None:
        """Start it in a thread, which calls ``on_end`` when all of it has ended."""
        look_after = partial(self._look_after, on_end)
        threading.Thread(target=look_after, name="command agent", daemon=True).start()

    def stop(self, grace: float) -> None:
        """End the whole group: SIGTERM now, SIGKILL after ``grace`` seconds.

        A second call makes the time shorter, not longer.
        """
        with self._lock:
            kill_at = monotonic() + grace
            self._kill_at = kill_at if self._kill_at is None else min(kill_at, self._kill_at)
            if self._wake is not None:
                os.write(self._wake, b".")

    @property
    def _is_stopped(self) -> bool:
        """True if what has left the session is to end, too; one that ends itself may leave some."""
        return self._kill_at is not None

    def _look_after(self, on_end: Callable[[], None]) -> None:
        try:
            group = ProcessGroup(self._command, folder=self._folder, environment=self._environment)
        except (OSError, ValueError) as error:  # such as half a surrogate pair in an argument
            self.error = error
        else:
            try:
                self._watch(group)
            finally:
                group.signal(signal.SIGKILL, everywhere=self._is_stopped)
                has_ended = group.exit.has_ended()
                group.close()
            if has_ended:
                self.exit_code = group.reap()
            else:
                threading.Thread(target=group.reap, daemon=True).start()
        finally:
            for log in self._logs:
                log.finish()
            on_end()

    def _watch(self, group: ProcessGroup) -> None:
        woken, wake = os.pipe()
        with self._lock:
            self._wake = wake
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(woken, selectors.EVENT_READ, _WAKE)
                if group.exit.descriptor is not None:
                    selector.register(group.exit.descriptor, selectors.EVENT_READ)
                for pipe, log in zip(group.outputs, self._logs, strict=True):
                    os.set_blocking(pipe.fileno(), False)
                    selector.register(pipe, selectors.EVENT_READ, log)
                self._until_end(group, selector)
        finally:
            with self._lock:
                self._wake = None
            os.close(woken)
            os.close(wake)

    def _until_end(self, group: ProcessGroup, selector: selectors.BaseSelector) -> None:
        """Pass on the output until nothing of the group runs, ending it when it is time."""
        ending = _Ending()
        has_ended = False
        while True:
            now = monotonic()
            if not has_ended and group.exit.has_ended():
                has_ended = True
                _forget(selector, group.exit.descriptor)
                ending.plan(now + _LEFT_WITHIN, now + _LEFT_WITHIN + _LEFT_GRACE)
            if has_ended and not group.is_running(everywhere=self._is_stopped):
                break
            if self._kill_at is not None:
                ending.plan(now, self._kill_at)
            for number in ending.due(now):
                group.signal(number, everywhere=self._is_stopped)
                self.left = self.left or has_ended
            if now >= ending.give_up_at:
                break
            looks = has_ended or group.exit.descriptor is None
            self._pass_on(selector, ending.pause(now, _LOOK_EVERY if looks else math.inf))
        for _ in range(_LAST_PIECES):  # others may have the pipes open for ever
            if not self._pass_on(selector, 0):
                break

    @staticmethod
    def _pass_on(selector: selectors.BaseSelector, seconds: float | None) -> bool:
        """Write what is in the pipes into the logs; return False if there was nothing."""
        found = False
        for key, _ in selector.select(seconds):
            if not isinstance(key.data, OutputLog):
                if key.data == _WAKE:
                    os.read(key.fd, _PIECE)
                continue
            found = True
            if data := os.read(key.fd, _PIECE):
                key.data.write(data)
            else:
                selector.unregister(key.fileobj)
        return found


class _Ending:
    """The moments at which a group gets signals."""

    def __init__(self) -> None:
        self._term_at = self._kill_at = self.give_up_at = math.inf
        self._is_asked = False

    def plan(self, term_at: float, kill_at: float) -> None:
        """Make them earlier, not later."""
        self._term_at = min(self._term_at, term_at)
        self._kill_at = min(self._kill_at, kill_at)
        self.give_up_at = min(self.give_up_at, self._kill_at + _KILLED_WITHIN)

    def due(self, now: float) -> Iterator[int]:
        """Yield the signals for which it is time; the last one again and again."""
        if now >= self._term_at and not self._is_asked:
            self._is_asked = True
            yield signal.SIGTERM
        if now >= self._kill_at:
            yield signal.SIGKILL

    def pause(self, now: float, most: float) -> float | None:
        """Return the seconds until something is to do, at most ``most``; ``None`` if never."""
        if now >= self._kill_at:
            return min(most, _LOOK_EVERY)
        at = self._kill_at if self._is_asked else self._term_at
        pause = min(most, max(0.0, at - now))
        return None if math.isinf(pause) else pause


def _forget(selector: selectors.BaseSelector, descriptor: int | None) -> None:
    if descriptor is not None:
        selector.unregister(descriptor)
