"""The log of a run's events, ``events.jsonl``: one JSON object a line.

``docs/events.md`` describes the lines. A run does without them where the disk refuses.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from time import monotonic, time
from typing import Any, get_args

from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._concurrency.batches import Batches
from benchmark_runner._progress.events import Event, InvocationEnded, InvocationStarted, name_of
from benchmark_runner._text import in_one_line
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError

#: Seconds between two writes.
INTERVAL = 0.25
#: Seconds without a line after which one says that the command is still running.
HEARTBEAT = 10.0
#: Seconds that a disk which does not answer can hold up the end of a command.
_END_WITHIN = 2.0
#: Characters of a reason; the whole of it is in the task's files.
_LONGEST_REASON = 300

#: The name of each kind of event, and those of its fields.
_NAMES: dict[type[Event], tuple[str, list[str]]] = {
    kind: (name_of(kind), [field.name for field in fields(kind)]) for kind in get_args(Event)
}


class EventLog:
    """The writer of a run's ``events.jsonl``, in a thread of its own.

    ``refused_by`` is the error that made the log incomplete, if it is.
    """

    def __init__(self, artifacts: RunArtifacts, started: InvocationStarted) -> None:
        self._artifacts = artifacts
        self._invocation = secrets.token_hex(4)
        self._moment, self._moment_text = -1, ""
        # The other lines say little without it: kept until the disk takes it.
        self._first = self._line(time(), started)
        self._lines: list[bytes] = []
        self._is_begun = False
        self._lost = 0
        self._last_written = monotonic()
        self.refused_by: ArtifactError | None = None
        self._batches: Batches[tuple[float, Event]] = Batches(
            self._take, self._write, INTERVAL, "event-log"
        )

    def start(self) -> None:
        """Write the first line, and from now on every event."""
        self._batches.start()

    def tell(self, event: Event) -> None:
        """Write an event soon; from any thread."""
        self._batches.add((time(), event))

    def end(self, event: InvocationEnded) -> None:
        """Write the last line."""
        self.tell(event)
        self._batches.end(_END_WITHIN)

    def _take(self, events: Sequence[tuple[float, Event]]) -> None:
        self._lines += [self._line(at, event) for at, event in events]

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        if not lines and self._is_begun:
            if monotonic() - self._last_written < HEARTBEAT:
                return
            lines = [self._note("heartbeat")]
        try:
            self._artifacts.append_events(b"".join([*self._before(), *lines]))
        except ArtifactError as error:
            self.refused_by = self.refused_by or error
            self._lost += len(lines)
        else:
            self._is_begun, self._lost = True, 0
        self._last_written = monotonic()

    def _before(self) -> Iterator[bytes]:
        if not self._is_begun:
            yield self._first
        if self._lost:
            yield self._note("events_lost", count=self._lost)

    def _line(self, at: float, event: Event) -> bytes:
        kind, names = _NAMES[type(event)]
        content: dict[str, Any] = {}
        for name in names:
            value = getattr(event, name)
            if name == "status":
                value = value.value  # which is written faster
            elif name in {"error", "reason", "text"} and value is not None:
                value = self._shorten(value)
            content[name] = value
        return self._json(at, kind, content)

    def _note(self, name: str, **content: int) -> bytes:
        return self._json(time(), name, content)

    def _json(self, at: float, name: str, content: Mapping[str, object]) -> bytes:
        about = {"at": self._iso(at), "event": name, "invocation": self._invocation}
        line = {**about, **content}
        try:
            return to_json(line, inf_nan_mode="null") + b"\n"
        except PydanticSerializationError:  # half a surrogate pair, which can't be UTF-8
            return json.dumps(line).encode() + b"\n"

    def _iso(self, at: float) -> str:
        moment = int(at * 1000)
        if moment != self._moment:  # many events share theirs
            self._moment = moment
            text = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
            self._moment_text = f"{text[:-6]}Z"
        return self._moment_text

    def _shorten(self, reason: str) -> str:
        # Masked before it is cut: half a key is still a half.
        text = in_one_line(self._artifacts.redactor.clean_text(reason))
        return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"
