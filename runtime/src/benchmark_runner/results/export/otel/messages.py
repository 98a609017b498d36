"""Messages of a trajectory in the JSON of the conventions for generative AI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from mimetypes import guess_type

from pydantic import JsonValue
from pydantic_core import to_json

from benchmark_runner.results.export.otel.span import Texts
from benchmark_runner.trajectory import Content, ObservationResult, Step, text_of

__all__ = ["json_of", "message_of", "results_of", "said_in"]

_ROLES = {"agent": "assistant", "user": "user"}


def said_in(step: Step, texts: Texts) -> JsonValue:
    """Return the message of a step: of the agent with its thoughts and its calls."""
    parts: list[JsonValue] = []
    if step.reasoning_content:
        parts.append({"type": "reasoning", "content": texts.long(step.reasoning_content)})
    parts += _parts(step.message, texts)
    for call in step.tool_calls or ():
        if not texts.has_room:
            break
        parts.append(
            {
                "type": "tool_call",
                "id": texts.short(call.tool_call_id),
                "name": texts.short(call.function_name),
                "arguments": texts.long(json_of(call.arguments)),
            }
        )
    return {"role": _ROLES.get(step.source, "system"), "parts": parts}


def results_of(results: Sequence[ObservationResult], texts: Texts) -> Iterator[JsonValue]:
    """Yield the messages with the results of calls."""
    for result in results:
        if not texts.has_room:
            break
        part: dict[str, JsonValue] = {"type": "tool_call_response"}
        if result.source_call_id is not None:
            part["id"] = texts.short(result.source_call_id)
        part["response"] = texts.long(text_of(result.content))
        yield {"role": "tool", "parts": [part]}


def message_of(role: str, text: str, texts: Texts) -> JsonValue:
    """Return a message that is a text."""
    return {"role": role, "parts": [{"type": "text", "content": texts.long(text)}]}


def json_of(value: object) -> str:
    """Return a value as JSON text."""
    return to_json(value, inf_nan_mode="null").decode()


def _parts(content: Content, texts: Texts) -> Iterator[JsonValue]:
    if isinstance(content, str):
        if content:
            yield {"type": "text", "content": texts.long(content)}
        return
    for part in content:
        if not texts.has_room:
            return
        if part.source is None:
            yield {"type": "text", "content": texts.long(part.text or "")}
            continue
        kind = part.source.media_type or guess_type(part.source.path)[0]
        yield {
            "type": "uri",
            "modality": texts.short(part.type),
            **({"mime_type": texts.short(kind)} if kind else {}),
            "uri": texts.long(part.source.path),
        }
