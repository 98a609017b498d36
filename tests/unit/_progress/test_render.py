from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._progress.events import (
    EvaluationProgress,
    EvaluationStarted,
    GenerationStarted,
    LoopBlocked,
    RetryScheduled,
    ScoringStarted,
)
from benchmark_runner._progress.render import (
    LONGEST_LINE,
    WIDEST,
    count_cells,
    render_line,
    render_rows,
    render_summary,
)
from benchmark_runner._redaction import Redactor
from benchmark_runner.schemas import EvalStatus, GenerationStatus
from tests.unit._progress.sample_events import generated, graded, started, tally

if TYPE_CHECKING:
    from benchmark_runner._progress.tally import Tally


def as_it_is(text: str) -> str:
    return text


def line(counted: Tally, now: float = 0.0) -> str:
    return render_line(counted, now, as_it_is)


def drawn(counted: Tally, now: float = 0.0, columns: int = 80, lines: int = 23) -> list[str]:
    return render_rows(counted, now, as_it_is, columns=columns, lines=lines)


class TestOldest:
    def test_longest_are_shown_with_step_and_time(self) -> None:
        """The longest-running tasks are shown with their step and their time."""
        counted = tally(
            GenerationStarted("slow"),
            EvaluationStarted("grade"),
            EvaluationStarted("again"),
            RetryScheduled("HTTP 503: busy", 70, "again"),
        )
        assert drawn(counted, 62)[3:] == [
            " 0:01:02  slow  generating",
            " 0:01:02  grade  evaluating",
            " 0:01:02  again  evaluating, again in 8 s: HTTP 503: busy",
        ]

    def test_new_tasks_are_not_shown(self) -> None:
        """A task that has just begun is not shown."""
        assert len(drawn(tally(GenerationStarted("t1")), 4)) == 2


class TestRows:
    def test_rows_show_counts_and_pace(self) -> None:
        """The rows show counts, pace, mean, costs, tokens and the next retry."""
        counted = tally(
            GenerationStarted("t0"),
            generated("t0", GenerationStatus.ERROR),
            EvaluationStarted("t1"),
            EvaluationStarted("t2"),
            RetryScheduled("HTTP 503: busy", 9, "t2"),
            begins=started(
                total=1000,
                done=250,
                to_evaluate=342,
                timed_out=31,
                scored=219,
                mean=0.51234,
                stderr=0.0213,
                cost=12.3,
                input_tokens=1_234_567,
                output_tokens=340_000,
            ),
        )
        for second in range(1, 5):
            counted.count(EvaluationStarted(f"u{second}"), second)
            counted.count(graded(f"u{second}", EvalStatus.ERROR, None), second)
        assert drawn(counted, 4) == [
            "━━━━━─────────────── 254/1000 done  0:00:04  1.0/s  0:12:26 left",
            "5 failed  31 timed out  mean 0.5123 ± 0.021 (n=219)",
            "≥ $12.30  1.23M tokens in, 340k out",
            "0 generating  1 evaluating  337 to evaluate",
            "1 to retry, the next in 5 s: HTTP 503: busy",
        ]
        assert render_summary(counted, 4) == drawn(counted, 4)[:3]

    def test_a_note_has_a_row_of_its_own(self) -> None:
        """A note has a row of its own."""
        assert drawn(tally(ScoringStarted()))[-1] == "scoring"

    @pytest.mark.parametrize("columns", [1, 2, 7, 20, 41, 80, 200])
    @pytest.mark.parametrize("lines", [0, 1, 2, 5, 50])
    def test_rows_fit_every_terminal(self, columns: int, lines: int) -> None:
        """The rows fit any size of terminal, whatever is in them."""
        counted = tally(begins=started(total=10**9, done=10**8, cost=1e9, input_tokens=10**12))
        for number in range(1000):
            name = ("任務" * 30 + str(number)) if number % 2 else f"{'long' * 40}{number}"
            counted.count(EvaluationStarted(name), float(number))
            counted.count(RetryScheduled("理由 " * 200, 10, name), float(number))
        counted.count(LoopBlocked("\N{FAMILY}" * 99, 6), 1000)
        found = drawn(counted, 2000, columns, lines)
        assert 1 <= len(found) <= max(lines, 1)
        assert max(map(count_cells, found)) <= min(max(columns - 1, 1), WIDEST)

    def test_rows_do_not_grow_with_tasks(self) -> None:
        """The number of rows does not grow with the number of tasks."""
        counted = tally(begins=started(total=10**6))
        for number in range(5000):
            counted.count(GenerationStarted(f"t{number}"), 0)
        assert len(drawn(counted, 100)) == 5

    def test_control_characters_are_removed(self) -> None:
        """Control characters in foreign text do not reach the terminal."""
        evil = "\x1b[2Jgone\x1b]0;title\x07\r\nnext\x9b31m"
        counted = tally(
            EvaluationStarted("t\x1b[31m1"),
            RetryScheduled(evil, 10, "t\x1b[31m1"),
            RetryScheduled(evil, 10),
        )
        shown = [*drawn(counted, 6), line(counted, 6)]
        assert all(text.isprintable() for text in shown)
        assert "again in 4 s: gone next" in shown[-2]

    def test_secrets_are_masked_before_a_cut(self) -> None:
        """Secrets are masked before a text is cut."""
        counted = tally(EvaluationStarted("t1"), RetryScheduled(f"{'x' * 60}-secret-key", 10, "t1"))
        mask = Redactor(["-secret-key"]).clean_text
        found = render_rows(counted, 6, mask, columns=80, lines=9)
        assert "secret" not in "".join(found)


class TestLine:
    def test_line_has_counts_then_details(self) -> None:
        """The line has the counts first and then what fits."""
        counted = tally(
            GenerationStarted("slow"),
            begins=started(
                total=500, done=120, timed_out=3, scored=100, mean=0.5, stderr=0.02, cost=1.23
            ),
        )
        for second in range(1, 11):
            counted.count(graded(f"t{second}", EvalStatus.DID_NOT_COMPLETE, None), second)
        assert line(counted, 10) == (
            "130/500 done, 1 generating, 0 evaluating, 3 timed out, mean 0.5 ± 0.02, $1.23, 1.0/s, "
            "0:06:10 left"
        )

    @pytest.mark.parametrize("before", [0, 1])
    def test_mean_needs_a_score_of_each_task(self, before: int) -> None:
        """There is no mean once an evaluated task has no score, now or before the command."""
        counted = tally(graded("t1"), begins=started(without_score=before))
        assert ("mean 1" in line(counted)) is (before == 0)
        counted.count(graded("t2", score=None), 0.0)
        assert "mean" not in line(counted)

    def test_mean_of_repeats_says_of_what(self) -> None:
        """With repeats, the mean is that of generations, and has no error over tasks."""
        counted = tally(graded("t1"), graded("t2", score=0), begins=started(repeats=2))
        assert "mean of generations 0.5," in f"{line(counted)},"

    def test_question_leaves_no_mean(self) -> None:
        """A command that stops once a question is settled has no mean: it would be no sample."""
        assert "mean" not in line(tally(graded("t1"), begins=started(asks=True)))

    def test_line_shows_waiting_evaluations(self) -> None:
        """The line says how many evaluations wait for a retry, and the reason."""
        counted = tally(EvaluationStarted("t1"), RetryScheduled("HTTP 503: busy", 9, "t1"))
        assert line(counted) == (
            "0/10 done, 0 generating, 0 evaluating, 1 to retry, the next in 9 s: HTTP 503: busy"
        )

    def test_line_shows_the_newest_progress(self) -> None:
        """A line ends with the newest progress of an evaluation that is under way, and no other."""
        counted = tally(EvaluationStarted("t1"), EvaluationStarted("t2"))
        for at, event in enumerate(
            (EvaluationProgress("t2", "old"), EvaluationProgress("t1", "step\x1b[1m 3\nof 7"))
        ):
            counted.count(event, float(at))
        assert "; t1: step 3 of 7" in line(counted)
        counted.count(graded("t1"), 2.0)
        assert line(counted).endswith("; t2: old")
        counted.count(graded("t2"), 2.0)
        assert "old" not in line(counted)

    def test_rows_show_the_progress_of_each(self) -> None:
        """The rows of tasks that take long show their progress, within the terminal's width."""
        counted = tally(
            EvaluationStarted("t1"),
            EvaluationProgress("t1", "test 12 of 300 " * 20),
            EvaluationProgress("gone", "of a task that is done"),
        )
        rows = drawn(counted, 60.0)
        assert rows[-1].startswith(" 0:01:00  t1")
        assert "evaluating: test 12 of 300" in rows[-1]
        assert max(map(count_cells, rows)) <= WIDEST
        assert "gone" not in "".join(rows)

    def test_a_long_reason_is_cut(self) -> None:
        """A long reason is cut to the length of a line."""
        counted = tally(RetryScheduled("very " * 100, 9))
        assert len(line(counted)) == LONGEST_LINE
        assert line(counted).endswith("…")

    @pytest.mark.parametrize(
        ("done", "seconds", "text"),
        [(100, 10, "10.0/s"), (30, 60, "30.0/min"), (1, 600, "6.0/h")],
    )
    def test_slow_rate_has_larger_units(self, done: int, seconds: float, text: str) -> None:
        """A slow rate is shown per minute or per hour."""
        counted = tally(begins=started(total=1000))
        for number in range(done):
            counted.count(graded(f"t{number}", score=None), seconds)
        assert f", {text}" in line(counted, seconds)

    def test_no_tasks_cause_no_division_by_zero(self) -> None:
        """A run without tasks is shown without an error."""
        assert math.isclose(len(drawn(tally(begins=started(total=0)))), 2)
