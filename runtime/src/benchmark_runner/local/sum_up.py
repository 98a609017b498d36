"""The score of submitted evaluations."""

from collections.abc import Mapping

from pydantic import BaseModel, JsonValue, ValidationError
from starlette.exceptions import HTTPException

from benchmark_runner._stats.means import mean
from benchmark_runner.errors import describe
from benchmark_runner.local.bodies import InvalidBodyError
from benchmark_runner.local.grader import TaskScore, score_of
from benchmark_runner.schemas import EvalStatus, FinalScoreResponse

__all__ = ["sum_up"]


class _Envelope(BaseModel):
    """A submitted evaluation, as far as scoring reads it."""

    status: EvalStatus
    result: JsonValue = None


def sum_up(
    submitted: Mapping[str, JsonValue],
    task_score: TaskScore,
    *,
    tasks_in_dataset: int,
    bare_results: bool,
) -> FinalScoreResponse:
    """Return the mean of the task scores; a task that is not evaluated counts 0.

    ``None`` is such a task; an evaluated one without a score is refused. With
    ``bare_results``, an evaluation may be the grader's result itself, as older runners submit it
    to the legacy API.
    """
    scores: list[float] = []
    evaluated = 0
    for task_id, evaluation in submitted.items():
        envelope = _envelope(task_id, evaluation, bare_results=bare_results)
        score = 0.0
        if envelope is not None and envelope.status is EvalStatus.EVALUATED:
            evaluated += 1
            score = _score(task_id, envelope.result, task_score)
        scores.append(score)
    return FinalScoreResponse(
        tasks_evaluated=list(submitted),
        final_score=mean(scores) or 0.0,
        metadata={
            "submitted": len(scores),
            "evaluated": evaluated,
            "counted_as_zero": len(scores) - evaluated,
            "tasks_in_dataset": tasks_in_dataset,
        },
    )


def _score(task_id: str, result: JsonValue, task_score: TaskScore) -> float:
    try:
        return score_of(result, task_score)
    except (RuntimeError, TypeError) as error:
        raise HTTPException(500, f"task {task_id!r}: {describe(error)}") from None


def _envelope(task_id: str, evaluation: JsonValue, *, bare_results: bool) -> _Envelope | None:
    if evaluation is None:
        return None
    try:
        return _Envelope.model_validate(evaluation)
    except ValidationError as error:
        if bare_results and isinstance(evaluation, dict):
            return _Envelope(status=EvalStatus.EVALUATED, result=evaluation)
        raise InvalidBodyError.of(error, "evaluation_results", task_id) from None
