"""The tokens and the cost of generations, as Inspect counts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._json import without_nulls
from benchmark_runner._spend import known_amount

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.schemas import TokenUsage

__all__ = ["model_usage"]


def model_usage(usage: TokenUsage, cost: float | None) -> dict[str, JsonValue] | None:
    """Return a ``ModelUsage``; ``None`` if nothing is known.

    Tokens of reasoning are part of the output there; those of a cache are no part of the input.
    """
    counts, cost = usage.model_dump(), known_amount(cost)
    if cost is None and not any(count is not None for count in counts.values()):
        return None
    return without_nulls(
        {
            "input_tokens": usage.input or 0,
            "output_tokens": (usage.output or 0) + (usage.reasoning or 0),
            "total_tokens": sum(count or 0 for count in counts.values()),
            "input_tokens_cache_read": usage.cache_read,
            "input_tokens_cache_write": usage.cache_write,
            "reasoning_tokens": usage.reasoning,
            "total_cost": cost,
        }
    )
