"""Follow a run that others work on, from what they note of it; nothing is touched."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import typer

from benchmark_runner._progress.display import make_display
from benchmark_runner._progress.event_reader import EventReader
from benchmark_runner._progress.events import InvocationEnded, InvocationStarted

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path
    from types import FrameType

    from benchmark_runner._progress.display import Display
    from benchmark_runner._progress.event_reader import Logged

#: Seconds between two looks: disks of other machines tell nobody that a file has grown.
POLL = 0.25
#: Seconds without a line, not even a heartbeat, after which a command counts as gone.
SILENCE = 30.0


def follow(path: Path, mask: Callable[[str], str]) -> bool | None:
    """Show how a run goes on until nobody works on it any more.

    Args:
        path: The log of its events.
        mask: Masks secrets in what is shown.

    Returns:
        Whether the end was noted; if not, whoever worked on it has just fallen silent. ``None``
        where nobody worked on it.

    Raises:
        ArtifactError: the log can't be read.
        typer.Exit: it was terminated.
    """
    following = _Following(EventReader(path))
    following.look()
    if not following.at_work:
        return None
    display = make_display(mask, quiet=False)
    following.show_on(display)
    with _left_in_order(), ExitStack() as left:
        left.callback(display.__exit__)  # also where a signal comes while it begins
        display.__enter__()
        while following.at_work:
            time.sleep(POLL)
            following.look()
            following.show_on(display)
    return not following.has_lost


class _Following:
    """Reads a run's log as it grows.

    Args:
        reader: Reads it.

    Attributes:
        at_work: When a command that works on the run was last heard of, by invocation.
        has_lost: Whether one of them has fallen silent.
    """

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader
        self._news: list[Logged] = []
        self.at_work: dict[str, float] = {}
        self.has_lost = False

    def look(self) -> None:
        """Read what is new, and find out who is still at work."""
        for logged in self._reader.read():
            self._take(logged)
        now = time.monotonic()
        for invocation, heard in [*self.at_work.items()]:
            if now - heard > SILENCE:
                del self.at_work[invocation]
                self.has_lost = True

    def show_on(self, display: Display) -> None:
        """Have shown what is new; ages are right as far as the machines' clocks agree."""
        here = time.monotonic() - time.time()
        for logged in self._news:
            if logged.event is not None:
                display.show(logged.event, logged.at + here)
        self._news.clear()

    def _take(self, logged: Logged) -> None:
        if isinstance(logged.event, InvocationStarted) and not logged.event.problem:
            # It has the run for itself: whatever is noted before is over.
            self._news.clear()
            self.at_work.clear()
            self.has_lost = False
        self._news.append(logged)
        if isinstance(logged.event, InvocationEnded):
            self.at_work.pop(logged.invocation, None)
        else:
            self.at_work[logged.invocation] = time.monotonic()


@contextmanager
def _left_in_order() -> Generator[None]:
    """Let SIGTERM, too, leave a terminal as it was."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise typer.Exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
