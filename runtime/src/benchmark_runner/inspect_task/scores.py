"""Evaluations as scores of Inspect."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from benchmark_runner._run.task_value import task_value
from benchmark_runner.results.export.inspect_log.score import reason_in
from benchmark_runner.schemas import EvalResult, EvalStatus

if TYPE_CHECKING:
    from inspect_ai.scorer import Score
    from pydantic import JsonValue

    from benchmark_runner._redaction import Redactor
    from benchmark_runner.base import BenchmarkRunner

__all__ = ["no_answer", "score_of", "unscored"]

_INCOMPLETE = "did not complete"


def score_of(
    runner: BenchmarkRunner, evaluated: EvalResult, answer: str, redactor: Redactor
) -> Score:
    """Return the score of an evaluation: 0 of what did not complete, none of an error."""
    from inspect_ai.scorer import Score

    value = task_value(runner, evaluated)
    result = redactor.clean_value(evaluated.result_json())
    if value is None:
        reason = "grader_failed" if evaluated.status is EvalStatus.ERROR else "scoring_failed"
        why = evaluated.error or "the result holds no number that counts"
        return unscored(redactor.clean_text(why), answer, reason, result)
    completed = evaluated.status is not EvalStatus.DID_NOT_COMPLETE
    explanation = reason_in(cast("JsonValue", result)) if completed else _INCOMPLETE
    return Score(
        value=value, answer=answer, explanation=explanation, metadata=_metadata(evaluated, result)
    )


def unscored(why: str, answer: str, reason: str = "grader_failed", result: object = None) -> Score:
    """Return a score that counts in no metric, with the reason."""
    from inspect_ai.scorer import Score

    metadata = None if result is None else {"result": result}
    return Score.unscored(reason=reason, answer=answer, explanation=why, metadata=metadata)


def no_answer() -> Score:
    """Return the score of a sample that Inspect has stopped at a limit: 0."""
    from inspect_ai.scorer import Score

    return Score(value=0.0, explanation=_INCOMPLETE)


def _metadata(evaluated: EvalResult, result: object) -> dict[str, object]:
    about: dict[str, object] = {} if result is None else {"result": result}
    if evaluated.evaluator_version is not None:
        about["evaluator_version"] = evaluated.evaluator_version
    return about
