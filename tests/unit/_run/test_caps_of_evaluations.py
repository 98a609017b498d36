"""Evaluations that fail in the same way again and again."""

from __future__ import annotations

import pytest

from benchmark_runner._run.caps import Caps
from benchmark_runner.schemas import EvalResult, EvalStatus, Failure, FailureKind, Phase


def evaluated(
    kind: FailureKind | None = None, error: str = "NotFoundError: could not evaluate task {!r}"
) -> EvalResult:
    if kind is None:
        return EvalResult(task_id="", status=EvalStatus.EVALUATED, result=1.0)
    failure = Failure(phase=Phase.EVALUATE, kind=kind, retryable=False)
    return EvalResult(task_id="", status=EvalStatus.ERROR, error=error, failure=failure)


def count_evaluations(caps: Caps, *results: EvalResult) -> None:
    for number, result in enumerate(results):
        task_id = f"task-{number}"
        error = result.error and result.error.format(task_id)
        caps.count_evaluation(task_id, result.model_copy(update={"error": error}))


class TestIdenticalEvaluationErrors:
    @pytest.mark.parametrize(
        "kind", [FailureKind.BAD_RESPONSE, FailureKind.AUTHOR_CODE, FailureKind.QUOTA]
    )
    def test_ten_identical_errors_pause_the_run(self, kind: FailureKind) -> None:
        """Ten identical evaluation failures in a row pause generation and evaluation."""
        caps = Caps()
        count_evaluations(caps, *[evaluated(kind)] * 9)
        assert caps.reached() is None
        count_evaluations(caps, evaluated(kind))
        reached = caps.reached()
        assert reached is not None
        assert reached.message == (
            "paused after 10 evaluations in a row failed in the same way: "
            "NotFoundError: could not evaluate task …"
        )
        assert caps.evaluations_reached() is not None

    @pytest.mark.parametrize(
        "kind", [FailureKind.SERVICE_UNAVAILABLE, FailureKind.TIMEOUT, FailureKind.CANCELLED]
    )
    def test_passing_errors_do_not_pause_it(self, kind: FailureKind) -> None:
        """Failures that pass with time do not pause the run: the answers can count later."""
        caps = Caps()
        count_evaluations(caps, *[evaluated(kind)] * 20)
        assert caps.reached() is None

    @pytest.mark.parametrize(
        "between",
        [
            evaluated(),
            evaluated(FailureKind.TIMEOUT),
            evaluated(FailureKind.BAD_RESPONSE, "other"),
        ],
    )
    def test_other_outcome_resets_the_count(self, between: EvalResult) -> None:
        """Any other outcome in between resets the count."""
        caps = Caps()
        failure = evaluated(FailureKind.BAD_RESPONSE)
        count_evaluations(caps, *[failure] * 9, between, *[failure] * 9)
        assert caps.evaluations_reached() is None

    def test_what_is_not_sent_does_not_count(self) -> None:
        """A generation that is not sent to the grader neither counts nor resets the count."""
        caps = Caps()
        failure = evaluated(FailureKind.BAD_RESPONSE)
        unsent = EvalResult(task_id="", status=EvalStatus.DID_NOT_COMPLETE)
        count_evaluations(caps, *[failure] * 9, unsent, failure)
        assert caps.evaluations_reached() is not None
