"""The counts of a run, from its events: every count, at any number of tasks."""

from __future__ import annotations

import pytest

from benchmark_runner._progress.events import (
    EvaluationResumed,
    EvaluationStarted,
    EvaluationStopped,
    GenerationStarted,
    LoopBlocked,
    RetryScheduled,
)
from benchmark_runner.schemas import EvalStatus, GenerationStatus
from tests.unit._progress.tallied import generated, graded, started, tally


class TestCounts:
    def test_a_task_is_done_when_it_is_graded(self) -> None:
        counted = tally(begins=started(done=2))
        counted.count(GenerationStarted("t1"), 0)
        assert (counted.generating, counted.done) == (1, 2)
        counted.count(generated("t1"), 0)
        assert (counted.generating, counted.to_evaluate, counted.done) == (0, 1, 2)
        counted.count(EvaluationStarted("t1"), 0)
        assert (counted.to_evaluate, counted.evaluating, counted.done) == (0, 1, 2)
        counted.count(graded("t1"), 0)
        assert (counted.evaluating, counted.done) == (0, 3)
        assert counted.active == {}

    def test_without_grading_a_task_is_done_when_it_is_generated(self) -> None:
        counted = tally(begins=started(skip_eval=True))
        counted.count(GenerationStarted("t1"), 0)
        counted.count(generated("t1"), 0)
        assert (counted.done, counted.to_evaluate) == (1, 0)

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
        assert (counted.evaluating, counted.waiting) == (1, 1)
        assert counted.next_retry is not None
        assert (counted.next_retry.task_id, counted.next_retry.until) == ("t1", 30)
        for _ in range(2):
            counted.count(EvaluationResumed("t1"), 30)
        assert (counted.evaluating, counted.waiting) == (2, 0)
        assert counted.next_retry is None
        counted.count(RetryScheduled("HTTP 503: busy", 30, "t1"), 40)
        counted.count(graded("t1", EvalStatus.ERROR, None), 41)  # given up
        assert (counted.evaluating, counted.waiting) == (1, 0)

    def test_a_refused_grading_is_over_and_that_no_new_task_starts_is_said_until_the_end(
        self,
    ) -> None:
        counted = tally(EvaluationStarted("t1"), GenerationStarted("t2"))
        counted.count(EvaluationStopped("t1", "QuotaExceededError: used up"), 0)
        counted.count(generated("t2"), 0)
        assert counted.evaluating == 0
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
        assert counted.note(1) == "a retry follows: the disk is full"
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
        spend = counted.spend
        assert (spend.dollars, spend.unknown) == (2.5, 2)
        assert spend.tokens == {"input": 110, "output": 33}
        assert (counted.to_evaluate, counted.timed_out) == (4, 1)

    def test_another_invocation_begins_anew_unless_it_is_about_another_problem(self) -> None:
        counted = tally(GenerationStarted("t1"), started(total=5))
        assert (counted.total, counted.generating) == (5, 0)
        counted = tally(
            GenerationStarted("t1"),
            started(total=1, problem=True),
            begins=started(total=1, problem=True),
        )
        assert (counted.total, counted.generating) == (2, 1)

    def test_the_costs_of_problems_that_are_worked_on_at_a_time_are_those_of_the_run(self) -> None:
        counted = tally(
            started(total=1, problem=True, cost=2.0), begins=started(total=1, problem=True)
        )
        assert counted.spend.dollars == 2.0


class TestMean:
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
        assert [each.task_id for each in counted.oldest(3)] == ["t0", "t2", "t3"]
