"""The events of a sample's transcript, as Inspect writes them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from pydantic import JsonValue

from benchmark_runner.results.export.inspect_log.conversation import Message
from benchmark_runner.results.export.inspect_log.texts import SampleAttachments

__all__ = ["EventList"]

#: Agents write any, and not each can be put into another zone.
_YEARS = range(1970, 9999)


class EventList:
    """The events of a sample.

    Args:
        uuid: The id of the sample, with which the ids of its events begin.
        began: The time at which it began, in ISO 8601.

    Attributes:
        all: The events.
        pool: The messages to which calls of a model refer as their input.
        attached: The long texts of the events and of the pool.
    """

    def __init__(self, uuid: str, began: str) -> None:
        self.all: list[JsonValue] = []
        self.pool: list[JsonValue] = []
        self.attached = SampleAttachments()
        self._uuid = uuid
        self._spans: list[str] = []
        self._began = _time(began)
        self._when: Message = {}
        self._set(self._began)

    def at(self, time: datetime | None) -> None:
        """Set the time of the events that follow, if it is known."""
        if time is not None and time.year in _YEARS:
            self._set(time)

    def at_text(self, time: str) -> None:
        """Set the time of the events that follow from a text in ISO 8601."""
        self.at(_time(time))

    def add(self, kind: str, **content: JsonValue) -> None:
        """Add an event to the current span."""
        event: Message = {"uuid": f"{self._uuid}-event-{len(self.all) + 1}"}
        if self._spans:
            event["span_id"] = self._spans[-1]
        self.all.append({**event, **self._when, "event": kind, **content})

    def _set(self, time: datetime) -> None:
        seconds = max((time - self._began).total_seconds(), 0.0)
        self._when = {"timestamp": time.isoformat(), "working_start": seconds}

    def info(self, source: str, data: Message) -> None:
        """Add a note."""
        self.add("info", source=source, data=self.attached.attach_within(data))

    @contextmanager
    def span(self, kind: str, name: str, metadata: Message | None = None) -> Generator[str]:
        """Begin a span, which ends with the block, and yield its id."""
        own = f"{self._uuid}-span-{len(self.all) + 1}"
        above: Message = {"parent_id": self._spans[-1]} if self._spans else {}
        more: Message = {"metadata": metadata} if metadata else {}
        self._spans.append(own)
        self.add("span_begin", id=own, type=kind, name=name, **above, **more)
        yield own
        self.add("span_end", id=own)
        self._spans.pop()

    def pooled(self, message: Message) -> Message:
        """Return a message with references for its long texts."""
        content, calls = message["content"], _items(message.get("tool_calls"))
        if isinstance(content, str) and not calls:
            return message | {"content": self.attached.attach(content)}
        # References in arguments are read only beside parts.
        text: JsonValue = {"type": "text", "text": content}
        parts = _items(content) or ([text] if content else [])
        own: Message = {"content": [self._part(part) for part in parts]}
        if calls:
            own["tool_calls"] = [self._call(call) for call in calls]
        return message | own

    def _part(self, part: JsonValue) -> JsonValue:
        if not isinstance(part, dict):
            return part
        key = "reasoning" if "reasoning" in part else "text"
        return part | {key: self.attached.attach(str(part[key]))}

    def _call(self, call: JsonValue) -> JsonValue:
        if not isinstance(call, dict):
            return call
        return call | {"arguments": self.attached.attach_within(call["arguments"])}


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _items(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
