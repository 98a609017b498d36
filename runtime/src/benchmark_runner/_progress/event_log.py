"""What happened when, as lines of JSON in a run's ``events.jsonl``: written, and read again.

``docs/events.md`` in the runtime's sources describes the lines. They are a help and no result:
a run does without them where the disk refuses, and a reader does without what it can't read.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from operator import attrgetter
from time import monotonic, time
from typing import TYPE_CHECKING, cast, get_args

from pydantic_core import PydanticSerializationError, from_json, to_json

from benchmark_runner._concurrency.batches import Batches
from benchmark_runner._progress.events import EvaluationFinished, Event, GenerationFinished
from benchmark_runner._text import in_one_line
from benchmark_runner.errors import ArtifactError, describe
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmark_runner._progress.events import InvocationEnded, InvocationStarted
    from benchmark_runner.artifacts.run_folder import RunArtifacts

#: Seconds between two writes.
INTERVAL = 0.25
#: Seconds after which a line says that the command is still at work, if no other has.
HEARTBEAT = 10.0
#: Seconds that a disk which does not answer can hold up the end of a command.
_END_WITHIN = 2.0
#: Characters of a reason; the whole of it is in the task's files.
_LONGEST_REASON = 300
#: Bytes that a reader takes at a time.
_PIECE = 1024**2

_REASONS = ("error", "reason")
#: What JSON makes of the types of fields: a status or an error is a text there.
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
    "None": (type(None),),
}
_STATUSES: dict[type[Event], type[GenerationStatus | EvalStatus]] = {
    GenerationFinished: GenerationStatus,
    EvaluationFinished: EvalStatus,
}


class _Form:
    """How events of one kind stand in the log: found out once, as there are many of them.

    Attributes:
        name: What a line calls them.
        fields: The names of their fields.
        keys: All names of a line.
        values_of: Takes the values of an event's fields.
        reason: Which of them may be a long text, if one is.
        types: What a field may be in a line.
    """

    def __init__(self, kind: type[Event]) -> None:
        self.name = re.sub("(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
        self.fields = tuple(field.name for field in fields(kind))
        self.keys = ("at", "event", "invocation", *self.fields)
        # A status is written as its text, which takes a fraction of the time.
        self.values_of = _values_of(
            [f"{name}.value" if name == "status" else name for name in self.fields]
        )
        reasons = (self.fields.index(name) for name in _REASONS if name in self.fields)
        self.reason = next(reasons, None)
        self.types = {field.name: tuple(_types_of(str(field.type))) for field in fields(kind)}


def _values_of(names: Sequence[str]) -> Callable[[Event], Sequence[object]]:
    if not names:
        return lambda _event: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda event: (get(event),)


def _types_of(annotation: str) -> Iterator[type]:
    for name in annotation.split(" | "):
        yield from _JSON_TYPES.get(name, (str,))


_FORMS: dict[type[Event], _Form] = {kind: _Form(kind) for kind in get_args(Event)}
_KINDS = {form.name: kind for kind, form in _FORMS.items()}


class EventLog:
    """Appends what happens to a run's ``events.jsonl``, from a thread of its own.

    Args:
        artifacts: The files of the run.
        started: What is to be done; the first line.

    Attributes:
        refused_by: Why the log is incomplete, if it is.
    """

    def __init__(self, artifacts: RunArtifacts, started: InvocationStarted) -> None:
        self._artifacts = artifacts
        self._invocation = secrets.token_hex(4)
        self._moment, self._moment_text = -1, ""
        # Without it the other lines say little: kept until the disk takes it.
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
        """Write the first line, and from now on what is told."""
        self._batches.start()

    def tell(self, event: Event) -> None:
        """Have an event written soon; from any thread."""
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
            values[form.reason] = self._in_short(reason)
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

    def _in_short(self, reason: object) -> str:
        text = describe(reason) if isinstance(reason, BaseException) else str(reason)
        # Masked before it is cut: half a key is still a half.
        text = in_one_line(self._artifacts.redactor.clean_text(text))
        return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"


@dataclass(frozen=True, slots=True)
class Logged:
    """One line of the log.

    Attributes:
        at: When it happened, in seconds since 1970.
        invocation: Which command on the run it is about.
        event: What happened; ``None`` where the line says no more than that it is at work.
    """

    at: float
    invocation: str
    event: Event | None


class EventReader:
    """Reads what is appended to a run's ``events.jsonl``, also while it is written.

    Args:
        path: The file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._file: tuple[int, int] | None = None
        self._rest = b""

    def read(self) -> Iterator[Logged]:
        """What has been appended since the last call; what is no line of the log is left out.

        Raises:
            ArtifactError: the file can't be read.
        """
        while content := self._piece():
            *lines, self._rest = (self._rest + content).split(b"\n")
            for line in lines:
                if (logged := parse(line)) is not None:
                    yield logged

    def _piece(self) -> bytes:
        # Opened each time: over a network that is what shows what others have written.
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        except OSError as error:
            message = f"{self._path}: can't be read: {error.strerror or error}"
            raise ArtifactError(message) from error
        try:
            found = os.fstat(descriptor)
            file = (found.st_dev, found.st_ino)
            if file != self._file or found.st_size < self._offset:  # another one than before
                self._file, self._offset, self._rest = file, 0, b""
            content = os.pread(descriptor, _PIECE, self._offset)
            self._offset += len(content)
            return content
        finally:
            os.close(descriptor)


def parse(line: bytes) -> Logged | None:
    """What a line says; ``None`` of one that is torn or something else."""
    try:
        document = cast("object", from_json(line, allow_inf_nan=False))
        if not isinstance(document, dict):
            return None
        content = cast("dict[str, object]", document)
        at = datetime.fromisoformat(cast("str", content["at"])).timestamp()
        return Logged(at, str(content["invocation"]), _event_of(content))
    except (KeyError, TypeError, ValueError):
        return None


def _event_of(content: Mapping[str, object]) -> Event | None:
    kind = _KINDS.get(str(content["event"]))
    if kind is None:
        return None
    types = _FORMS[kind].types
    # A later version may have added fields.
    values: dict[str, object] = {name: content[name] for name in types if name in content}
    for name, value in values.items():
        if not isinstance(value, types[name]):
            raise TypeError(name)
    if kind in _STATUSES:
        values["status"] = _STATUSES[kind](values["status"])
    return kind(**values)  # pyright: ignore[reportArgumentType]


def _json(document: dict[str, object]) -> bytes:
    try:
        return to_json(document, inf_nan_mode="null") + b"\n"
    except PydanticSerializationError:  # half a surrogate pair, which can't be UTF-8
        return json.dumps(document).encode() + b"\n"
