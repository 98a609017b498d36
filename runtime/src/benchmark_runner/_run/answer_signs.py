"""The signs in a generation that a model gave a whole answer, a part of one, or none."""

from benchmark_runner.schemas import GenerationResult, GenerationStatus

#: Values of ``stop_reason`` of an answer that is not a whole one, in the words of the providers.
_UNUSUAL_STOPS = frozenset(
    {
        "content_filter",
        "context_window_exceeded",
        "empty",
        "function_call",
        "guardrail",
        "length",
        "malformed_tool_call",
        "max_tokens",
        "model_context_window_exceeded",
        "recitation",
        "refusal",
        "safety",
        "tool_calls",
        "tool_use",
    }
)


def shows_answer(generation: GenerationResult) -> bool:
    """Return True if there is any sign that a model answered: a token, a turn, a text, a cost."""
    usage = generation.usage
    tokens = usage is not None and any(count for _, count in usage)
    return bool(tokens or generation.total_turns or generation.data or generation.cost)


def is_silent_timeout(generation: GenerationResult) -> bool:
    """Return True for one that ran out of time without any sign that a model answered."""
    return generation.status is GenerationStatus.MAX_TIME and not shows_answer(generation)


def unusual_stop(generation: GenerationResult) -> str | None:
    """Return the reason for which an answer is not a whole one; ``None`` if there is none."""
    reason = (generation.stop_reason or "").lower()
    is_answer = generation.status is GenerationStatus.SUCCESS
    return reason if is_answer and reason in _UNUSUAL_STOPS else None
