"""The counts of a run, from its events: every count, at any number of tasks."""

from __future__ import annotations

import pytest

from benchmark_runner._progress.events import (
    AnswerMasked,
    EvaluationResumed,
    EvaluationStarted,
    EvaluationStopped,
    GenerationStarted,
    LoopBlocked,
    RetryScheduled,
)
from benchmark_runner.schemas import EvalStatus, GenerationStatus
from tests.unit._progress.sample_events import generated, graded, started, tally


class TestCounts:
    def test_task_is_done_when_evaluated(self) -> None:
        """A task is done when its evaluation is."""
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

    def test_skip_eval_task_is_done_when_generated(self) -> None:
        """Without evaluations a task is done when it is generated."""
        counted = tally(begins=started(skip_eval=True))
        counted.count(GenerationStarted("t1"), 0)
        counted.count(generated("t1"), 0)
        assert (counted.done, counted.to_evaluate) == (1, 0)

    def test_a_failed_generation_is_counted_once(self) -> None:
        """A generation that failed is counted once, also when it is evaluated."""
        counted = tally(
            GenerationStarted("t1"),
            generated("t1", GenerationStatus.ERROR),
            EvaluationStarted("t1"),
            graded("t1", EvalStatus.GENERATION_ERROR, None),
        )
        assert (counted.failed, counted.timed_out) == (1, 0)

    def test_timeout_is_not_a_failure(self) -> None:
        """A generation that ran out of time is counted apart from failures."""
        counted = tally(GenerationStarted("t1"), generated("t1", GenerationStatus.MAX_TIME))
        assert (counted.failed, counted.timed_out) == (0, 1)

    def test_failed_evaluation_is_a_failure(self) -> None:
        """An evaluation that failed is counted as a failure."""
        counted = tally(EvaluationStarted("t1"), graded("t1", EvalStatus.ERROR, None))
        assert counted.failed == 1

    def test_waiting_evaluation_is_counted_apart(
        self,
    ) -> None:
        """An evaluation that waits for a retry counts as waiting until it resumes."""
        counted = tally(EvaluationStarted("t1"), EvaluationStarted("t2"))
        for _ in range(2):  # two calls of one grading, each tried again
            counted.count(RetryScheduled("HTTP 503: busy", 30, "t1"), 0)
        assert (counted.evaluating, counted.waiting) == (1, 1)
        assert counted.next_retry is not None
        assert (counted.next_retry.name, counted.next_retry.until) == ("t1", 30)
        for _ in range(2):
            counted.count(EvaluationResumed("t1"), 30)
        assert (counted.evaluating, counted.waiting) == (2, 0)
        assert counted.next_retry is None
        counted.count(RetryScheduled("HTTP 503: busy", 30, "t1"), 40)
        counted.count(graded("t1", EvalStatus.ERROR, None), 41)  # given up
        assert (counted.evaluating, counted.waiting) == (1, 0)

    def test_stopped_evaluation_is_noted(
        self,
    ) -> None:
        """A stopped evaluation is over, and the note says that no new task starts."""
        counted = tally(EvaluationStarted("t1"), GenerationStarted("t2"))
        counted.count(EvaluationStopped("t1", "QuotaExceededError: used up"), 0)
        counted.count(generated("t2"), 0)
        assert counted.evaluating == 0
        assert counted.note(100) == "no new task starts: QuotaExceededError: used up"
        assert counted.remaining(100) is None

    def test_blocked_loop_is_noted(self) -> None:
        """A blocked loop is noted until the next event."""
        counted = tally(GenerationStarted("t1"), LoopBlocked("t1", 5.2))
        assert counted.note(1000) == "task t1 has not yielded for 5 s"
        counted.count(generated("t1"), 1000)
        assert counted.note(1000) is None
        assert tally(LoopBlocked(None, 5.2)).note(0) == "some code has not yielded for 5 s"

    def test_masked_answer_is_noted(self) -> None:
        """A task whose answer held a key is named for a while."""
        counted = tally(AnswerMasked("t1"))
        assert counted.note(0) == "the answer of task t1 held a key, masked"
        assert counted.note(1000) is None

    def test_retry_without_a_task_is_noted(self) -> None:
        """A retry that belongs to no task is noted until it is due."""
        counted = tally(GenerationStarted("t1"), RetryScheduled("the disk is full", 2))
        counted.count(GenerationStarted("t2"), 1)
        assert counted.note(1) == "a retry follows: the disk is full"
        assert counted.note(3) is None
        assert counted.generating == 2

    def test_earlier_work_counts(self) -> None:
        """Counts, costs and tokens of earlier invocations are included."""
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

    def test_next_invocation_resets_the_counts(self) -> None:
        """The next invocation resets the counts, unless both are about problems."""
        counted = tally(GenerationStarted("t1"), started(total=5))
        assert (counted.total, counted.generating) == (5, 0)
        counted = tally(
            GenerationStarted("t1"),
            started(total=1, problem=True),
            begins=started(total=1, problem=True),
        )
        assert (counted.total, counted.generating) == (2, 1)

    def test_parallel_problems_share_the_costs(self) -> None:
        """Problems that run at the same time share the costs of the run."""
        counted = tally(
            started(total=1, problem=True, cost=2.0), begins=started(total=1, problem=True)
        )
        assert counted.spend.dollars == 2.0


class TestMean:
    def test_incomplete_task_counts_in_the_mean(self) -> None:
        """A task that did not complete counts 0; one without a score does not count."""
        counted = tally(
            graded("t1"),
            graded("t2", EvalStatus.DID_NOT_COMPLETE, 0.0),
            graded("t3", EvalStatus.ERROR, None),
        )
        assert (counted.scores.count, counted.scores.mean) == (2, 0.5)


class TestPace:
    def test_rate_gives_the_remaining_time(self) -> None:
        """The rate counts tasks of this invocation and gives the remaining time."""
        counted = tally(begins=started(total=100, done=40))
        assert counted.rate(10) is None
        for second in range(1, 11):
            counted.count(graded(f"t{second}"), second)
            counted.count(graded(f"u{second}"), second)
        assert counted.rate(10) == pytest.approx(2.0)
        assert counted.remaining(10) == pytest.approx(20.0)

    def test_rate_is_that_of_the_last_minutes(self) -> None:
        """In a long run the rate is that of the last minutes."""
        counted = tally(begins=started(total=10**6))
        for second in range(1000):
            for number in range(10 if second < 500 else 2):
                counted.count(graded(f"{second}-{number}"), float(second))
        assert counted.rate(999) == pytest.approx(2.0, rel=0.05)

    def test_rate_sinks_without_progress(self) -> None:
        """The rate sinks while nothing is done."""
        counted = tally(begins=started(total=100))
        for second in range(1, 11):
            counted.count(graded(f"t{second}"), second)
        assert counted.rate(100) == pytest.approx(0.1)


class TestLongest:
    def test_longest_running_come_first(self) -> None:
        """The tasks that run longest come first."""
        counted = tally()
        for number in range(1000):
            counted.count(GenerationStarted(f"t{number}"), float(number))
        counted.count(generated("t1"), 1000)
        counted.count(EvaluationStarted("t1"), 1000)
        assert [each.name for each in counted.oldest(3)] == ["t0", "t2", "t3"]
