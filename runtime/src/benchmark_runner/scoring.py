"""What a graded task counts, and the mean of a run with its standard error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import JsonValue


def default_task_score(result: JsonValue) -> float | None:
    """What a grader's result counts: itself, its ``pass_percentage`` or its ``score``.

    Args:
        result: The grader's JSON.

    Returns:
        The number, never rescaled; ``None`` where there is no finite one.
    """
    if isinstance(result, dict):
        value = result.get("pass_percentage")
        return default_task_score(result.get("score") if value is None else value)
    if isinstance(result, (bool, int, float)):
        return float(result) if math.isfinite(result) else None
    return None


def mean(scores: Sequence[float]) -> float | None:
    """Arithmetic mean; ``None`` without scores."""
    return math.fsum(scores) / len(scores) if scores else None


def standard_error(scores: Sequence[float]) -> float | None:
    """Standard error of the mean, ``sqrt(Σ(s-m)²/(n-1)/n)``; ``None`` below two scores.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 2.1.
    """
    centre = mean(scores)
    count = len(scores)
    if centre is None or count < 2:  # noqa: PLR2004 (a spread needs two)
        return None
    return math.sqrt(math.fsum((score - centre) ** 2 for score in scores) / (count - 1) / count)
