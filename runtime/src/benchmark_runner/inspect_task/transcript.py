"""The trajectory of a generation in the transcript of its sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from inspect_ai.event import Event
    from inspect_ai.model import ChatMessage
    from pydantic import JsonValue

__all__ = ["add_event", "add_events"]

_ATTACHMENT = "attachment://"
#: The spans that Inspect itself opens for each sample.
_OF_INSPECT = frozenset({"init", "solvers"})
#: Messages in the inputs of all calls of a model together: each has those before it again.
_MOST_INPUTS = 1_000_000


def add_events(found: Mapping[str, JsonValue]) -> None:
    """Add events, as an export has them in ``EvalSample``, to the transcript of this sample."""
    from inspect_ai.event import InfoEvent

    here = InfoEvent(data=None).span_id
    for event in _Events(found, here).all():
        add_event(event)


def add_event(event: Event) -> None:
    """Add an event to the transcript of this sample, for which Inspect has no public function."""
    from inspect_ai.log import transcript

    transcript()._event(event)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


class _Events:
    """Events with their texts and messages in place, below the current span."""

    def __init__(self, found: Mapping[str, JsonValue], here: str | None) -> None:
        from inspect_ai.event import Event
        from inspect_ai.model import ChatMessage
        from pydantic import TypeAdapter

        self._found = cast("list[dict[str, JsonValue]]", found["events"])
        self._texts = cast("dict[str, str]", found["attachments"])
        data = cast("dict[str, JsonValue]", found["events_data"])
        pool = TypeAdapter[list[ChatMessage]](list[ChatMessage])
        self._pool: list[ChatMessage] = pool.validate_python(self._in_place(data["messages"]))
        self._event: TypeAdapter[Event] = TypeAdapter(Event)
        self._here = here
        self._inputs = 0

    def all(self) -> Iterator[Event]:
        """Yield the events of the agents."""
        left_out: set[JsonValue] = set()
        for event in self._found:
            if event["event"] == "span_begin" and event["type"] in _OF_INSPECT:
                left_out.add(event["id"])
                continue
            is_end = event["event"] == "span_end" and event["id"] in left_out
            if is_end or event["event"] == "sample_init":
                continue
            yield self._event.validate_python(self._moved(event, left_out))

    def _moved(self, event: dict[str, JsonValue], left_out: set[JsonValue]) -> dict[str, object]:
        moved = cast("dict[str, object]", self._in_place(event))
        for name in ("span_id", "parent_id"):
            if event.get(name) in left_out:
                moved[name] = self._here
        if event["event"] == "model":
            moved["input"] = self._input_of(event)
            del moved["input_refs"]
        return moved

    def _input_of(self, event: dict[str, JsonValue]) -> list[ChatMessage]:
        refs = cast("list[list[int]]", event["input_refs"])
        self._inputs += sum(end - start for start, end in refs)
        if self._inputs > _MOST_INPUTS:
            return []
        return [each for start, end in refs for each in self._pool[start:end]]

    def _in_place(self, value: JsonValue) -> JsonValue:
        """Return a value with texts in the place of references to them."""
        match value:
            case str():
                return self._texts.get(value.removeprefix(_ATTACHMENT), value)
            case dict():
                return {name: self._in_place(each) for name, each in value.items()}
            case list():
                return [self._in_place(each) for each in value]
            case _:
                return value
