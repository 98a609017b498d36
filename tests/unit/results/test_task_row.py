from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.summary import Summariser
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.task_row import COLUMNS, TaskRow, TaskState, make_row, row_as_json
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    TokenUsage,
)
from tests.fakes import FakeRunner

MOMENT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def put(
    artifacts: RunArtifacts,
    generation: GenerationResult | None = None,
    status: EvalStatus | None = None,
    **fields: Any,
) -> TaskRow:
    """Put a task on disk and return its row."""
    if generation is not None:
        fields.setdefault("generation_hash", artifacts.save_generation("t1", generation))
    if status is not None:
        artifacts.save_eval("t1", EvalResult(task_id="t1", status=status, **fields))
    task = TaskFiles(artifacts, "t1")
    return make_row(task, Summariser(FakeRunner()).add(task))


def generated(status: str = "success", **fields: Any) -> GenerationResult:
    return GenerationResult(task_id="t1", status=status, **fields)


class TestTheState:
    @pytest.mark.parametrize(
        ("generation", "status", "state", "score"),
        [
            (generated(), EvalStatus.EVALUATED, TaskState.SCORED, 0.5),
            (generated("max_time"), EvalStatus.DID_NOT_COMPLETE, TaskState.TIMED_OUT, 0),
            (generated("max_time"), None, TaskState.TIMED_OUT, None),
            (generated("max_turns"), EvalStatus.DID_NOT_COMPLETE, TaskState.OUT_OF_TURNS, 0),
            (generated(), EvalStatus.DID_NOT_COMPLETE, TaskState.DID_NOT_COMPLETE, 0),
            (generated("error"), None, TaskState.FAILED_GENERATING, None),
            (
                generated("error"),
                EvalStatus.GENERATION_ERROR,
                TaskState.FAILED_GENERATING,
                None,
            ),
            (generated(), EvalStatus.ERROR, TaskState.FAILED_GRADING, None),
            (generated(), EvalStatus.GENERATION_ERROR, TaskState.NOT_GRADED, None),
            (generated(), None, TaskState.NOT_GRADED, None),
            (None, None, TaskState.NOT_GENERATED, None),
        ],
    )
    def test_state_follows_generation_and_evaluation(
        self,
        artifacts: RunArtifacts,
        generation: GenerationResult | None,
        status: EvalStatus | None,
        state: TaskState,
        score: float | None,
    ) -> None:
        """The state of a task follows from its generation and its evaluation."""
        row = put(artifacts, generation, status, result=0.5)

        assert (row.state, row.score) == (state, score)
        assert row.generation_status == (generation.status if generation else None)
        assert row.eval_status == status

    def test_stale_evaluation_counts_for_nothing(self, artifacts: RunArtifacts) -> None:
        """An evaluation of another generation does not count."""
        row = put(artifacts, generated(), EvalStatus.EVALUATED, result=1, generation_hash="another")

        assert (row.state, row.score, row.stale_eval) == (TaskState.NOT_GRADED, None, True)

    def test_matching_evaluation_is_not_stale(self, artifacts: RunArtifacts) -> None:
        """An evaluation of the current generation is not stale."""
        assert not put(artifacts, generated(), EvalStatus.EVALUATED, result=1).stale_eval

    def test_finished_states(self) -> None:
        """The states that need nothing more are the finished ones."""
        assert {state for state in TaskState if state.is_done} == {
            TaskState.SCORED,
            TaskState.TIMED_OUT,
            TaskState.OUT_OF_TURNS,
            TaskState.DID_NOT_COMPLETE,
        }


class TestAFailure:
    FAILURE = Failure(
        phase=Phase.EVALUATE, kind=FailureKind.QUOTA, retryable=True, hint="Wait until tomorrow."
    )

    def test_failure_of_a_generation(self, artifacts: RunArtifacts) -> None:
        """A failed generation gives its own failure."""
        failure = Failure(phase=Phase.GENERATE, kind=FailureKind.AUTHOR_CODE, retryable=False)
        row = put(artifacts, generated("error", error="ValueError: no", failure=failure))

        assert (row.phase, row.kind) == (Phase.GENERATE, FailureKind.AUTHOR_CODE)
        assert (row.error, row.retryable, row.hint) == ("ValueError: no", False, None)

    def test_failure_of_an_evaluation(self, artifacts: RunArtifacts) -> None:
        """A failed evaluation gives its own failure, with the hint."""
        row = put(artifacts, generated(), EvalStatus.ERROR, error="Quota: no", failure=self.FAILURE)

        assert (row.phase, row.kind) == (Phase.EVALUATE, FailureKind.QUOTA)
        assert (row.error, row.retryable) == ("Quota: no", True)
        assert row.hint == "Wait until tomorrow."

    def test_older_failure_has_its_phase(self, artifacts: RunArtifacts) -> None:
        """A failure of an older run has at least its phase."""
        row = put(artifacts, generated("error", error="ValueError: no"))

        assert (row.phase, row.kind, row.retryable) == (Phase.GENERATE, None, None)


class TestWhatItTook:
    def test_row_has_the_facts_of_the_generation(self, artifacts: RunArtifacts) -> None:
        """A row has the tokens, cost, times, turns and model of the generation."""
        usage = TokenUsage(input=1, output=2, reasoning=3, cache_read=4, cache_write=5)
        generation = generated(
            usage=usage,
            cost=0.25,
            duration=1.5,
            total_turns=7,
            attempts=3,
            model="m",
            log_dir="logs",
            started_at=MOMENT,
            ended_at=MOMENT.replace(tzinfo=None),
        )
        row = put(artifacts, generation, EvalStatus.EVALUATED, duration=2.5)

        assert (row.input_tokens, row.output_tokens, row.reasoning_tokens) == (1, 2, 3)
        assert (row.cache_read_tokens, row.cache_write_tokens) == (4, 5)
        assert (row.cost, row.cost_of_earlier_attempts) == (0.25, None)
        assert (row.generation_seconds, row.grading_seconds) == (1.5, 2.5)
        assert (row.total_turns, row.attempts, row.model, row.log_dir) == (7, 3, "m", "logs")
        assert (row.started_at, row.ended_at) == (MOMENT, MOMENT)

    def test_unknown_is_not_zero(self, artifacts: RunArtifacts) -> None:
        """A value that is not known is none and not 0."""
        row = put(artifacts, generated())

        assert (row.input_tokens, row.cost, row.cost_of_earlier_attempts) == (None, None, None)
        assert row.attempts == 1

    def test_impossible_cost_is_unknown(self, artifacts: RunArtifacts) -> None:
        """A negative cost is unknown."""
        assert put(artifacts, generated(cost=-1.0)).cost is None

    def test_earlier_attempts_cost_is_separate(self, artifacts: RunArtifacts) -> None:
        """The cost of earlier attempts is separate."""
        for cost in (0.5, 0.25, None):
            artifacts.save_generation("t1", generated("error", cost=cost))
            artifacts.keep_attempt("t1")

        assert put(artifacts).cost_of_earlier_attempts == 0.75
        assert put(artifacts).attempts == 3
        assert put(artifacts, generated(cost=1)).cost == 1
        assert put(artifacts).attempts == 4

    def test_row_names_the_grader(self, artifacts: RunArtifacts) -> None:
        """A row names the grader, if there was one."""
        by = GradedBy("https://bench.example", "v1", "1.0", "2.0")
        row = put(
            artifacts,
            generated(),
            EvalStatus.EVALUATED,
            service_url=by.service_url,
            evaluation_api=by.evaluation_api,
            service_version=by.service_version,
            evaluator_version=by.evaluator_version,
        )

        assert row.graded_by == by
        assert put(artifacts, generated("max_turns"), EvalStatus.DID_NOT_COMPLETE).graded_by is None


class TestFilesThatCannotBeRead:
    @pytest.mark.parametrize(
        ("name", "state"),
        [
            ("generation.json", TaskState.NOT_GENERATED),
            ("eval.json", TaskState.NOT_GRADED),
        ],
    )
    def test_unreadable_file_marks_the_row(
        self, artifacts: RunArtifacts, name: str, state: TaskState
    ) -> None:
        """A file that can't be read marks the row."""
        assert not put(artifacts, generated(), EvalStatus.EVALUATED).unreadable
        (artifacts.task_dir("t1") / name).write_text("{")

        row = put(artifacts)

        assert (row.state, row.unreadable) == (state, True)


class TestAsPlainValues:
    def test_flat_row_has_the_same_columns(self, artifacts: RunArtifacts) -> None:
        """A flat row always has the same columns."""
        rows = [put(artifacts), put(artifacts, generated(), EvalStatus.EVALUATED)]

        assert [tuple(row_as_json(row)) for row in rows] == [(*COLUMNS,)] * 2

    def test_flat_row_is_plain_json(self, artifacts: RunArtifacts) -> None:
        """A flat row holds only values of JSON."""
        row = put(
            artifacts,
            generated(started_at=MOMENT, duration=math.inf),
            EvalStatus.EVALUATED,
            result=1,
            service_url="local",
            evaluation_api="legacy",
        )

        plain = row_as_json(row)

        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert (plain["state"], plain["score"]) == ("scored", 1)
        assert plain["started_at"] == "2026-05-04T03:02:01+00:00"
        assert plain["generation_seconds"] is None
        assert (plain["service_url"], plain["service_version"]) == ("local", None)
        assert "graded_by" not in plain


class TestTheGradeAsText:
    @pytest.mark.parametrize(
        ("status", "result", "text"),
        [
            (EvalStatus.EVALUATED, {"b": "é", "a": [1]}, '{"b": "é", "a": [1]}'),
            (EvalStatus.EVALUATED, None, "null"),
            (EvalStatus.DID_NOT_COMPLETE, None, None),
            (EvalStatus.ERROR, {"partly": 1}, '{"partly": 1}'),
        ],
    )
    def test_result_as_text_is_the_graders(
        self, artifacts: RunArtifacts, status: EvalStatus, result: Any, text: str | None
    ) -> None:
        """The result as text is what the grader answered."""
        put(artifacts, generated(), status, result=result)

        assert TaskFiles(artifacts, "t1").result_text == text

    def test_no_evaluation_has_no_text(self, artifacts: RunArtifacts) -> None:
        """Without an evaluation there is no text."""
        assert TaskFiles(artifacts, "t1").result_text is None


def test_a_row_holds_no_long_text(artifacts: RunArtifacts) -> None:
    """A row holds no long text."""
    long = "long " * 1000
    row = put(
        artifacts,
        generated(question=long, answer=long, metadata={"trace": long}),
        EvalStatus.EVALUATED,
        result={"reasoning": long},
    )

    assert "long" not in repr(row)
    assert row.generation_status is GenerationStatus.SUCCESS
