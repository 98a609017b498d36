"""The Agent Trajectory Interchange Format: the steps of an agent, as JSON.

What is written is ATIF v1.8. What is read may be of v1.5 or newer: unknown keys are ignored,
and a key that is missing has a default.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, Field, JsonValue, field_validator
from pydantic_core import from_json

from benchmark_runner._json import without_nulls
from benchmark_runner._spend import known_count, known_sum
from benchmark_runner.schemas import TokenUsage

__all__ = [
    "ATIF_VERSION", "Agent", "Content", "ContentPart", "FinalMetrics", "Metrics", "Observation",
    "ObservationResult", "Source", "Step", "ToolCall", "Trajectory", "failed", "text_of",
]  # fmt: skip

ATIF_VERSION = "ATIF-v1.8"

_Extra = dict[str, JsonValue]
#: What others name a failure in the ``extra`` of a result.
_EXIT_CODES = ("exit_code", "returncode", "return_code")
_FAILED_STATUS = frozenset({"error", "failed", "failure"})
#: Classes of tokens for which the format has no key: they stand in ``extra``.
_REASONING, _CACHE_WRITE = "reasoning_tokens", "cache_write_tokens"
#: In ``extra``: what an agent wrote that the format has no place for.
_UNFIT = "not_in_format"
#: Stands before the name of each number of a step in those of the whole.
_TOTAL = "total_"


class Source(BaseModel):
    """The place of an image or a sound, which is not part of the trajectory."""

    media_type: str = ""
    path: str = ""
    duration_sec: float | None = None
    """Seconds, of a sound."""


class ContentPart(BaseModel):
    """A part of a message: a text, or a reference to an image or a sound."""

    type: str = "text"
    text: str | None = None
    source: Source | None = None


Content = str | list[ContentPart]


class ToolCall(BaseModel):
    """A call of a tool, with its arguments by name."""

    tool_call_id: str = ""
    function_name: str = ""
    arguments: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    extra: _Extra | None = None

    @field_validator("arguments", mode="before")
    @classmethod
    def _read_text(cls, value: object) -> object:
        """Return the arguments; some agents write them as models send them, as JSON text."""
        return from_json(value) if isinstance(value, str) else value


class ObservationResult(BaseModel):
    """The result of a call, or of what is no call."""

    source_call_id: str | None = None
    content: Content | None = None
    subagent_trajectory_ref: JsonValue = None
    extra: _Extra | None = None


class Observation(BaseModel):
    """The results that followed a step."""

    results: list[ObservationResult] = Field(default_factory=list[ObservationResult])


class Metrics(BaseModel):
    """The tokens and the cost of one step."""

    prompt_tokens: int | None = None
    """All tokens of the input, those of a cache included."""
    completion_tokens: int | None = None
    """All tokens of the output, reasoning included."""
    cached_tokens: int | None = None
    """Tokens of the input that were read from a cache."""
    cost_usd: float | None = None
    """US dollars."""
    prompt_token_ids: list[int] | None = None
    completion_token_ids: list[int] | None = None
    logprobs: list[float] | None = None
    """The logarithm of the probability of each token of the output."""
    extra: _Extra | None = None

    @classmethod
    def from_usage(cls, usage: TokenUsage | None, cost_usd: float | None = None) -> Metrics:
        """Return the metrics of a call of a model.

        Args:
            usage: Its tokens in classes that don't overlap; ``None`` if unknown.
            cost_usd: Its cost in US dollars; ``None`` if unknown.
        """
        found = usage or TokenUsage()
        classes = {_REASONING: found.reasoning, _CACHE_WRITE: found.cache_write}
        extra: _Extra = {name: count for name, count in classes.items() if count is not None}
        return cls(
            prompt_tokens=known_sum((found.input, found.cache_read, found.cache_write)),
            completion_tokens=known_sum((found.output, found.reasoning)),
            cached_tokens=found.cache_read,
            cost_usd=cost_usd,
            extra=extra or None,
        )

    def usage(self) -> TokenUsage:
        """Return the tokens in classes that don't overlap; ``None`` for an unknown one."""
        return _usage(
            self.prompt_tokens, self.completion_tokens, self.cached_tokens, self.extra or {}, ""
        )


class FinalMetrics(BaseModel):
    """The tokens and the cost of a whole trajectory."""

    total_prompt_tokens: int | None = None
    total_completion_tokens: int | None = None
    total_cached_tokens: int | None = None
    total_cost_usd: float | None = None
    """US dollars, those of subagents included."""
    total_steps: int | None = None
    extra: _Extra | None = None

    def usage(self) -> TokenUsage:
        """Return the tokens in classes that don't overlap; ``None`` for an unknown one."""
        return _usage(
            self.total_prompt_tokens,
            self.total_completion_tokens,
            self.total_cached_tokens,
            self.extra or {},
            _TOTAL,
        )


class Step(BaseModel):
    """One step: a message of the system or the user, or a turn of the agent."""

    step_id: int = 0
    """The number of the step, from 1."""
    timestamp: str | None = None
    """ISO 8601."""
    source: str = "system"
    """``system``, ``user`` or ``agent``."""
    model_name: str | None = None
    reasoning_effort: str | float | None = None
    message: Content = ""
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None
    observation: Observation | None = None
    metrics: Metrics | None = None
    is_copied_context: bool | None = None
    """True if the step was copied from an earlier trajectory: it happened, and cost, there."""
    llm_call_count: int | None = None
    extra: _Extra | None = None

    @property
    def results(self) -> Sequence[ObservationResult]:
        """The results that followed the step."""
        return self.observation.results if self.observation else ()


class Agent(BaseModel):
    """The agent, with the definitions of its tools."""

    name: str = ""
    version: str = ""
    model_name: str | None = None
    tool_definitions: list[dict[str, JsonValue]] | None = None
    extra: _Extra | None = None


class Trajectory(BaseModel):
    """The steps of an agent, and what they took."""

    schema_version: str = ATIF_VERSION
    session_id: str | None = None
    trajectory_id: str | None = None
    agent: Agent = Field(default_factory=Agent)
    steps: list[Step] = Field(default_factory=list[Step])
    notes: str | None = None
    final_metrics: FinalMetrics | None = None
    continued_trajectory_ref: str | None = None
    """The path of the file that goes on where this one ends."""
    extra: _Extra | None = None
    subagent_trajectories: list[Trajectory] | None = None
    is_cut: bool = Field(default=False, exclude=True)
    """True if the file ended early, was too large, or has steps that can't be read."""
    files: list[Path] = Field(default_factory=list[Path], exclude=True)
    """The files that it was read from: the first one, those that continue it, and subagents'."""

    @property
    def own_steps(self) -> Iterator[Step]:
        """The steps that were not copied from an earlier trajectory."""
        return (step for step in self.steps if not step.is_copied_context)


def text_of(content: Content | None) -> str:
    """Return the text of a message or a result; an image or a sound is named by its path."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(
        f"[{part.type}: {part.source.path}]" if part.source else part.text or "" for part in content
    )


def failed(result: ObservationResult) -> bool:
    """Return True if a result says that its call failed.

    The format has no key for this. The recorder writes ``is_error`` into ``extra``; what others
    write there is understood, too: ``error``, ``success``, a status, or the code of an exit.
    """
    extra = result.extra or {}
    return (
        bool(extra.get("is_error") or extra.get("error"))
        or extra.get("success") is False
        or any(extra.get(name) not in (None, 0, "0") for name in _EXIT_CODES)
        or str(extra.get("status")).lower() in _FAILED_STATUS
    )


def with_unfit(extra: JsonValue, unfit: Mapping[str, JsonValue]) -> _Extra | None:
    """Return ``extra`` with values, by their places, that the format has no key for."""
    known: _Extra = {**extra} if isinstance(extra, dict) else {}
    kept = without_nulls(unfit)
    if kept:
        before = known.get(_UNFIT)
        known[_UNFIT] = {**(before if isinstance(before, dict) else {}), **kept}
    return known or None


def add_to_totals(totals: FinalMetrics, metrics: Metrics) -> None:
    """Add the tokens and the cost of a step to those of its trajectory."""
    totals.total_prompt_tokens = known_sum((totals.total_prompt_tokens, metrics.prompt_tokens))
    totals.total_completion_tokens = known_sum(
        (totals.total_completion_tokens, metrics.completion_tokens)
    )
    totals.total_cached_tokens = known_sum((totals.total_cached_tokens, metrics.cached_tokens))
    totals.total_cost_usd = known_sum((totals.total_cost_usd, metrics.cost_usd))
    extra, more = totals.extra or {}, metrics.extra or {}
    for name in (_REASONING, _CACHE_WRITE):
        if isinstance(tokens := more.get(name), int):
            before = extra.get(_TOTAL + name)
            extra[_TOTAL + name] = tokens + (before if isinstance(before, int) else 0)
    totals.extra = extra or None


def _usage(
    prompt: int | None, completion: int | None, cached: int | None, extra: _Extra, prefix: str
) -> TokenUsage:
    reasoning = _count(extra.get(prefix + _REASONING))
    written = _count(extra.get(prefix + _CACHE_WRITE))
    return TokenUsage(
        input=_without(known_count(prompt), known_count(cached), written),
        output=_without(known_count(completion), reasoning),
        reasoning=reasoning,
        cache_read=known_count(cached),
        cache_write=written,
    )


def _count(value: JsonValue) -> int | None:
    return known_count(value) if isinstance(value, int) else None


def _without(total: int | None, *parts: int | None) -> int | None:
    return None if total is None else max(total - sum(part or 0 for part in parts), 0)
