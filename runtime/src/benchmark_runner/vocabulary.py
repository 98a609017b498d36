"""The words that our own files are made of, which are no secrets whatever a key says."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue


@lru_cache
def own_words() -> frozenset[str]:
    """The names of the fields that we write, and the values that have a name, such as a status."""
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.schemas import EvalResult, GenerationResult, ScoreResult

    written = (GenerationResult, EvalResult, ScoreResult, RunConfig)
    return frozenset(
        word for model in written for word in _words(model.model_json_schema(mode="serialization"))
    )


def _words(schema: JsonValue) -> Iterator[str]:
    """The names of properties, and the strings of enumerations, anywhere in a JSON schema."""
    if isinstance(schema, list):
        for item in schema:
            yield from _words(item)
    elif isinstance(schema, dict):
        properties, values = schema.get("properties"), schema.get("enum")
        if isinstance(properties, dict):
            yield from properties
        if isinstance(values, list):
            yield from (value for value in values if isinstance(value, str))
        for item in schema.values():
            yield from _words(item)
