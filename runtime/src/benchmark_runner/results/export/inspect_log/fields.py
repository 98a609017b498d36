"""The fields of Inspect's models."""

from collections.abc import Mapping

from pydantic import JsonValue

__all__ = ["stated"]


def stated(fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the fields that are known: Inspect writes no others."""
    return {name: value for name, value in fields.items() if value is not None}
