"""Spans in the JSON of the OpenTelemetry protocol: ids, times, attributes, and their texts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from pydantic import JsonValue
from pydantic_core import to_json

from benchmark_runner._json import valid_text
from benchmark_runner._redaction import Redactor
from benchmark_runner._scores import finite
from benchmark_runner._text import without_middle

__all__ = [
    "CLIENT", "INTERNAL", "Attributes", "Span", "Texts", "Window", "attributes_of", "error_type",
    "event_of", "hex_id", "nanoseconds", "span_of",
]  # fmt: skip

#: The kinds of spans.
INTERNAL, CLIENT = 1, 3
_ERROR = 2

Span = dict[str, JsonValue]
Attributes = Mapping[str, str | float | bool | None]
#: The beginning and the end of a span in nanoseconds since 1970.
Window = tuple[int, int]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 2**63
#: Characters of a name or a message.
_SHORT = 2000
#: Bytes of JSON that the texts of one span may take, and those around each.
_TEXTS_OF_SPAN, _AROUND = 400_000, 150
_TYPE = re.compile(r"([A-Za-z_][\w.]{0,99}): ")


def hex_id(size: Literal[8, 16], *parts: object) -> str:
    """Return the id of a span or a trace, which is always the same for the same parts."""
    return sha256(to_json(parts)).hexdigest()[: 2 * size]


def nanoseconds(moment: datetime | None) -> int | None:
    """Return the time since 1970; ``None`` if it is unknown, or no such time."""
    if moment is None:
        return None
    since = moment - _EPOCH
    number = (since.days * 86400 + since.seconds) * 10**9 + since.microseconds * 1000
    return number if 0 < number < _MOST else None


def attributes_of(values: Attributes) -> list[JsonValue]:
    """Return the attributes that have a value."""
    return [
        {"key": name, "value": made}
        for name, value in values.items()
        if (made := _value(value)) is not None
    ]


def _value(value: str | float | bool | None) -> JsonValue:
    match value:
        case None:
            return None
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)} if -_MOST <= value < _MOST else None
        case float():
            return None if finite(value) is None else {"doubleValue": value}
        case str():
            return {"stringValue": value}


def span_of(
    ids: tuple[str, str, str | None],
    name: str,
    kind: int,
    window: Window,
    attributes: Attributes,
    *,
    error: str | None = None,
    events: Sequence[JsonValue] = (),
) -> Span:
    """Return a span.

    Args:
        ids: The id of its trace, its own, and that of its parent, if it has one.
        name: Its name.
        kind: :data:`INTERNAL` or :data:`CLIENT`.
        window: Its time.
        attributes: Its attributes.
        error: The message, if it ended in an error.
        events: Its events.
    """
    trace, own, parent = ids
    start, end = window
    return {
        "traceId": trace,
        "spanId": own,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(max(start, end)),
        "attributes": attributes_of(attributes),
        **({"events": [*events]} if events else {}),
        "status": {} if error is None else {"code": _ERROR, "message": error},
    }


def event_of(name: str, at: int, attributes: Attributes) -> JsonValue:
    """Return an event of a span."""
    return {"timeUnixNano": str(at), "name": name, "attributes": attributes_of(attributes)}


def error_type(error: str | None, kind: str | None) -> str:
    """Return the class of a masked error: the type in its message, or else its kind."""
    found = _TYPE.match(error or "")
    return found[1] if found else kind or "_OTHER"


class Texts:
    """The texts of one span: masked, and together of a bounded size."""

    def __init__(self, redactor: Redactor) -> None:
        self._mask = redactor.clean_text
        self._left = _TEXTS_OF_SPAN

    @property
    def has_room(self) -> bool:
        """True if there is room for another text."""
        return self._left > 2 * _AROUND

    def short(self, text: str) -> str:
        """Return a name or a message, without its middle if it is long."""
        return without_middle(self._mask(valid_text(text)), _SHORT)

    def long(self, text: str) -> str:
        """Return a text that was asked for, without its middle if there is no room for it."""
        masked = self._mask(valid_text(text))
        limit = max(self._left, _AROUND)  # each character takes a byte or more
        cut = without_middle(masked, limit)
        while (size := _size(cut)) > self._left and limit > _AROUND:
            limit = limit * 3 // 4
            cut = without_middle(masked, limit)
        self._left = max(self._left - size - _AROUND, 0)
        return cut


def _size(text: str) -> int:
    """Return the size of a text in JSON that is a text in JSON."""
    return len(to_json(to_json(text).decode()))
