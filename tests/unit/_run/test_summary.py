from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.summary import CurrentEvals, summarise
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    ScoreCounts,
    Task,
)

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner.llm import LLMConfig


class Runner(BenchmarkRunner):
    NAME = "my-bench"

    async def generate(
        self,
        task: Task,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        return GenerationResult(data=task.question)


class RunFolder:
    """Puts a run's results on disk."""

    def __init__(self, folder: Path) -> None:
        self.artifacts = RunArtifacts(folder, "run-1")
        self.tasks: list[str] = []

    def generated(
        self,
        task_id: str,
        status: GenerationStatus = GenerationStatus.SUCCESS,
        error: str | None = None,
    ) -> str:
        self.tasks.append(task_id)
        generation = GenerationResult(task_id=task_id, status=status, error=error)
        return self.artifacts.save_generation(task_id, generation)

    def graded(
        self,
        task_id: str,
        result: JsonValue = None,
        status: EvalStatus = EvalStatus.EVALUATED,
        generated: GenerationStatus = GenerationStatus.SUCCESS,
        error: str | None = None,
    ) -> None:
        content_hash = self.generated(task_id, generated)
        self.artifacts.save_eval(
            task_id,
            EvalResult(
                task_id=task_id,
                status=status,
                result=result,
                error=error,
                generation_hash=content_hash,
            ),
        )


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "results")


class TestCounts:
    def test_every_outcome_is_counted(self, run: RunFolder) -> None:
        run.graded("right", 1.0)
        run.graded("wrong", 0.0)
        run.graded(
            "slow",
            status=EvalStatus.DID_NOT_COMPLETE,
            generated=GenerationStatus.MAX_TIME,
        )
        run.graded(
            "chatty",
            status=EvalStatus.DID_NOT_COMPLETE,
            generated=GenerationStatus.MAX_TURNS,
        )
        run.generated("broken", GenerationStatus.ERROR, "ValueError: no")
        run.graded("ungradable", status=EvalStatus.ERROR, error="ServiceError: no")
        run.generated("ungraded")

        summary = summarise(Runner("local"), run.artifacts, [*run.tasks, "missing"])

        assert summary.counts == ScoreCounts(
            total=8, attempted=7, scored=2, error=2, max_time=1, max_turns=1
        )
        assert summary.without_generation == ["missing"]
        assert summary.without_eval == ["ungraded"]
        assert not summary.complete

    def test_a_run_without_tasks_has_nothing(self, run: RunFolder) -> None:
        summary = summarise(Runner("local"), run.artifacts, [])

        assert summary.counts == ScoreCounts()
        assert (summary.mean, summary.stderr) == (None, None)


class TestCompleteness:
    def test_grades_and_what_ran_out_of_time_or_turns_make_a_run_complete(
        self, run: RunFolder
    ) -> None:
        run.graded("t1", 0.0)
        run.graded("t2", None)
        for status in (GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS):
            run.graded(status.value, status=EvalStatus.DID_NOT_COMPLETE, generated=status)

        assert summarise(Runner("local"), run.artifacts, run.tasks).complete

    @pytest.mark.parametrize("status", [EvalStatus.ERROR, EvalStatus.GENERATION_ERROR])
    def test_an_eval_that_failed_makes_it_incomplete(
        self, run: RunFolder, status: EvalStatus
    ) -> None:
        run.graded("t1", 1.0)
        run.graded("t2", status=status)

        assert not summarise(Runner("local"), run.artifacts, run.tasks).complete

    def test_a_generation_that_failed_makes_it_incomplete(self, run: RunFolder) -> None:
        run.graded("t1", status=EvalStatus.GENERATION_ERROR, generated=GenerationStatus.ERROR)

        assert not summarise(Runner("local"), run.artifacts, run.tasks).complete

    def test_a_task_that_has_nothing_makes_it_incomplete(self, run: RunFolder) -> None:
        run.graded("t1", 1.0)

        assert not summarise(Runner("local"), run.artifacts, ["t1", "t2"]).complete

    def test_an_eval_of_another_generation_makes_it_incomplete(self, run: RunFolder) -> None:
        run.graded("t1", 1.0)
        run.artifacts.save_generation("t1", GenerationResult(data="new"))

        summary = summarise(Runner("local"), run.artifacts, ["t1"])

        assert not summary.complete
        assert summary.without_eval == ["t1"]
        assert [*summary.scores] == []


class TestMean:
    def test_it_and_its_standard_error_are_over_the_tasks_that_have_a_score(
        self, run: RunFolder
    ) -> None:
        scores = [1.0, 0.0, 0.25, 1.0, 0.5]
        for index, score in enumerate(scores):
            run.graded(f"t{index}", {"pass_percentage": score})
        run.graded("unknown", "no number")
        run.graded("failed", status=EvalStatus.ERROR)

        summary = summarise(Runner("local"), run.artifacts, run.tasks)

        assert summary.mean == pytest.approx(statistics.fmean(scores))
        assert summary.stderr == pytest.approx(statistics.stdev(scores) / math.sqrt(len(scores)))

    def test_a_task_that_did_not_complete_counts_zero(self, run: RunFolder) -> None:
        run.graded("t1", 1.0)
        run.graded("t2", status=EvalStatus.DID_NOT_COMPLETE, generated=GenerationStatus.MAX_TIME)

        assert summarise(Runner("local"), run.artifacts, run.tasks).mean == 0.5

    def test_an_error_counts_as_unknown(self, run: RunFolder) -> None:
        run.graded("t1", 1.0)
        run.graded("t2", status=EvalStatus.ERROR)
        run.generated("t3", GenerationStatus.ERROR)

        assert [*summarise(Runner("local"), run.artifacts, run.tasks).scores] == [1.0]

    def test_without_any_score_there_is_no_standard_error(self, run: RunFolder) -> None:
        run.graded("t1", {"verdict": "good"})
        run.graded("t2", {"verdict": "bad"})

        summary = summarise(Runner("local"), run.artifacts, run.tasks)

        assert (summary.mean, summary.stderr) == (None, None)
        assert summary.counts.scored == 2
        assert summary.complete

    def test_the_author_says_what_a_task_counts(self, run: RunFolder) -> None:
        class Verdict(Runner):
            def task_score(self, result: JsonValue) -> float | None:
                return 1.0 if result == {"verdict": "good"} else None

        run.graded("t1", {"verdict": "good"})
        run.graded("t2", {"verdict": "odd"})

        assert [*summarise(Verdict("local"), run.artifacts, run.tasks).scores] == [1.0]

    def test_an_authors_score_that_fails_is_told_with_the_task(self, run: RunFolder) -> None:
        class Failing(Runner):
            def task_score(self, result: JsonValue) -> float | None:
                raise KeyError("verdict")

        run.graded("t1", {})

        with pytest.raises(RunnerDefinitionError) as caught:
            summarise(Failing("local"), run.artifacts, run.tasks)

        assert "task_score() failed on task 't1': KeyError: 'verdict'" in caught.value.message

    @pytest.mark.parametrize("value", ["high", [1.0], {"score": 1.0}])
    def test_an_authors_score_that_is_no_number_is_told_with_the_task(
        self, run: RunFolder, value: object
    ) -> None:
        class Odd(Runner):
            def task_score(self, result: JsonValue) -> float | None:
                return value  # pyright: ignore[reportReturnType]

        run.graded("t1", {})
        run.graded("t2", {})

        with pytest.raises(RunnerDefinitionError, match=r"task_score\(\).*'t1'"):
            _ = summarise(Odd("local"), run.artifacts, run.tasks).mean

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_an_authors_score_that_is_not_finite_counts_as_unknown(
        self, run: RunFolder, value: float
    ) -> None:
        class Odd(Runner):
            def task_score(self, result: JsonValue) -> float | None:
                return value if result == "odd" else 0.5

        run.graded("t1", "odd")
        run.graded("t2", "fine")

        assert summarise(Odd("local"), run.artifacts, run.tasks).mean == 0.5


class TestBounds:
    def test_what_has_no_grade_counts_0_and_1(self, run: RunFolder) -> None:
        run.graded("t1", 0.5)
        run.graded("t2", status=EvalStatus.DID_NOT_COMPLETE, generated=GenerationStatus.MAX_TIME)
        run.graded("t3", status=EvalStatus.ERROR)
        run.generated("t4", GenerationStatus.ERROR)
        run.generated("t5")

        bounds = summarise(Runner("local"), run.artifacts, [*run.tasks, "t6"]).bounds

        assert bounds is not None
        assert bounds.errors_as_0 == pytest.approx(0.5 / 6)
        assert bounds.errors_as_1 == pytest.approx(4.5 / 6)

    def test_where_all_is_graded_they_are_the_mean(self, run: RunFolder) -> None:
        for index, score in enumerate((1.0, 0.0, 0.25)):
            run.graded(f"t{index}", score)

        summary = summarise(Runner("local"), run.artifacts, run.tasks)

        assert summary.bounds is not None
        assert summary.bounds.errors_as_0 == summary.bounds.errors_as_1 == summary.mean

    def test_without_a_score_for_each_grade_there_are_none(self, run: RunFolder) -> None:
        run.graded("t1", 1.0)
        run.graded("t2", "no number")

        assert summarise(Runner("local"), run.artifacts, run.tasks).bounds is None

    def test_without_tasks_there_are_none(self, run: RunFolder) -> None:
        assert summarise(Runner("local"), run.artifacts, []).bounds is None


class TestCosts:
    def test_they_are_summed_and_what_is_not_known_is_counted(self, run: RunFolder) -> None:
        for task_id, cost in (("t1", 0.25), ("t2", 0.5), ("t3", None)):
            run.tasks.append(task_id)
            run.artifacts.save_generation(task_id, GenerationResult(cost=cost))

        costs = summarise(Runner("local"), run.artifacts, [*run.tasks, "missing"]).costs

        assert (costs.dollars, costs.unknown) == (0.75, 1)


class TestGraders:
    def test_who_graded_which_tasks_is_told(self, run: RunFolder) -> None:
        run.graded("t1", 1.0)
        run.graded("t2", status=EvalStatus.DID_NOT_COMPLETE, generated=GenerationStatus.MAX_TIME)
        content_hash = run.generated("t3")
        by = GradedBy("https://one.example.com", "v1", "1.0", "a")
        run.artifacts.save_eval(
            "t3",
            EvalResult(
                task_id="t3",
                status=EvalStatus.EVALUATED,
                generation_hash=content_hash,
                service_url=by.service_url,
                evaluation_api=by.evaluation_api,
                service_version=by.service_version,
                evaluator_version=by.evaluator_version,
            ),
        )

        summary = summarise(Runner("local"), run.artifacts, run.tasks)

        assert summary.graded == {GradedBy(None, None, None): ["t1"], by: ["t3"]}
        assert summary.did_not_complete == 1


class TestFailures:
    @pytest.mark.parametrize("retryable", [True, False])
    def test_a_group_says_whose_failure_it_was(self, run: RunFolder, retryable: bool) -> None:
        failure = Failure(phase=Phase.GENERATE, kind=FailureKind.TIMEOUT, retryable=retryable)
        for task_id in ("t1", "t2"):
            run.tasks.append(task_id)
            run.artifacts.save_generation(
                task_id,
                GenerationResult(status=GenerationStatus.ERROR, error="slow", failure=failure),
            )

        (group,) = summarise(Runner("local"), run.artifacts, run.tasks).failures

        assert (group.phase, group.kind) == (Phase.GENERATE, FailureKind.TIMEOUT)
        assert group.retryable is retryable

    def test_of_an_older_run_nobody_can_say(self, run: RunFolder) -> None:
        run.generated("t1", GenerationStatus.ERROR, "slow")

        (group,) = summarise(Runner("local"), run.artifacts, run.tasks).failures

        assert (group.kind, group.retryable) == (None, None)

    def test_they_are_grouped_by_reason_the_largest_group_first(self, run: RunFolder) -> None:
        run.generated("t0", GenerationStatus.ERROR, "ValueError: once")
        for index in range(1, 101):
            run.generated(f"t{index}", GenerationStatus.ERROR, "TimeoutError")
        run.graded("t101", status=EvalStatus.ERROR, error="ServiceUnavailableError: down")
        run.graded("t102", status=EvalStatus.ERROR, error="ServiceUnavailableError: down")

        groups = summarise(Runner("local"), run.artifacts, run.tasks).failures

        assert [(group.phase, group.error, len(group.task_ids)) for group in groups] == [
            ("generate", "TimeoutError", 100),
            ("evaluate", "ServiceUnavailableError: down", 2),
            ("generate", "ValueError: once", 1),
        ]
        assert groups[0].task_ids[:2] == ["t1", "t2"]

    def test_the_same_reason_in_another_phase_is_another_group(self, run: RunFolder) -> None:
        run.generated("t1", GenerationStatus.ERROR, "TimeoutError")
        run.graded("t2", status=EvalStatus.ERROR, error="TimeoutError")

        assert len(summarise(Runner("local"), run.artifacts, run.tasks).failures) == 2

    @pytest.mark.parametrize(
        "said", ["ServiceError: can't grade task {id!r}", "ValueError: {id}: no credit ({id})"]
    )
    def test_reasons_that_hold_the_tasks_own_id_are_one_group(
        self, run: RunFolder, said: str
    ) -> None:
        for number in range(60):
            task_id = f"t{number}"
            run.generated(task_id, GenerationStatus.ERROR, said.format(id=task_id))

        (group,) = summarise(Runner("local"), run.artifacts, run.tasks).failures

        assert len(group.task_ids) == 60
        assert "t0" not in group.error, "it stands for all of them"
        assert said.partition(" ")[0] in group.error

    def test_a_reason_of_one_task_is_told_whole(self, run: RunFolder) -> None:
        run.generated("t1", GenerationStatus.ERROR, "ValueError: no folder 't1' for t1")

        (group,) = summarise(Runner("local"), run.artifacts, run.tasks).failures

        assert group.error == "ValueError: no folder 't1' for t1"

    def test_an_id_inside_another_word_is_no_id(self, run: RunFolder) -> None:
        run.generated("t1", GenerationStatus.ERROR, "ValueError: port1")
        run.generated("or", GenerationStatus.ERROR, "ValueError: port1")

        (group,) = summarise(Runner("local"), run.artifacts, run.tasks).failures

        assert group.error == "ValueError: port1"

    def test_a_failure_without_a_reason_is_still_told(self, run: RunFolder) -> None:
        run.generated("t1", GenerationStatus.ERROR)

        (group,) = summarise(Runner("local"), run.artifacts, run.tasks).failures

        assert group.error


class TestCurrentEvals:
    def test_they_come_in_the_order_of_the_tasks(self, run: RunFolder) -> None:
        for task_id in ("z", "a", "m"):
            run.graded(task_id, 1.0)

        evals = CurrentEvals(run.artifacts, ["m", "z", "nothing", "a"]).read()

        assert [result.task_id for result in evals] == ["m", "z", "a"]

    def test_an_eval_of_another_generation_is_not_among_them(self, run: RunFolder) -> None:
        run.graded("t1", 1.0)
        run.artifacts.save_generation("t1", GenerationResult(data="new"))
        run.graded("t2", 1.0)
        run.artifacts.generation_path("t2").unlink()

        assert CurrentEvals(run.artifacts, run.tasks).read() == []
