from __future__ import annotations

import asyncio
import io
import sys
from typing import TYPE_CHECKING

import pytest

from benchmark_runner import display
from benchmark_runner.display import LiveDisplay, NoDisplay, PlainDisplay, Tally, make_display
from benchmark_runner.events import (
    EvaluationFinished,
    EvaluationStarted,
    GenerationFinished,
    GenerationStarted,
    RetryScheduled,
)
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from benchmark_runner.events import Event


def generated(task_id: str, status: GenerationStatus = GenerationStatus.SUCCESS) -> Event:
    return GenerationFinished(task_id, status, None, 1.0)


def graded(task_id: str, status: EvalStatus = EvalStatus.EVALUATED) -> Event:
    return EvaluationFinished(task_id, status, None, 1.0)


def tally(total: int = 10, done: int = 0, *, skip_eval: bool = False) -> Tally:
    return Tally(total=total, done=done, skip_eval=skip_eval)


def test_what_the_service_says_in_a_retry_is_masked() -> None:
    counted = Tally(total=1, done=0, skip_eval=False, mask=lambda text: text.replace("key", "***"))
    counted.count(RetryScheduled("HTTP 500: bad key", 2.0))
    assert "retry in 2 s: HTTP 500: bad ***" in str(counted)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(display, "monotonic", made)
    return made


class TestTally:
    def test_a_task_is_done_when_it_is_graded(self) -> None:
        counted = tally(done=2)
        counted.count(GenerationStarted("t1"))
        assert (counted.generating, counted.done) == (1, 2)
        counted.count(generated("t1"))
        counted.count(EvaluationStarted("t1"))
        assert (counted.generating, counted.grading, counted.done) == (0, 1, 2)
        counted.count(graded("t1"))
        assert (counted.grading, counted.done) == (0, 3)

    def test_without_grading_a_task_is_done_when_it_is_generated(self) -> None:
        counted = tally(skip_eval=True)
        counted.count(GenerationStarted("t1"))
        counted.count(generated("t1"))
        assert counted.done == 1

    def test_a_failed_generation_is_counted_once(self) -> None:
        counted = tally()
        counted.count(GenerationStarted("t1"))
        counted.count(generated("t1", GenerationStatus.ERROR))
        counted.count(EvaluationStarted("t1"))
        counted.count(graded("t1", EvalStatus.GENERATION_ERROR))
        assert counted.failed == 1
        assert str(counted) == "0 generating, 0 grading, 1 failed"

    def test_running_out_of_time_is_not_a_failure(self) -> None:
        counted = tally()
        counted.count(GenerationStarted("t1"))
        counted.count(generated("t1", GenerationStatus.MAX_TIME))
        assert str(counted) == "0 generating, 0 grading, 1 timed out"

    def test_a_failed_grading_is_a_failure(self) -> None:
        counted = tally()
        counted.count(EvaluationStarted("t1"))
        counted.count(graded("t1", EvalStatus.ERROR))
        assert counted.failed == 1

    def test_a_wait_for_the_service_is_shown_until_something_happens(self) -> None:
        counted = tally()
        counted.count(RetryScheduled("HTTP 503: busy", 2.4))
        assert str(counted).endswith("retry in 2 s: HTTP 503: busy")
        counted.count(GenerationStarted("t1"))
        assert "retry" not in str(counted)


class TestPlainLines:
    def test_the_first_and_the_last_line_are_always_there(self, clock: Clock) -> None:
        stream = io.StringIO()
        with PlainDisplay(tally(total=1), stream) as shown:
            for event in (
                GenerationStarted("t1"),
                generated("t1"),
                EvaluationStarted("t1"),
                graded("t1"),
            ):
                shown.show(event)
        assert stream.getvalue().splitlines() == [
            "0/1 done, 0 generating, 0 grading",
            "1/1 done, 0 generating, 0 grading",
        ]

    def test_lines_come_at_a_bearable_rate(self, clock: Clock) -> None:
        stream = io.StringIO()
        with PlainDisplay(tally(total=1000), stream) as shown:
            for number in range(1000):
                clock.now += 0.01
                shown.show(EvaluationStarted(str(number)))
                shown.show(graded(str(number)))
        # A thousand tasks in ten seconds: the start, one after five seconds, and the end.
        lines = stream.getvalue().splitlines()
        assert 3 <= len(lines) <= 4
        assert lines[-1].startswith("1000/1000 done")

    def test_a_line_that_says_nothing_new_is_not_repeated(self, clock: Clock) -> None:
        stream = io.StringIO()
        with PlainDisplay(tally(done=10), stream):
            pass
        assert len(stream.getvalue().splitlines()) == 1

    def test_what_changed_is_written_even_if_no_event_follows(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(display, "PLAIN_INTERVAL", 0.2)

        async def main() -> list[str]:
            written = asyncio.Event()

            class Watched(io.StringIO):
                def flush(self) -> None:
                    if "1 generating" in self.getvalue():
                        written.set()

            stream = Watched()
            with PlainDisplay(tally(), stream) as shown:
                ticking = asyncio.create_task(shown.keep_alive())
                shown.show(GenerationStarted("t1"))
                assert not written.is_set(), "not at a bearable rate"
                async with asyncio.timeout(10):
                    await written.wait()
                ticking.cancel()
            return stream.getvalue().splitlines()

        assert asyncio.run(main()) == [
            "0/10 done, 0 generating, 0 grading",
            "0/10 done, 1 generating, 0 grading",
        ]

    def test_each_line_is_flushed(self, clock: Clock) -> None:
        flushed: list[str] = []

        class Buffered(io.StringIO):
            def flush(self) -> None:
                flushed.append(self.getvalue())

        with PlainDisplay(tally(), Buffered()):
            assert flushed == ["0/10 done, 0 generating, 0 grading\n"]


class TestChoice:
    def test_a_terminal_gets_a_live_display(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stderr", Terminal())
        assert isinstance(make_display(tally(), quiet=False), LiveDisplay)

    def test_anything_else_gets_plain_lines(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        assert isinstance(make_display(tally(), quiet=False), PlainDisplay)

    def test_quiet_shows_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        with make_display(tally(), quiet=True) as shown:
            assert isinstance(shown, NoDisplay)
            shown.show(GenerationStarted("t1"))
        assert terminal.getvalue() == ""


class TestLive:
    def test_a_reason_with_brackets_is_shown_as_it_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("COLUMNS", "100")
        monkeypatch.setenv("TERM", "xterm")
        with LiveDisplay(tally()) as shown:
            shown.show(RetryScheduled("[red]odd[/red]", 1.0))
        assert "[red]odd[/red]" in terminal.getvalue()
