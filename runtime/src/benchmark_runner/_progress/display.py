"""The displays of a run: live on a terminal, plain lines where there is none.

Each works in a thread of its own: nothing that a run does waits for a terminal.
"""

import math
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Self, TextIO

from benchmark_runner._concurrency.batches import Batches
from benchmark_runner._progress.events import Event, LoopBlocked
from benchmark_runner._progress.render import (
    WIDEST,
    count_cells,
    cut,
    format_counts,
    format_progress,
    render_line,
    render_rows,
    render_summary,
)
from benchmark_runner._progress.tally import Tally
from benchmark_runner._start_state import errors

if TYPE_CHECKING:
    from rich.segment import Segments

#: Seconds between two plain lines: a log stays readable, and a watcher sees it is alive.
PLAIN_INTERVAL = 5.0
#: Seconds between two drawings.
INTERVAL = 0.25
#: Terminals on which nothing can be drawn.
_DUMB = frozenset({"dumb", "unknown"})


class Display:
    """A display of a run's progress, between entering and leaving it; this one shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def show(self, event: Event, at: float | None = None) -> None:
        """Show an event that happened at that time of ``monotonic()``, by default now."""


class _TallyDisplay(Display):
    """The base of displays: a thread counts the events, and shows the counts."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._tally = Tally()
        self._turn = Lock()
        self._ended = False
        self._batches: Batches[tuple[float, Event]] = Batches(
            self._take, self._show, INTERVAL, "display"
        )

    def __enter__(self) -> Self:
        with suppress(OSError, ValueError):  # the terminal has gone
            self._begin()
        self._batches.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._turn:
            if self._ended:
                return
            self._ended = True
        # A terminal that is stopped (Ctrl-S) holds this up, as it does all that is printed next.
        self._batches.end()
        with suppress(OSError, ValueError):
            self._end()

    def show(self, event: Event, at: float | None = None) -> None:
        """Hand the event to the thread that counts."""
        self._batches.add((monotonic() if at is None else at, event))

    def _take(self, events: Sequence[tuple[float, Event]]) -> None:
        with suppress(OSError, ValueError):  # nobody reads any more
            for at, event in events:
                self._tally.count(event, at)
                if isinstance(event, LoopBlocked):  # over as soon as anything follows
                    self._write()

    def _show(self) -> None:
        with suppress(OSError, ValueError):
            self._update()

    def _begin(self) -> None:
        """Prepare for showing."""

    def _update(self) -> None:
        """Show the counts, if it is time to."""
        self._write()

    def _write(self) -> None:
        """Show the counts."""
        raise NotImplementedError

    def _end(self) -> None:
        """Show the last counts."""
        self._write()


class PlainDisplay(_TallyDisplay):
    """A display of plain lines: one every few seconds at most, and one at the end."""

    def __init__(self, mask: Callable[[str], str], stream: TextIO) -> None:
        super().__init__(mask)
        self._stream = stream
        self._last = -math.inf
        self._written = ""

    def _update(self) -> None:
        if monotonic() - self._last >= PLAIN_INTERVAL:
            self._write()

    def _write(self) -> None:
        now = self._last = monotonic()
        # What only time changes is nothing new.
        tally = self._tally
        said = f"{format_counts(tally)} {tally.waiting} {tally.note(now)}"
        said += format_progress(tally, self._mask)
        if said != self._written:
            self._written = said
            print(render_line(tally, now, self._mask), file=self._stream, flush=True)


class LiveDisplay(_TallyDisplay):
    """A display on a terminal: a bar, a few rows of counts, and the tasks that take longest."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(mask)
        self._rows: list[str] = []
        self._columns = 0
        self._console = Console(file=errors())
        # rich has other output appear above; when and what is drawn is decided here.
        self._live = Live(console=self._console, auto_refresh=False, get_renderable=self._segments)

    def _begin(self) -> None:
        self._live.start()

    def _write(self) -> None:
        columns, lines = self._console.size
        if columns < self._columns:
            self._leave_wrapped_rows(columns)
        self._columns = columns
        now = monotonic()
        self._rows = render_rows(self._tally, now, self._mask, columns=columns, lines=lines - 1)
        self._live.refresh()

    def _end(self) -> None:
        width = min(self._console.width - 1, WIDEST)
        self._rows = [cut(row, width) for row in render_summary(self._tally, monotonic())]
        self._live.stop()

    def _segments(self) -> "Segments":
        """Return the rows for rich, cut to the terminal's width already."""
        from rich.segment import Segment, Segments

        return Segments([Segment("\n".join(self._rows))])

    def _leave_wrapped_rows(self, columns: int) -> None:
        """Go up by the rows that ours take on a terminal that has become narrower."""
        from rich.control import Control
        from rich.segment import ControlType

        for _ in range(sum(max(count_cells(row) - 1, 0) // columns for row in self._rows)):
            self._console.control(
                Control((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            )


def make_display(mask: Callable[[str], str], *, quiet: bool) -> Display:
    """Return the display that fits standard error."""
    if quiet:
        return Display()
    draws = errors().isatty() and os.environ.get("TERM", "").lower() not in _DUMB
    return LiveDisplay(mask) if draws else PlainDisplay(mask, errors())
