"""Have a run scored by the service, with one of its evals in memory at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.schemas import FinalScoreRequest, ScoreResult, V1ScoreRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.schemas import EvalResult


async def score_evals(
    runner: BenchmarkRunner, evals: Iterable[tuple[str, EvalResult | None]]
) -> ScoreResult:
    """What ``score()`` of a runner does by default.

    Args:
        runner: The author's runner; its API, run and dataset are those that are scored.
        evals: The tasks with their evals; taken in a thread, so that they may be read then.

    Raises:
        ServiceError: the service can't score them.
    """
    if runner.EVALUATION_API == "v1":
        request: FinalScoreRequest = V1ScoreRequest(
            run_id=runner.run_id, dataset=runner.dataset_name, evaluation_results={}
        )
        envelope = _v1_envelope
    else:
        request = FinalScoreRequest(dataset=runner.dataset_name, evaluation_results={})
        envelope = _legacy_envelope
    response = await runner.service.score_each(
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
