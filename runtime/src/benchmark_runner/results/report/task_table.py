"""The tasks as data in a page: an index, and long texts in parts that are unpacked on demand.

A page of thousands of tasks opens at once that way: it reads the index only, and makes rows for
what is shown.
"""

import gzip
import json
import os
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from pydantic import JsonValue

from benchmark_runner.results.report.safe_text import SafeText

__all__ = ["Column", "Detail", "Entry", "Link", "TaskTable", "link_to", "script_json"]


#: Number of generations whose texts are packed together.
_PART = 50
#: Characters that all texts may have, those left out not counted; of one, at most and at least.
_ALL_TEXTS = 24_000_000
_LONGEST, _SHORTEST = 20_000, 500
#: Once the packed texts are so long, further ones are kept to their beginnings.
_PACKED = 11_000_000
_TEXTS_OF_A_TASK = 4
#: In a row: the id, the preview and the error.
_BEFORE_CELLS = 3
_ERROR_IN_INDEX, _QUESTION_IN_INDEX, _CELL = 160, 120, 80
#: What could end a script element, or begin a comment in it, and what is no JSON for JavaScript.
_UNSAFE = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


class Link(NamedTuple):
    """A link: its name, its encoded target relative to the page, and the same to read."""

    name: str
    href: str
    text: str


def link_to(name: str, place: Path, page: Path, *, end: str = "/") -> Link:
    """Return a link from the file ``page`` to a place, which holds if both are moved together.

    The ``end`` is that of a folder; a file has none.

    It begins with a dot and has no colon, so that no name makes it an address of another kind.
    """
    there = Path(os.path.relpath(place, page.parent)).as_posix()
    return Link(name, f"./{quote(os.fsencode(there))}{end}", there)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table.

    Attributes:
        kind: The format of its values: ``text``, ``state``, ``strip`` (the signs of repeats),
            ``score``, ``spread``, ``seconds``, ``dollars`` or ``count``.
        filtered: True if tasks can be chosen by its values.
        wide: True if it is hidden on narrow screens.
    """

    label: str
    kind: str
    filtered: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """The part of a task, or of one of its repeats, that is shown when it is opened.

    Attributes:
        title: The heading of a repeat.
        facts: The facts by name.
        texts: The long texts by name.
        whole: The place of its texts in full.
        transcript: The way to its transcript, see :mod:`~.transcript_store`; ``None`` without one.
    """

    title: str = ""
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    links: Sequence[Link] = ()
    whole: str = ""
    transcript: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Detail):
    """One task.

    Attributes:
        preview: A few words beside it, such as its question's first ones.
        cells: The values of the columns after it.
        repeats: Its repeats, if it has several.
    """

    task_id: str
    preview: str = ""
    error: str = ""
    cells: Sequence[str | float | None] = ()
    repeats: Sequence[Detail] = ()


class TaskTable:
    """The table of about ``count`` tasks, each of so many repeats.

    Attributes:
        parts: The packed texts, of as many tasks each as have 50 generations.
    """

    def __init__(
        self, columns: Sequence[Column], count: int, texts: SafeText, repeats: int = 1
    ) -> None:
        self.parts: list[str] = []
        self._columns = columns
        self._texts = texts
        self._in_part = max(_PART // repeats, 1)
        share = _ALL_TEXTS // (max(count * repeats, 1) * _TEXTS_OF_A_TASK)
        self._longest = min(max(share, _SHORTEST), _LONGEST)
        self._rows: list[list[JsonValue]] = []
        self._part: list[JsonValue] = []
        self._packed = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, entry: Entry) -> None:
        """Add a task."""
        shown, line = self._texts.shown, self._texts.line
        cells: list[JsonValue] = [
            line(cell, _CELL) if isinstance(cell, str) else cell for cell in entry.cells
        ]
        first = [shown(entry.task_id), line(entry.preview, _QUESTION_IN_INDEX)]
        self._rows.append([*first, line(entry.error, _ERROR_IN_INDEX), *cells])
        content = self._content(entry)
        if entry.repeats:
            content["repeats"] = [
                {"title": shown(each.title), **self._content(each)} for each in entry.repeats
            ]
        self._part.append(content)
        if len(self._part) == self._in_part:
            self._pack()

    def index(self) -> str:
        """Return all but the long texts as JSON for a script element, without empty columns."""
        if self._part:
            self._pack()
        used = [
            (place, column)
            for place, column in enumerate(self._columns, _BEFORE_CELLS)
            if any(row[place] is not None for row in self._rows)
        ]
        columns: list[JsonValue] = [
            {
                "label": self._texts.shown(column.label),
                "kind": column.kind,
                "filter": column.filtered,
                "wide": column.wide,
            }
            for _, column in used
        ]
        kept = [*range(_BEFORE_CELLS), *(place for place, _ in used)]
        rows: list[JsonValue] = [[row[place] for place in kept] for row in self._rows]
        return script_json({"part": self._in_part, "columns": columns, "rows": rows})

    def _content(self, detail: Detail) -> dict[str, JsonValue]:
        shown = self._texts.shown
        content: dict[str, JsonValue] = {
            "facts": [[name, shown(fact)] for name, fact in detail.facts.items() if fact],
            "texts": [[shown(name), *self._cut(text)] for name, text in detail.texts.items()],
            "links": [[link.name, link.href, shown(link.text)] for link in detail.links],
            "whole": shown(detail.whole),
        }
        if detail.transcript is not None:
            content["transcript"] = {**detail.transcript}
        return content

    def _cut(self, text: str) -> list[JsonValue]:
        longest = self._longest if self._packed < _PACKED else _SHORTEST
        return [*self._texts.cut(text, longest)]

    def _pack(self) -> None:
        content = json.dumps(self._part, ensure_ascii=False, separators=(",", ":")).encode()
        # Without a time, so that the same run makes the same page.
        packed = b64encode(gzip.compress(content, 6, mtime=0)).decode()
        self._packed += len(packed)
        self.parts.append(packed)
        self._part = []


def script_json(value: JsonValue) -> str:
    """Return ``value`` as JSON that may stand in a script element, whatever texts it holds."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE)
