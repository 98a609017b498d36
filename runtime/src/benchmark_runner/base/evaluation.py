"""Evaluations that need no service, and grades that are of another task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.errors import BadResponseError
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Container

    from pydantic import JsonValue

__all__ = ["evaluate_without_service", "refuse_grade_of_another"]

#: Fields in which graders name the task.
_NAMES = ("task_id", "instance_id", "task_name")


def evaluate_without_service(task_id: str, generation: GenerationResult) -> EvalResult | None:
    """Return the eval of a generation that needs no service; ``None`` for any other."""
    if generation.status is GenerationStatus.SUCCESS:
        return None
    if generation.status is GenerationStatus.ERROR:
        return EvalResult(
            task_id=task_id, status=EvalStatus.GENERATION_ERROR, error=generation.error
        )
    return EvalResult(task_id=task_id, status=EvalStatus.DID_NOT_COMPLETE)


def refuse_grade_of_another(task_id: str, result: JsonValue, known: Container[str]) -> None:
    """Refuse a result that names another one of the ``known`` tasks.

    A result may be any JSON, so that other names in it mean nothing.

    Raises:
        BadResponseError: it is the grade of another task.
    """
    fields = result if isinstance(result, dict) else {}
    for named in map(fields.get, _NAMES):
        about = str(named) if isinstance(named, (str, int)) else task_id
        if about != task_id and about in known:
            raise BadResponseError(
                f"could not evaluate task {task_id!r}: the answer is about task {about!r}",
                hint="Check that the service does not mix up concurrent evaluations.",
            )
