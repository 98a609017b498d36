"""How a run is going, as its events tell it: every count, at any number of tasks."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationResumed,
    EvaluationStarted,
    EvaluationStopped,
    Event,
    GenerationFinished,
    GenerationStarted,
    InvocationEnded,
    InvocationStarted,
    LoopBlocked,
    RetryScheduled,
    ScoringStarted,
)
from benchmark_runner._progress.render import (
    LONGEST_LINE,
    WIDEST,
    cells,
    plain_line,
    rows,
    summary_rows,
)
from benchmark_runner._progress.tally import RunningMean, Tally
from benchmark_runner._stats.means import standard_error
from benchmark_runner._text import clock
from benchmark_runner.schemas import EvalStatus, GenerationStatus


def started(total: int = 10, done: int = 0, **more: object) -> InvocationStarted:
    return InvocationStarted(
        **{
            "command": "run",
            "pid": 1,
            "host": "here",
            "version": "1.0",
            "model": "m",
            "problem": False,
            "skip_eval": False,
            "parallelism": 10,
            "eval_parallelism": 10,
            "total": total,
            "done": done,
            "to_generate": total - done,
            "to_evaluate": 0,
            **more,
        }
    )


def generated(
    task_id: str, status: GenerationStatus = GenerationStatus.SUCCESS, **spent: float
) -> Event:
    return GenerationFinished(task_id, status, None, 1.0, **spent)


def graded(
    task_id: str, status: EvalStatus = EvalStatus.EVALUATED, score: float | None = 1.0
) -> Event:
    return EvaluationFinished(task_id, status, None, score)


def tally(*events: Event, begins: InvocationStarted | None = None) -> Tally:
    counted = Tally()
    for event in (begins or started(), *events):
        counted.count(event, 0.0)
    return counted


def as_it_is(text: str) -> str:
    return text


def line(counted: Tally, now: float = 0.0) -> str:
    return plain_line(counted, now, as_it_is)


def drawn(counted: Tally, now: float = 0.0, columns: int = 80, lines: int = 23) -> list[str]:
    return rows(counted, now, as_it_is, columns=columns, lines=lines)


class TestCounts:
    def test_a_task_is_done_when_it_is_graded(self) -> None:
        counted = tally(begins=started(done=2))
        counted.count(GenerationStarted("t1"), 0)
        assert (counted.generating, counted.done) == (1, 2)
        counted.count(generated("t1"), 0)
        assert (counted.generating, counted.to_grade, counted.done) == (0, 1, 2)
        counted.count(EvaluationStarted("t1"), 0)
        assert (counted.to_grade, counted.grading, counted.done) == (0, 1, 2)
        counted.count(graded("t1"), 0)
        assert (counted.grading, counted.done) == (0, 3)
        assert counted.running == {}

    def test_without_grading_a_task_is_done_when_it_is_generated(self) -> None:
        counted = tally(begins=started(skip_eval=True))
        counted.count(GenerationStarted("t1"), 0)
        counted.count(generated("t1"), 0)
        assert (counted.done, counted.to_grade) == (1, 0)

    def test_a_failed_generation_is_counted_once(self) -> None:
        counted = tally(
            GenerationStarted("t1"),
            generated("t1", GenerationStatus.ERROR),
            EvaluationStarted("t1"),
            graded("t1", EvalStatus.GENERATION_ERROR, None),
        )
        assert (counted.failed, counted.timed_out) == (1, 0)

    def test_running_out_of_time_is_not_a_failure(self) -> None:
        counted = tally(GenerationStarted("t1"), generated("t1", GenerationStatus.MAX_TIME))
        assert (counted.failed, counted.timed_out) == (0, 1)

    def test_a_failed_grading_is_a_failure(self) -> None:
        counted = tally(EvaluationStarted("t1"), graded("t1", EvalStatus.ERROR, None))
        assert counted.failed == 1

    def test_a_grading_that_waits_for_another_try_is_none_until_it_has_its_place_again(
        self,
    ) -> None:
        counted = tally(EvaluationStarted("t1"), EvaluationStarted("t2"))
        for _ in range(2):  # two calls of one grading, each tried again
            counted.count(RetryScheduled("HTTP 503: busy", 30, "t1"), 0)
        assert (counted.grading, counted.waiting) == (1, 1)
        assert counted.next_try is not None
        assert (counted.next_try.task_id, counted.next_try.until) == ("t1", 30)
        for _ in range(2):
            counted.count(EvaluationResumed("t1"), 30)
        assert (counted.grading, counted.waiting) == (2, 0)
        assert counted.next_try is None
        counted.count(RetryScheduled("HTTP 503: busy", 30, "t1"), 40)
        counted.count(graded("t1", EvalStatus.ERROR, None), 41)  # given up
        assert (counted.grading, counted.waiting) == (1, 0)

    def test_a_refused_grading_is_over_and_that_no_new_task_starts_is_said_until_the_end(
        self,
    ) -> None:
        counted = tally(EvaluationStarted("t1"), GenerationStarted("t2"))
        counted.count(EvaluationStopped("t1", "QuotaExceededError: used up"), 0)
        counted.count(generated("t2"), 0)
        assert counted.grading == 0
        assert counted.note(100) == "no new task starts: QuotaExceededError: used up"
        assert counted.remaining(100) is None

    def test_what_blocks_the_loop_is_named_until_something_happens(self) -> None:
        counted = tally(GenerationStarted("t1"), LoopBlocked("t1", 5.2))
        assert counted.note(1000) == "task t1 has not yielded for 5 s"
        counted.count(generated("t1"), 1000)
        assert counted.note(1000) is None
        assert tally(LoopBlocked(None, 5.2)).note(0) == "some code has not yielded for 5 s"

    def test_a_write_or_a_call_for_no_task_that_is_tried_again_is_said_meanwhile(self) -> None:
        counted = tally(GenerationStarted("t1"), RetryScheduled("the disk is full", 2))
        counted.count(GenerationStarted("t2"), 1)
        assert counted.note(1) == "another try follows: the disk is full"
        assert counted.note(3) is None
        assert counted.generating == 2

    def test_what_stood_before_counts_too(self) -> None:
        counted = tally(
            GenerationStarted("t1"),
            generated("t1", cost=0.5, input_tokens=10, output_tokens=3),
            GenerationStarted("t2"),
            generated("t2"),
            begins=started(
                done=4,
                to_evaluate=2,
                timed_out=1,
                cost=2.0,
                cost_unknown=1,
                input_tokens=100,
                output_tokens=30,
            ),
        )
        spent = counted.spent
        assert (spent.dollars, spent.unknown) == (2.5, 2)
        assert (spent.input_tokens, spent.output_tokens) == (110, 33)
        assert (counted.to_grade, counted.timed_out) == (4, 1)

    def test_another_invocation_begins_anew_unless_it_is_about_another_problem(self) -> None:
        counted = tally(GenerationStarted("t1"), started(total=5))
        assert (counted.total, counted.generating) == (5, 0)
        counted = tally(
            GenerationStarted("t1"),
            started(total=1, problem=True),
            begins=started(total=1, problem=True),
        )
        assert (counted.total, counted.generating) == (2, 1)
        counted.count(InvocationEnded("complete"), 0)
        assert not counted.is_over
        counted.count(InvocationEnded("complete"), 0)
        assert counted.is_over

    def test_the_costs_of_problems_that_are_worked_on_at_a_time_are_those_of_the_run(self) -> None:
        counted = tally(
            started(total=1, problem=True, cost=2.0), begins=started(total=1, problem=True)
        )
        assert counted.spent.dollars == 2.0


class TestMean:
    def test_mean_and_error_of_what_comes_one_by_one_are_those_of_all(self) -> None:
        chance = random.Random(1)
        numbers = [1e9 + chance.random() for _ in range(1000)]
        running = RunningMean()
        for number in numbers:
            running.add(number)
        assert running.mean == pytest.approx(statistics.fmean(numbers), rel=1e-14)
        assert running.stderr == pytest.approx(standard_error(numbers), rel=1e-6)

    def test_it_goes_on_from_what_stood_before(self) -> None:
        before, after = [0.0, 1.0, 1.0], [0.5, 0.25]
        running = RunningMean.of(3, statistics.fmean(before), standard_error(before))
        for number in after:
            running.add(number)
        assert running.count == 5
        assert running.mean == pytest.approx(statistics.fmean(before + after))
        assert running.stderr == pytest.approx(standard_error(before + after))

    def test_below_two_scores_there_is_no_error(self) -> None:
        running = RunningMean.of(0, None, None)
        assert (running.count, running.stderr) == (0, None)
        running.add(0.25)
        assert (running.mean, running.stderr) == (0.25, None)
        assert RunningMean.of(1, 0.25, None) == running

    def test_a_task_that_did_not_complete_counts_and_one_without_a_score_does_not(self) -> None:
        counted = tally(
            graded("t1"),
            graded("t2", EvalStatus.DID_NOT_COMPLETE, 0.0),
            graded("t3", EvalStatus.ERROR, None),
        )
        assert (counted.scores.count, counted.scores.mean) == (2, 0.5)


class TestPace:
    def test_the_rate_is_that_of_what_was_done_here_and_says_how_long_the_rest_takes(self) -> None:
        counted = tally(begins=started(total=100, done=40))
        assert counted.rate(10) is None
        for second in range(1, 11):
            counted.count(graded(f"t{second}"), second)
            counted.count(graded(f"u{second}"), second)
        assert counted.rate(10) == pytest.approx(2.0)
        assert counted.remaining(10) == pytest.approx(20.0)

    def test_of_a_long_run_the_last_minutes_count(self) -> None:
        counted = tally(begins=started(total=10**6))
        for second in range(1000):
            for number in range(10 if second < 500 else 2):
                counted.count(graded(f"{second}-{number}"), float(second))
        assert counted.rate(999) == pytest.approx(2.0, rel=0.05)

    def test_a_rate_sinks_while_nothing_is_done(self) -> None:
        counted = tally(begins=started(total=100))
        for second in range(1, 11):
            counted.count(graded(f"t{second}"), second)
        assert counted.rate(100) == pytest.approx(0.1)


class TestLongest:
    def test_those_that_are_worked_on_longest_come_first(self) -> None:
        counted = tally()
        for number in range(1000):
            counted.count(GenerationStarted(f"t{number}"), float(number))
        counted.count(generated("t1"), 1000)
        counted.count(EvaluationStarted("t1"), 1000)
        assert [each.task_id for each in counted.longest(3)] == ["t0", "t2", "t3"]

    def test_they_are_shown_with_what_they_do_and_for_how_long(self) -> None:
        counted = tally(
            GenerationStarted("slow"),
            EvaluationStarted("grade"),
            EvaluationStarted("again"),
            RetryScheduled("HTTP 503: busy", 70, "again"),
        )
        assert drawn(counted, 62)[3:] == [
            " 0:01:02  slow  generating",
            " 0:01:02  grade  grading",
            " 0:01:02  again  grading, again in 8 s: HTTP 503: busy",
        ]

    def test_what_has_just_begun_is_not(self) -> None:
        assert len(drawn(tally(GenerationStarted("t1")), 4)) == 2


class TestRows:
    def test_they_say_what_an_operator_wants_to_know(self) -> None:
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
            counted.count(graded(f"u{second}", score=None), second)
        assert drawn(counted, 4) == [
            "━━━━━─────────────── 254/1000 done  0:00:04  1.0/s  0:12:26 left",
            "1 failed  31 timed out  mean 0.5123 ± 0.021 (n=219)",
            "≥ $12.30  1.23M tokens in, 340k out",
            "0 generating  1 grading  337 to grade",
            "1 to try again, the next in 5 s: HTTP 503: busy",
        ]
        assert summary_rows(counted, 4) == drawn(counted, 4)[:3]

    def test_a_note_has_a_row_of_its_own(self) -> None:
        assert drawn(tally(ScoringStarted()))[-1] == "making the score"

    @pytest.mark.parametrize("columns", [1, 2, 7, 20, 41, 80, 200])
    @pytest.mark.parametrize("lines", [0, 1, 2, 5, 50])
    def test_they_fit_whatever_happens_in_them_and_however_small_the_terminal_is(
        self, columns: int, lines: int
    ) -> None:
        counted = tally(begins=started(total=10**9, done=10**8, cost=1e9, input_tokens=10**12))
        for number in range(1000):
            name = ("任務" * 30 + str(number)) if number % 2 else f"{'long' * 40}{number}"
            counted.count(EvaluationStarted(name), float(number))
            counted.count(RetryScheduled("理由 " * 200, 10, name), float(number))
        counted.count(LoopBlocked("\N{FAMILY}" * 99, 6), 1000)
        found = drawn(counted, 2000, columns, lines)
        assert 1 <= len(found) <= max(lines, 1)
        assert max(map(cells, found)) <= min(max(columns - 1, 1), WIDEST)

    def test_their_number_does_not_grow_with_the_tasks(self) -> None:
        counted = tally(begins=started(total=10**6))
        for number in range(5000):
            counted.count(GenerationStarted(f"t{number}"), 0)
        assert len(drawn(counted, 100)) == 5

    def test_what_others_say_can_do_nothing_to_the_terminal(self) -> None:
        evil = "\x1b[2Jgone\x1b]0;title\x07\r\nnext\x9b31m"
        counted = tally(
            EvaluationStarted("t\x1b[31m1"),
            RetryScheduled(evil, 10, "t\x1b[31m1"),
            RetryScheduled(evil, 10),
        )
        shown = [*drawn(counted, 6), line(counted, 6)]
        assert all(text.isprintable() for text in shown)
        assert "again in 4 s: gone next" in shown[-2]

    def test_secrets_are_masked_before_anything_is_cut(self) -> None:
        counted = tally(EvaluationStarted("t1"), RetryScheduled(f"{'x' * 60}-secret-key", 10, "t1"))
        found = rows(
            counted, 6, lambda text: text.replace("-secret-key", "***"), columns=80, lines=9
        )
        assert "secret" not in "".join(found)


class TestLine:
    def test_it_says_the_counts_and_then_what_there_is_room_for(self) -> None:
        counted = tally(
            GenerationStarted("slow"),
            begins=started(
                total=500, done=120, timed_out=3, scored=100, mean=0.5, stderr=0.02, cost=1.23
            ),
        )
        for second in range(1, 11):
            counted.count(graded(f"t{second}", score=None), second)
        assert line(counted, 10) == (
            "130/500 done, 1 generating, 0 grading, 3 timed out, mean 0.5 ± 0.02, $1.23, 1.0/s, "
            "0:06:10 left"
        )

    def test_it_says_why_gradings_wait(self) -> None:
        counted = tally(EvaluationStarted("t1"), RetryScheduled("HTTP 503: busy", 9, "t1"))
        assert line(counted) == (
            "0/10 done, 0 generating, 0 grading, 1 to try again, the next in 9 s: HTTP 503: busy"
        )

    def test_a_long_reason_is_cut(self) -> None:
        counted = tally(RetryScheduled("very " * 100, 9))
        assert len(line(counted)) == LONGEST_LINE
        assert line(counted).endswith("…")

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(-1, "0:00:00"), (59.9, "0:00:59"), (3661, "1:01:01"), (360_000, "100:00:00")],
    )
    def test_a_duration_reads_as_a_clock(self, seconds: float, text: str) -> None:
        assert clock(seconds) == text

    @pytest.mark.parametrize(
        ("done", "seconds", "text"),
        [(100, 10, "10.0/s"), (30, 60, "30.0/min"), (1, 600, "6.0/h")],
    )
    def test_a_slow_rate_is_told_in_larger_units(
        self, done: int, seconds: float, text: str
    ) -> None:
        counted = tally(begins=started(total=1000))
        for number in range(done):
            counted.count(graded(f"t{number}", score=None), seconds)
        assert f", {text}" in line(counted, seconds)

    def test_without_a_task_nothing_is_divided_by_it(self) -> None:
        assert math.isclose(len(drawn(tally(begins=started(total=0)))), 2)
