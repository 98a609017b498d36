"""Numbers that can be counted with, and the default task score."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import JsonValue

#: No score, cost or duration is greater; the sums and squares of what is not are finite.
_GREATEST = 1e100


def default_task_score(result: JsonValue) -> float | None:
    """Return the task score of a result; ``None`` without a number that can be counted with.

    It is the result itself if that is a number or a bool; else the first of ``pass_percentage``,
    ``score``, ``resolved`` (a bool), ``verifier_result.rewards.score`` and
    ``weighted_pass_percentage`` that is there. It is never rescaled.
    """
    if not isinstance(result, dict):
        return finite(result)
    return next((score for score in map(finite, _named(result)) if score is not None), None)


def finite(value: object) -> float | None:
    """Return a number or a bool as a float; ``None`` for all else, and beyond ``±1e100``."""
    if not isinstance(value, (bool, int, float)):
        return None
    return float(value) if -_GREATEST <= value <= _GREATEST else None


def is_finite(value: JsonValue) -> bool:
    """Return True if every number in a JSON value is finite."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return all(map(is_finite, value)) if isinstance(value, list) else True


def _named(result: dict[str, JsonValue]) -> Iterator[JsonValue]:
    yield result.get("pass_percentage")
    yield result.get("score")
    resolved = result.get("resolved")
    yield resolved if isinstance(resolved, bool) else None
    found: JsonValue = result
    for name in ("verifier_result", "rewards", "score"):
        found = found.get(name) if isinstance(found, dict) else None
    yield found
    yield result.get("weighted_pass_percentage")
