"""Events into a live display on a terminal, or into plain lines where there is none."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from benchmark_runner.events import (
    EvaluationFinished,
    EvaluationStarted,
    EvaluationStopped,
    GenerationFinished,
    GenerationStarted,
    LoopBlocked,
    RetryScheduled,
)
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self, TextIO

    from rich.progress import Progress, TaskID

    from benchmark_runner.events import Event

#: Seconds between two plain lines: a log stays readable, and a watcher sees it is alive.
PLAIN_INTERVAL = 5.0


@dataclass(slots=True)
class Tally:
    """Counts what happens, for a display to show.

    Attributes:
        total: The chosen tasks.
        done: Those that need nothing more.
        skip_eval: Whether a generation is all that a task needs.
        mask: Masks secrets in what the service says.
    """

    total: int
    done: int
    skip_eval: bool
    mask: Callable[[str], str] = str
    generating: int = 0
    grading: int = 0
    failed: int = 0
    timed_out: int = 0
    waiting: str | None = None

    def count(self, event: Event) -> None:
        """Take one event into account."""
        if not isinstance(event, RetryScheduled):
            self.waiting = None
        match event:
            case GenerationStarted():
                self.generating += 1
            case GenerationFinished(status=status):
                self.generating -= 1
                self.failed += status is GenerationStatus.ERROR
                self.timed_out += status is GenerationStatus.MAX_TIME
                self.done += self.skip_eval
            case EvaluationStarted():
                self.grading += 1
            case EvaluationFinished(status=status):
                self.grading -= 1
                self.failed += status is EvalStatus.ERROR
                self.done += 1
            case RetryScheduled(reason=reason, wait=wait):
                self.waiting = f"retry in {wait:.0f} s: {self.mask(reason)}"
            case EvaluationStopped():
                self.grading -= 1
                self.waiting = "the service refuses; finishing what is running"
            case LoopBlocked(task_id=task_id, seconds=seconds):
                whose = f"task {task_id}" if task_id else "some code"
                self.waiting = f"{whose} has not yielded for {seconds:.0f} s; everything waits"

    def __str__(self) -> str:
        parts = [f"{self.generating} generating", f"{self.grading} grading"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.timed_out:
            parts.append(f"{self.timed_out} timed out")
        if self.waiting:
            parts.append(self.waiting)
        return ", ".join(parts)


class Display(Protocol):
    """Shows the progress of a run between entering and leaving it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def show(self, event: Event) -> None:
        """Take one event into account."""
        ...

    async def keep_alive(self) -> None:
        """Show now and then that the run is alive, also while nothing happens."""
        ...


class NoDisplay:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def show(self, event: Event) -> None:
        """Ignore the event."""

    async def keep_alive(self) -> None:
        """Show nothing."""


class PlainDisplay:
    """Writes a line at most every few seconds, and one at the end."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        self._tally = tally
        self._stream = stream
        self._last = monotonic()
        self._written = ""

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._write()

    def show(self, event: Event) -> None:
        """Write a line if the last one is old enough, or there may be no other for long."""
        self._tally.count(event)
        if isinstance(event, LoopBlocked) or monotonic() - self._last >= PLAIN_INTERVAL:
            self._write()

    async def keep_alive(self) -> None:
        """Write what has changed since the last line, also when no event follows it."""
        while True:
            await asyncio.sleep(PLAIN_INTERVAL)
            self._write()

    def _write(self) -> None:
        self._last = monotonic()
        line = f"{self._tally.done}/{self._tally.total} done, {self._tally}"
        if line != self._written:
            self._written = line
            print(line, file=self._stream, flush=True)


class LiveDisplay:
    """Draws a progress bar with counts."""

    def __init__(self, tally: Tally) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.table import Column

        self._tally = tally
        self._progress: Progress = Progress(
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
            ),
            console=Console(stderr=True),
            expand=True,
        )
        self._bar: TaskID = self._progress.add_task("", total=tally.total, completed=tally.done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._update()
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Update the bar; it is drawn ten times a second, whatever the number of events."""
        self._tally.count(event)
        self._update()

    async def keep_alive(self) -> None:
        """The bar draws itself."""

    def _update(self) -> None:
        self._progress.update(self._bar, completed=self._tally.done, description=str(self._tally))


def make_display(tally: Tally, *, quiet: bool) -> Display:
    """Choose the display that fits standard error."""
    if quiet:
        return NoDisplay()
    return LiveDisplay(tally) if sys.stderr.isatty() else PlainDisplay(tally, sys.stderr)
