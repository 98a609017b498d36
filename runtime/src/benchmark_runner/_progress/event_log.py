"""The log of a run's events, ``events.jsonl``: one JSON object a line.

``docs/events.md`` in the runtime's sources describes the lines. They are a help and no result:
a run does without them where the disk refuses.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from time import monotonic, time
from typing import TYPE_CHECKING, get_args

from pydantic_core import PydanticSerializationError, to_json

from benchmark_runner._concurrency.batches import Batches
from benchmark_runner._progress.events import Event, name_of
from benchmark_runner._text import in_one_line
from benchmark_runner.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmark_runner._progress.events import InvocationEnded, InvocationStarted
    from benchmark_runner.artifacts.run_folder import RunArtifacts

#: Seconds between two writes.
INTERVAL = 0.25
#: Seconds without a line after which one says that the command is still running.
HEARTBEAT = 10.0
#: Seconds that a disk which does not answer can hold up the end of a command.
_END_WITHIN = 2.0
#: Characters of a reason; the whole of it is in the task's files.
_LONGEST_REASON = 300

_REASONS = ("error", "reason")


class _Form:
    """The form of one kind of event in the log, derived once, as there are many events.

    Attributes:
        keys: All names of a line.
        values_of: Takes the values of an event's fields.
        reason: The position of the value that may be a long text, if one is.
    """

    def __init__(self, kind: type[Event]) -> None:
        names = [field.name for field in fields(kind)]
        self.name = name_of(kind)
        self.keys = ("at", "event", "invocation", *names)
        # A status is written as its text, which takes a fraction of the time.
        self.values_of = _values_of(
            [f"{name}.value" if name == "status" else name for name in names]
        )
        self.reason = next((names.index(name) for name in _REASONS if name in names), None)


def _values_of(names: Sequence[str]) -> Callable[[Event], Sequence[object]]:
    if not names:
        return lambda _event: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda event: (get(event),)


_FORMS: dict[type[Event], _Form] = {kind: _Form(kind) for kind in get_args(Event)}


class EventLog:
    """The writer of a run's ``events.jsonl``, in a thread of its own.

    Args:
        artifacts: The files of the run.
        started: The first event.

    Attributes:
        refused_by: The error that made the log incomplete, if it is.
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
        form = _FORMS[type(event)]
        values = form.values_of(event)
        if form.reason is not None and (reason := values[form.reason]) is not None:
            values = list(values)
            values[form.reason] = self._shorten(str(reason))
        about = (self._iso(at), form.name, self._invocation)
        return _json(dict(zip(form.keys, (*about, *values), strict=True)))

    def _note(self, name: str, **content: int) -> bytes:
        about = {"at": self._iso(time()), "event": name, "invocation": self._invocation}
        return _json({**about, **content})

    def _iso(self, at: float) -> str:
        moment = int(at * 1000)
        if moment != self._moment:  # many events share theirs
            self._moment = moment
            said = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
            self._moment_text = f"{said[:-6]}Z"
        return self._moment_text

    def _shorten(self, reason: str) -> str:
        # Masked before it is cut: half a key is still a half.
        text = in_one_line(self._artifacts.redactor.clean_text(reason))
        return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"


def _json(document: dict[str, object]) -> bytes:
    try:
        return to_json(document, inf_nan_mode="null") + b"\n"
    except PydanticSerializationError:  # half a surrogate pair, which can't be UTF-8
        return json.dumps(document).encode() + b"\n"
