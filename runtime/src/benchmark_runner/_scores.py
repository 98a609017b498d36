"""Finite numbers, and the default task score."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue


def default_task_score(result: JsonValue) -> float | None:
    """Return the task score of a result: itself, its ``pass_percentage`` or its ``score``.

    It is never rescaled; ``None`` without a finite number.
    """
    if isinstance(result, dict):
        named = (finite(result.get(name)) for name in ("pass_percentage", "score"))
        return next((score for score in named if score is not None), None)
    return finite(result)


def finite(value: object) -> float | None:
    """Return ``value`` as a float if it is a finite number or a bool, else ``None``."""
    if not isinstance(value, (bool, int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def is_finite(value: JsonValue) -> bool:
    """Return True if every number in a JSON value is finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return all(map(is_finite, value)) if isinstance(value, list) else True
