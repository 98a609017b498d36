"""The score of one repeat of a task."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import TYPE_CHECKING

from benchmark_runner._json import without_nulls
from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner.results.task_row import TaskState

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.results.task_row import TaskRow

__all__ = ["UNSCORED", "reason_in", "sample_score"]

#: The value of a score that does not count.
UNSCORED = math.nan
_GRADER = tuple(field.name for field in fields(GradedBy))
#: The names under which graders give the reason for a score.
_REASONS = ("explanation", "reason", "rationale", "feedback", "message")


def sample_score(row: TaskRow, task: TaskFiles, answer: str) -> dict[str, JsonValue] | None:
    """Return the score of a repeat: a ``Score``; ``None`` if it has none yet, or can't have one.

    An evaluation that failed has a score that does not count, with the reason.
    """
    if row.state is TaskState.FAILED_GRADING:
        return without_nulls(
            {
                "value": UNSCORED,
                "answer": answer,
                "explanation": row.error,
                "reason": "grader_failed",
            }
        )
    result = task.evaluation
    if result is None or not row.state.is_done:
        return None
    if row.score is None and row.state is not TaskState.SCORED:
        return None
    grade = result.result_json()
    return without_nulls(
        {
            "value": UNSCORED if row.score is None else row.score,
            "answer": answer,
            "explanation": _explanation(row, grade),
            "reason": "scoring_failed" if row.score is None else None,
            "metadata": {
                **({} if grade is None else {"result": grade}),
                **({"errors": [*result.errors]} if result.errors else {}),
                **_grader(row),
            },
        }
    )


def _explanation(row: TaskRow, grade: JsonValue) -> str | None:
    if row.state is not TaskState.SCORED:
        return str(row.state)
    if row.score is None:
        return "the result has no numeric score"
    return reason_in(grade)


def reason_in(grade: JsonValue) -> str | None:
    """Return the reason that a grader gave; ``None`` without one."""
    named = grade if isinstance(grade, dict) else {}
    return next((text for name in _REASONS if isinstance(text := named.get(name), str)), None)


def _grader(row: TaskRow) -> dict[str, JsonValue]:
    by = row.graded_by
    return {} if by is None else without_nulls({name: getattr(by, name) for name in _GRADER})
