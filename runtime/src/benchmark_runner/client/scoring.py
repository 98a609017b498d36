"""Evaluation with the ``/v1`` API, and scoring with one evaluation in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    FinalScoreRequest,
    Phase,
    ScoreResult,
    V1EvaluateRequest,
    V1ScoreRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from benchmark_runner.client.service_client import BenchmarkServiceClient

__all__ = ["evaluate_v1", "score_evals"]


async def evaluate_v1(client: BenchmarkServiceClient, request: V1EvaluateRequest) -> EvalResult:
    """Evaluate one generation with the ``/v1`` API."""
    response = await client.evaluate(request)
    result = EvalResult(
        task_id=request.task_id,
        status=response.status,
        result=response.result,
        errors=response.errors,
        evaluator_version=response.evaluator_version,
    )
    if response.status is EvalStatus.ERROR:
        result.error = "; ".join(response.errors) or "the service gave no reason"
        # The service's grader failed; a retry may succeed.
        result.failure = Failure(
            phase=Phase.EVALUATE, kind=FailureKind.BAD_RESPONSE, retryable=True
        )
    return result


async def score_evals(
    client: BenchmarkServiceClient,
    evaluation_api: str,
    run_id: str,
    dataset: str | None,
    evals: Iterable[tuple[str, EvalResult | None]],
) -> ScoreResult:
    """Ask the service for the score of a run by the API ``legacy`` or ``v1``.

    The evaluations are read in a thread. Without a dataset, it is the service's default one.
    """
    if evaluation_api == "v1":
        request: FinalScoreRequest = V1ScoreRequest(
            run_id=run_id, dataset=dataset, evaluation_results={}
        )
        envelope = _v1_envelope
    else:
        request = FinalScoreRequest(dataset=dataset, evaluation_results={})
        envelope = _legacy_envelope
    response = await client.score_each(
        request,
        ((task_id, None if result is None else envelope(result)) for task_id, result in evals),
    )
    return ScoreResult(
        tasks_evaluated=response.tasks_evaluated,
        final_score=response.final_score,
        metadata=response.metadata,
    )


def _legacy_envelope(result: EvalResult) -> JsonValue:
    return {
        "task_id": result.task_id,
        "status": result.status.value,
        "result": result.result_json(),
        "error": result.error,
    }


def _v1_envelope(result: EvalResult) -> JsonValue:
    errors: list[JsonValue] = [*(result.errors or ([result.error] if result.error else []))]
    return {"status": result.status.value, "result": result.result_json(), "errors": errors}
