from __future__ import annotations

import io
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._progress import display
from benchmark_runner._progress.display import Display, LiveDisplay, PlainDisplay, make_display
from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationStarted,
    GenerationStarted,
    LoopBlocked,
    RetryScheduled,
)
from benchmark_runner._redaction import Redactor
from benchmark_runner.schemas import EvalStatus
from tests.unit._progress.sample_events import generated, started

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner._progress.events import Event

    MakeLive = Callable[[], tuple["Terminal", LiveDisplay]]

#: Seconds; reaching it fails the test.
TOO_LONG = 10.0


def graded(task_id: str) -> Event:
    return EvaluationFinished(task_id, EvalStatus.DID_NOT_COMPLETE, None, None)


def as_it_is(text: str) -> str:
    return text


class Log(io.StringIO):
    """A stream that tells when it is flushed with a text in it."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self.flushed = ""

    def flush(self) -> None:
        with self._changed:
            self.flushed = self.getvalue()
            self._changed.notify_all()

    def wait_for(self, *texts: str) -> None:
        with self._changed:
            shown = self._changed.wait_for(
                lambda: all(text in self.flushed for text in texts), TOO_LONG
            )
        assert shown, self.flushed

    @property
    def lines(self) -> list[str]:
        return self.flushed.splitlines()


class Terminal(Log):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display, "INTERVAL", 0.01)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def plain(log: Log) -> PlainDisplay:
    made = PlainDisplay(as_it_is, log)
    made.show(started(total=1))
    return made


class TestPlainLines:
    def test_first_and_last_line_are_always_shown(self, plain: PlainDisplay, log: Log) -> None:
        """The first and the last state are always shown as lines."""
        with plain:
            for event in (
                GenerationStarted("t1"),
                generated("t1"),
                EvaluationStarted("t1"),
                graded("t1"),
            ):
                plain.show(event)
        assert log.lines == [
            "0/1 done, 0 generating, 0 evaluating",
            "1/1 done, 0 generating, 0 evaluating",
        ]

    def test_lines_are_limited_in_rate(
        self, plain: PlainDisplay, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Plain lines come at a limited rate."""
        seconds = iter(range(10**6))
        looked = threading.Semaphore(0)

        def monotonic() -> float:  # of a clock that goes on by a second whenever it is looked at
            looked.release()
            return float(next(seconds))

        monkeypatch.setattr(display, "monotonic", monotonic)
        with plain:
            for number in range(100):
                plain.show(GenerationStarted(str(number)), 0.0)
                assert looked.acquire(timeout=TOO_LONG)
        # A hundred looks, each a second after the other: a line every five, or six with its own.
        assert 15 <= len(log.lines) <= 25

    def test_change_is_shown_without_an_event(
        self, plain: PlainDisplay, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A change is shown even if no other event follows."""
        monkeypatch.setattr(display, "PLAIN_INTERVAL", 0.05)
        with plain:
            plain.show(GenerationStarted("t1"))
            log.wait_for("1 generating")

    def test_blocked_loop_is_shown_at_once(self, plain: PlainDisplay, log: Log) -> None:
        """A task that blocks the loop is shown at once."""
        with plain:
            plain.show(LoopBlocked("t1", 6.0))
            plain.show(GenerationStarted("t2"))
            log.wait_for("; task t1 has not yielded for 6 s")

    def test_unchanged_line_is_not_repeated(
        self, plain: PlainDisplay, log: Log, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A line that says nothing new is not repeated."""
        monkeypatch.setattr(display, "PLAIN_INTERVAL", 0.0)
        looks = threading.Semaphore(0)
        look = plain._update

        def counted() -> None:
            look()
            looks.release()

        monkeypatch.setattr(plain, "_update", counted)
        with plain:
            for _ in range(5):
                assert looks.acquire(timeout=TOO_LONG)
        assert log.lines == ["0/1 done, 0 generating, 0 evaluating"]

    def test_retry_reason_is_masked(self, log: Log) -> None:
        """A secret in the reason of a retry is masked."""
        shown = PlainDisplay(Redactor(["secret-key"]).clean_text, log)
        shown.show(started())
        shown.show(RetryScheduled("HTTP 500: bad secret-key", 60.0))
        with shown:
            pass
        assert log.lines == [
            "0/10 done, 0 generating, 0 evaluating; a retry follows: HTTP 500: bad ***"
        ]

    def test_closed_stream_ends_nothing(self, plain: PlainDisplay, log: Log) -> None:
        """A stream that was closed does not end the run."""
        log.close()
        with plain:
            plain.show(LoopBlocked("t1", 6.0))

    def test_display_ends_once(self, plain: PlainDisplay, log: Log) -> None:
        """Ending the display twice has no further effect."""
        with plain:
            plain.show(GenerationStarted("t1"))
            plain.__exit__()
            plain.show(generated("t1"))
        assert len(log.lines) == 2


class TestChoice:
    def test_a_terminal_gets_a_live_display(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A terminal gets the live display."""
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("TERM", "xterm")
        assert isinstance(make_display(as_it_is, quiet=False), LiveDisplay)

    def test_dumb_terminal_gets_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A terminal that can't draw gets plain lines."""
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("TERM", "dumb")
        assert isinstance(make_display(as_it_is, quiet=False), PlainDisplay)

    def test_anything_else_gets_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A stream that is no terminal gets plain lines."""
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        assert isinstance(make_display(as_it_is, quiet=False), PlainDisplay)

    def test_quiet_shows_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Quiet shows nothing."""
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        with make_display(as_it_is, quiet=True) as shown:
            assert type(shown) is Display
            shown.show(GenerationStarted("t1"))
        assert terminal.getvalue() == ""


class TestLive:
    @pytest.fixture
    def live(self, monkeypatch: pytest.MonkeyPatch) -> MakeLive:
        """Make one; pytest has standard error replaced until the test itself begins."""

        def make() -> tuple[Terminal, LiveDisplay]:
            terminal = Terminal()
            monkeypatch.setattr(sys, "stderr", terminal)
            monkeypatch.setenv("TERM", "xterm")
            for name in ("COLUMNS", "LINES"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))
            return terminal, LiveDisplay(as_it_is)

        return make

    def test_service_text_is_shown_literally(self, live: MakeLive) -> None:
        """A text of the service is shown as it is, without control characters."""
        terminal, shown = live()
        shown.show(started())
        with shown:
            shown.show(RetryScheduled("[red]o\x1b[31mdd[/red] :smile:", 60.0))
            terminal.wait_for("a retry follows: [red]odd[/red] :smile:")

    def test_rows_are_drawn_while_the_run_is_busy(self, live: MakeLive) -> None:
        """The rows are drawn while the thread of the run is busy."""
        terminal, shown = live()
        shown.show(started())
        with shown:
            shown.show(GenerationStarted("t1"))
            terminal.wait_for("1 generating")
            shown.show(LoopBlocked("t1", 5.0))
            terminal.wait_for("task t1 has not yielded for 5 s")

    def test_summary_stays_and_cursor_returns(self, live: MakeLive) -> None:
        """At the end a short summary stays, and the cursor is shown below it."""
        terminal, shown = live()
        shown.show(started(total=1, scored=2, mean=0.5, stderr=0.1))
        with shown:
            shown.show(EvaluationStarted("t1"))
            shown.show(graded("t1"))
        *_, summary = terminal.getvalue().split("\x1b[2K")
        assert summary.splitlines()[:2] == [
            "━━━━━━━━━━━━━━━━━━━━ 1/1 done  0:00:00",
            "mean 0.5 ± 0.1 (n=2)",
        ]
        assert summary.endswith("\n\x1b[?25h")

    def test_wrapped_rows_are_removed(
        self, live: MakeLive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rows that a narrower terminal has wrapped are removed completely."""
        terminal, shown = live()
        size = (80, 24)
        monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size(size))
        shown._batches.start = lambda: None  # type: ignore[method-assign]
        shown._batches.end = lambda within=None: None  # type: ignore[method-assign]
        with shown:
            shown._take([(0.0, started(scored=2, mean=0.5, stderr=0.1))])
            shown._show()
            before = len(terminal.getvalue())
            size = (30, 24)
            shown._show()
        again = terminal.getvalue()[before:].partition("─")[0]
        # The first of three rows, of 39 columns, takes two now.
        assert again.count("\x1b[1A") == 3
        assert again.count("\x1b[2K") == 4


def test_events_are_counted_in_another_thread(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are counted outside the thread of the run."""
    counted_in: list[int] = []
    shown = PlainDisplay(as_it_is, log)
    count: Callable[[Event, float], None] = shown._tally.count

    def noted(event: Event, at: float) -> None:
        counted_in.append(threading.get_ident())
        count(event, at)

    monkeypatch.setattr(shown._tally, "count", noted)
    with shown:
        shown.show(started())
    assert counted_in
    assert threading.get_ident() not in counted_in
