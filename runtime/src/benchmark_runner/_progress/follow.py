"""The display of a run that other processes work on, from its log of events."""

import signal
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmark_runner._progress.display import Display, make_display
from benchmark_runner._progress.event_reader import EventReader, Logged
from benchmark_runner._progress.events import InvocationEnded, InvocationStarted

#: Seconds between two reads.
POLL = 0.25
#: Seconds without a line, not even a heartbeat, after which a command counts as gone.
SILENCE = 30.0


def follow(path: Path, mask: Callable[[str], str]) -> bool | None:
    """Show a run's progress until no command works on it any more.

    Return whether the log tells of the end; if not, a command has fallen silent. ``None`` if none
    worked on it.
    """
    log = _GrowingLog(EventReader(path))
    log.read()
    if not log.heard_at:
        return None
    display = make_display(mask, quiet=False)
    log.show_on(display)
    with ExitStack() as stack:
        stack.callback(display.__exit__)  # also where a signal comes while it begins
        with _signals_held():  # the first frame is drawn in this thread
            display.__enter__()
        while log.heard_at:
            time.sleep(POLL)  # network disks do not tell that a file has grown
            log.read()
            log.show_on(display)
    return not log.has_lost


class _GrowingLog:
    """A run's log, and the time at which each command that appends to it was last heard."""

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        self._unshown: list[Logged] = []
        self.heard_at: dict[str, float] = {}
        self.has_lost = False

    def read(self) -> None:
        """Read the new lines, and forget the commands that have fallen silent."""
        for logged in self._reader.read():
            self._take(logged)
        now = time.monotonic()
        for invocation, heard in [*self.heard_at.items()]:
            if now - heard > SILENCE:
                del self.heard_at[invocation]
                self.has_lost = True

    def show_on(self, display: Display) -> None:
        """Show the new events; ages are right as far as the machines' clocks agree."""
        here = time.monotonic() - time.time()
        for logged in self._unshown:
            if logged.event is not None:
                display.show(logged.event, logged.at + here)
        self._unshown.clear()

    def _take(self, logged: Logged) -> None:
        if isinstance(logged.event, InvocationStarted) and not logged.event.problem:
            # It has the run for itself: all that was logged before is over.
            self._unshown.clear()
            self.heard_at.clear()
            self.has_lost = False
        self._unshown.append(logged)
        if isinstance(logged.event, InvocationEnded):
            self.heard_at.pop(logged.invocation, None)
        else:
            self.heard_at[logged.invocation] = time.monotonic()


@contextmanager
def _signals_held() -> Generator[None]:
    """Block signals until the end of the block: half a drawing would stay on the screen."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
