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
        named = (finite(result.get(name)) for name in ("pass_percentage", "score"))
        return next((score for score in named if score is not None), None)
    return finite(result)


def finite(value: object) -> float | None:
    """``value`` as a float if it is a finite number or a bool, else ``None``."""
    if not isinstance(value, (bool, int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
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
