from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import (
    EvalStatus,
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    ScoreCounts,
)
from tests.fakes import FakeRunner, RunFolder, first, summarise

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "results")


class TestCounts:
    def test_every_outcome_is_counted(self, run: RunFolder) -> None:
        """Each outcome is counted."""
        run.add_evaluation("right", 1.0)
        run.add_evaluation("wrong", 0.0)
        run.add_evaluation(
            "slow",
            status=EvalStatus.DID_NOT_COMPLETE,
            generated=GenerationStatus.MAX_TIME,
        )
        run.add_evaluation(
            "chatty",
            status=EvalStatus.DID_NOT_COMPLETE,
            generated=GenerationStatus.MAX_TURNS,
        )
        run.add_generation("broken", GenerationStatus.ERROR, error="ValueError: no")
        run.add_evaluation("ungradable", status=EvalStatus.ERROR, error="ServiceError: no")
        run.add_generation("ungraded")

        summary = summarise(FakeRunner(), run.artifacts, [*run.tasks, "missing"])

        assert summary.counts == ScoreCounts(
            total=8, attempted=7, scored=2, error=2, max_time=1, max_turns=1
        )
        assert summary.without_generation == first("missing")
        assert summary.without_eval == first("ungraded")
        assert not summary.complete

    def test_run_without_tasks_is_empty(self, run: RunFolder) -> None:
        """A run without tasks has no counts and no mean."""
        summary = summarise(FakeRunner(), run.artifacts, [])

        assert summary.counts == ScoreCounts()
        assert (summary.mean, summary.stderr) == (None, None)


class TestCompleteness:
    def test_results_and_timeouts_complete_a_run(self, run: RunFolder) -> None:
        """Results and outcomes without an evaluation make a run complete."""
        run.add_evaluation("t1", 0.0)
        run.add_evaluation("t2", None)
        for status in (GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS):
            run.add_evaluation(status.value, status=EvalStatus.DID_NOT_COMPLETE, generated=status)

        assert summarise(FakeRunner(), run.artifacts, run.tasks).complete

    @pytest.mark.parametrize("status", [EvalStatus.ERROR, EvalStatus.GENERATION_ERROR])
    def test_failed_evaluation_makes_it_incomplete(
        self, run: RunFolder, status: EvalStatus
    ) -> None:
        """An evaluation that failed makes the run incomplete."""
        run.add_evaluation("t1", 1.0)
        run.add_evaluation("t2", status=status)

        assert not summarise(FakeRunner(), run.artifacts, run.tasks).complete

    def test_failed_generation_makes_it_incomplete(self, run: RunFolder) -> None:
        """A generation that failed makes the run incomplete."""
        run.add_evaluation(
            "t1", status=EvalStatus.GENERATION_ERROR, generated=GenerationStatus.ERROR
        )

        assert not summarise(FakeRunner(), run.artifacts, run.tasks).complete

    def test_missing_task_makes_it_incomplete(self, run: RunFolder) -> None:
        """A task without a generation makes the run incomplete."""
        run.add_evaluation("t1", 1.0)

        assert not summarise(FakeRunner(), run.artifacts, ["t1", "t2"]).complete

    def test_stale_evaluation_makes_it_incomplete(self, run: RunFolder) -> None:
        """An evaluation of another generation makes the run incomplete."""
        run.add_evaluation("t1", 1.0)
        run.artifacts.save_generation("t1", GenerationResult(data="new"))

        summary = summarise(FakeRunner(), run.artifacts, ["t1"])

        assert not summary.complete
        assert summary.without_eval == first("t1")
        assert [*summary.scores] == []


class TestMean:
    def test_mean_is_over_scored_tasks(self, run: RunFolder) -> None:
        """Mean and standard error are over the evaluated tasks."""
        scores = [1.0, 0.0, 0.25, 1.0, 0.5]
        for index, score in enumerate(scores):
            run.add_evaluation(f"t{index}", {"pass_percentage": score})
        run.add_evaluation("failed", status=EvalStatus.ERROR)

        summary = summarise(FakeRunner(), run.artifacts, run.tasks)

        assert summary.mean == pytest.approx(statistics.fmean(scores))
        assert summary.stderr == pytest.approx(statistics.stdev(scores) / math.sqrt(len(scores)))

    def test_result_without_score_leaves_no_mean(self, run: RunFolder) -> None:
        """If an evaluated task has no score, there is no mean, error, interval or bound."""
        run.add_evaluation("t1", {"score": 0.5})
        run.add_evaluation("t2", {"verdict": "good"})
        run.add_evaluation(
            "t3", status=EvalStatus.DID_NOT_COMPLETE, generated=GenerationStatus.MAX_TIME
        )

        summary = summarise(FakeRunner(), run.artifacts, run.tasks)

        assert [*summary.scores] == [0.5, 0.0]
        assert summary.without_score == first("t2")
        assert {summary.mean, summary.stderr, summary.interval, summary.bounds} == {None}

    def test_incomplete_task_counts_zero(self, run: RunFolder) -> None:
        """A task that did not complete counts 0."""
        run.add_evaluation("t1", 1.0)
        run.add_evaluation(
            "t2", status=EvalStatus.DID_NOT_COMPLETE, generated=GenerationStatus.MAX_TIME
        )

        assert summarise(FakeRunner(), run.artifacts, run.tasks).mean == 0.5

    def test_an_error_counts_as_unknown(self, run: RunFolder) -> None:
        """An error counts as unknown."""
        run.add_evaluation("t1", 1.0)
        run.add_evaluation("t2", status=EvalStatus.ERROR)
        run.add_generation("t3", GenerationStatus.ERROR)

        assert [*summarise(FakeRunner(), run.artifacts, run.tasks).scores] == [1.0]

    def test_no_scores_have_no_mean(self, run: RunFolder) -> None:
        """Without scores there is neither mean nor standard error."""
        run.add_evaluation("t1", {"verdict": "good"})
        run.add_evaluation("t2", {"verdict": "bad"})

        summary = summarise(FakeRunner(), run.artifacts, run.tasks)

        assert (summary.mean, summary.stderr) == (None, None)
        assert summary.counts.scored == 2
        assert summary.complete

    def test_author_sets_the_task_score(self, run: RunFolder) -> None:
        """The author's task_score() decides the score of a task."""
        runner = FakeRunner(
            task_score=lambda result: 1.0 if result == {"verdict": "good"} else None
        )
        run.add_evaluation("t1", {"verdict": "good"})
        run.add_evaluation("t2", {"verdict": "odd"})

        assert [*summarise(runner, run.artifacts, run.tasks).scores] == [1.0]

    def test_failing_task_score_names_the_task(self, run: RunFolder) -> None:
        """A task_score() that fails is an error that names the task."""

        def task_score(result: JsonValue) -> float | None:
            raise KeyError("verdict")

        run.add_evaluation("t1", {})

        with pytest.raises(RunnerDefinitionError) as caught:
            summarise(FakeRunner(task_score=task_score), run.artifacts, run.tasks)

        assert "task_score() failed on task 't1': KeyError: 'verdict'" in caught.value.message

    @pytest.mark.parametrize("value", ["high", [1.0], {"score": 1.0}])
    def test_task_score_must_be_a_number(self, run: RunFolder, value: object) -> None:
        """A task_score() that returns no number is an error that names the task."""
        runner = FakeRunner(task_score=lambda _: value)
        run.add_evaluation("t1", {})
        run.add_evaluation("t2", {})

        with pytest.raises(RunnerDefinitionError, match=r"task_score\(\).*'t1'"):
            _ = summarise(runner, run.artifacts, run.tasks).mean

    @pytest.mark.parametrize("value", [math.nan, math.inf, 1e308, -1e308, 10**400])
    def test_task_score_beyond_reason_is_unknown(self, run: RunFolder, value: float) -> None:
        """A task score that is not finite, or beyond reason, counts as unknown."""
        runner = FakeRunner(task_score=lambda result: value if result == "odd" else 0.5)
        run.add_evaluation("t1", "odd")
        run.add_evaluation("t2", "fine")

        summary = summarise(runner, run.artifacts, run.tasks)

        assert (summary.without_score, summary.mean) == (first("t1"), None)


class TestBounds:
    def test_missing_results_count_0_and_1(self, run: RunFolder) -> None:
        """The bounds count what has no result as 0 and as 1."""
        run.add_evaluation("t1", 0.5)
        run.add_evaluation(
            "t2", status=EvalStatus.DID_NOT_COMPLETE, generated=GenerationStatus.MAX_TIME
        )
        run.add_evaluation("t3", status=EvalStatus.ERROR)
        run.add_generation("t4", GenerationStatus.ERROR)
        run.add_generation("t5")

        bounds = summarise(FakeRunner(), run.artifacts, [*run.tasks, "t6"]).bounds

        assert bounds is not None
        assert bounds.errors_as_0 == pytest.approx(0.5 / 6)
        assert bounds.errors_as_1 == pytest.approx(4.5 / 6)

    def test_bounds_of_a_complete_run_are_the_mean(self, run: RunFolder) -> None:
        """If all tasks have a result, both bounds are the mean."""
        for index, score in enumerate((1.0, 0.0, 0.25)):
            run.add_evaluation(f"t{index}", score)

        summary = summarise(FakeRunner(), run.artifacts, run.tasks)

        assert summary.bounds is not None
        assert summary.bounds.errors_as_0 == summary.bounds.errors_as_1 == summary.mean

    def test_bounds_need_all_scores(self, run: RunFolder) -> None:
        """If a result has no score, there are no bounds."""
        run.add_evaluation("t1", 1.0)
        run.add_evaluation("t2", "no number")

        assert summarise(FakeRunner(), run.artifacts, run.tasks).bounds is None

    def test_no_tasks_have_no_bounds(self, run: RunFolder) -> None:
        """Without tasks there are no bounds."""
        assert summarise(FakeRunner(), run.artifacts, []).bounds is None


class TestCosts:
    def test_costs_are_summed(self, run: RunFolder) -> None:
        """Costs are summed, and unknown ones are counted."""
        for task_id, cost in (("t1", 0.25), ("t2", 0.5), ("t3", None)):
            run.add_generation(task_id, cost=cost)

        spend = summarise(FakeRunner(), run.artifacts, [*run.tasks, "missing"]).spend

        assert (spend.dollars, spend.unknown) == (0.75, 1)


class TestGraders:
    def test_tasks_are_listed_by_grader(self, run: RunFolder) -> None:
        """Tasks are listed by the grader that evaluated them."""
        run.add_evaluation("t1", 1.0)
        run.add_evaluation(
            "t2", status=EvalStatus.DID_NOT_COMPLETE, generated=GenerationStatus.MAX_TIME
        )
        by = GradedBy("https://one.example.com", "v1", "1.0", "a")
        run.add_evaluation(
            "t3",
            service_url=by.service_url,
            evaluation_api=by.evaluation_api,
            service_version=by.service_version,
            evaluator_version=by.evaluator_version,
        )

        summary = summarise(FakeRunner(), run.artifacts, run.tasks)

        assert summary.graded == {GradedBy(None, None, None): first("t1"), by: first("t3")}
        assert summary.did_not_complete == 1


class TestFailures:
    @pytest.mark.parametrize("retryable", [True, False])
    def test_group_has_phase_kind_and_retryable(self, run: RunFolder, retryable: bool) -> None:
        """A group of failures has a phase, a kind and can be retried or not."""
        failure = Failure(phase=Phase.GENERATE, kind=FailureKind.TIMEOUT, retryable=retryable)
        for task_id in ("t1", "t2"):
            run.add_generation(task_id, GenerationStatus.ERROR, error="slow", failure=failure)

        (group,) = summarise(FakeRunner(), run.artifacts, run.tasks).failures

        assert (group.phase, group.kind) == (Phase.GENERATE, FailureKind.TIMEOUT)
        assert group.retryable is retryable

    def test_older_failure_has_no_kind(self, run: RunFolder) -> None:
        """A failure of an older run has no kind."""
        run.add_generation("t1", GenerationStatus.ERROR, error="slow")

        (group,) = summarise(FakeRunner(), run.artifacts, run.tasks).failures

        assert (group.kind, group.retryable) == (None, None)

    def test_failures_are_grouped_by_reason(self, run: RunFolder) -> None:
        """Failures are grouped by reason, the largest group first."""
        run.add_generation("t0", GenerationStatus.ERROR, error="ValueError: once")
        for index in range(1, 101):
            run.add_generation(f"t{index}", GenerationStatus.ERROR, error="TimeoutError")
        run.add_evaluation("t101", status=EvalStatus.ERROR, error="ServiceUnavailableError: down")
        run.add_evaluation("t102", status=EvalStatus.ERROR, error="ServiceUnavailableError: down")

        groups = summarise(FakeRunner(), run.artifacts, run.tasks).failures

        assert [(group.phase, group.error, len(group.keys)) for group in groups] == [
            ("generate", "TimeoutError", 100),
            ("evaluate", "ServiceUnavailableError: down", 2),
            ("generate", "ValueError: once", 1),
        ]
        assert groups[0].keys[:2] == first("t1", "t2")

    def test_phase_separates_groups(self, run: RunFolder) -> None:
        """The same reason in another phase is another group."""
        run.add_generation("t1", GenerationStatus.ERROR, error="TimeoutError")
        run.add_evaluation("t2", status=EvalStatus.ERROR, error="TimeoutError")

        assert len(summarise(FakeRunner(), run.artifacts, run.tasks).failures) == 2

    @pytest.mark.parametrize(
        "said", ["ServiceError: can't grade task {id!r}", "ValueError: {id}: no credit ({id})"]
    )
    def test_reasons_with_the_task_id_are_one_group(self, run: RunFolder, said: str) -> None:
        """Reasons that differ only in the task's id are one group."""
        for number in range(60):
            task_id = f"t{number}"
            run.add_generation(task_id, GenerationStatus.ERROR, error=said.format(id=task_id))

        (group,) = summarise(FakeRunner(), run.artifacts, run.tasks).failures

        assert len(group.keys) == 60
        assert "t0" not in group.error, "it stands for all of them"
        assert said.partition(" ")[0] in group.error

    def test_reason_of_one_task_is_whole(self, run: RunFolder) -> None:
        """The reason of a single task is shown whole."""
        run.add_generation("t1", GenerationStatus.ERROR, error="ValueError: no folder 't1' for t1")

        (group,) = summarise(FakeRunner(), run.artifacts, run.tasks).failures

        assert group.error == "ValueError: no folder 't1' for t1"

    def test_an_id_inside_another_word_is_no_id(self, run: RunFolder) -> None:
        """An id inside another word is not replaced."""
        run.add_generation("t1", GenerationStatus.ERROR, error="ValueError: port1")
        run.add_generation("or", GenerationStatus.ERROR, error="ValueError: port1")

        (group,) = summarise(FakeRunner(), run.artifacts, run.tasks).failures

        assert group.error == "ValueError: port1"

    def test_failure_without_a_reason_has_a_text(self, run: RunFolder) -> None:
        """A failure without a reason still has a text."""
        run.add_generation("t1", GenerationStatus.ERROR)

        (group,) = summarise(FakeRunner(), run.artifacts, run.tasks).failures

        assert group.error
