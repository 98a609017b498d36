"""Evaluation with the ``/v1`` API, and scoring with one evaluation in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    FinalScoreRequest,
    Phase,
    V1EvaluateRequest,
    V1ScoreRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from benchmark_runner.client.retry import RetryPolicy
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import FinalScoreResponse

__all__ = ["Shape", "evaluate_v1", "score_evals"]

#: The shape of a submitted evaluation: an envelope with its status, or the grader's bare result.
Shape = Literal["envelope", "result"]


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
        # The service's grader failed, which is the author's if local; a retry may succeed.
        kind = FailureKind.AUTHOR_CODE if client.local else FailureKind.BAD_RESPONSE
        result.failure = Failure(phase=Phase.EVALUATE, kind=kind, retryable=True)
    return result


async def score_evals(
    client: BenchmarkServiceClient,
    api: str,
    run_id: str,
    dataset: str | None,
    evals: Iterable[tuple[str, EvalResult | None]],
    *,
    shape: Shape = "envelope",
    retry: RetryPolicy | None = None,
) -> FinalScoreResponse:
    """Ask the service for the score of a run.

    Args:
        client: The client of the service.
        api: The API to ask: ``legacy``, or ``v1``, which takes envelopes only.
        run_id: The id of the run.
        dataset: The service's name of the dataset; ``None`` for its default one.
        evals: The tasks with their evaluations, which are read in a thread.
        shape: The shape of each evaluation; a task without one is submitted as ``null``.
        retry: How often and how long to retry, if not as the client does.
    """
    if api == "v1":
        request: FinalScoreRequest = V1ScoreRequest(
            run_id=run_id, dataset=dataset, evaluation_results={}
        )
        submitted = _v1_envelope
    else:
        request = FinalScoreRequest(dataset=dataset, evaluation_results={})
        submitted = _legacy_envelope if shape == "envelope" else EvalResult.result_json
    results = ((task_id, submitted(each) if each else None) for task_id, each in evals)
    return await client.score_each(request, results, retry=retry)


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
