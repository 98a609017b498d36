"""The trace of a run: what its spans have in common, and where their texts come from."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark_runner._redaction import Redactor
from benchmark_runner.results.export.otel.span import Texts, hex_id
from benchmark_runner.results.run_view import RunView
from benchmark_runner.schemas import TokenUsage

__all__ = ["Trace", "provider_of", "usage_attributes"]

#: The names of the conventions for the providers that a model's name begins with.
_PROVIDERS = {
    "azure": "azure.ai.openai", "bedrock": "aws.bedrock", "amazon": "aws.bedrock",
    "google": "gcp.gen_ai", "gemini": "gcp.gemini", "vertex": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai", "grok": "x_ai", "xai": "x_ai", "mistral": "mistral_ai",
    "mistralai": "mistral_ai", "moonshot": "moonshot_ai", "moonshotai": "moonshot_ai",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trace:
    """The trace of a run.

    Attributes:
        redactor: Masks keys.
        contents: Whether spans hold what was said.
        trace_id: Its id.
        root: The id of the span of the run.
    """

    redactor: Redactor
    contents: bool
    trace_id: str
    root: str

    @classmethod
    def of(cls, view: RunView, *, contents: bool) -> Trace:
        """Return the trace of a run; each export of it has the same ids."""
        config = view.config
        created = config.created_at.isoformat() if config.created_at else None
        trace_id = hex_id(16, view.runner.NAME, view.run_id, config.model, created)
        return cls(view.artifacts.redactor, contents, trace_id, hex_id(8, trace_id))

    def texts(self) -> Texts:
        """Return the place for the texts of a span."""
        return Texts(self.redactor)

    def span_id(self, *place: object) -> str:
        """Return the id of a span, by its place in the run."""
        return hex_id(8, self.trace_id, *place)


def provider_of(model: str | None) -> str:
    """Return the provider that a model's masked name begins with, as the conventions call it."""
    name, slash, _ = (model or "").partition("/")
    return _PROVIDERS.get(name.lower(), name.lower()) if slash and name else "unknown"


def usage_attributes(usage: TokenUsage) -> dict[str, int | None]:
    """Return the numbers of tokens: of the input all, and of these those of the cache."""
    into, out = usage.input, usage.output
    cached = (usage.cache_read or 0) + (usage.cache_write or 0)
    return {
        "gen_ai.usage.input_tokens": None if into is None else into + cached,
        "gen_ai.usage.output_tokens": None if out is None else out + (usage.reasoning or 0),
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }
