"""Makes the pages of a test's runs, and reads what is in them."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from benchmark_runner._redaction import Redactor
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.results.report.run_figures import Grouping
from benchmark_runner.results.report.run_page import make_run_page
from benchmark_runner.results.report.runs_page import make_runs_page
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.transcript_store import TranscriptFolder, TranscriptsInPage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView

LISTING = ("export", "uv run my-bench-runner export r1")
COMMANDS = {"Resume this run": "uv run my-bench-runner run --run-id r1"}


def texts(*secrets: str) -> SafeText:
    return SafeText(Redactor(secrets))


def write_page(
    view: RunView,
    file: Path,
    *,
    groups: Mapping[str, str] | None = None,
    commands: Mapping[str, str] = COMMANDS,
    secrets: Sequence[str] = (),
    in_page: int | None = None,
) -> bytes:
    """Write the page of a run, with its transcripts in a folder or in so many bytes of page."""
    grouping = Grouping("topic", groups) if groups else None
    folder = TranscriptFolder(Storage(file.parent, durable=False), file)
    store = folder if in_page is None else TranscriptsInPage(in_page)
    _, content = make_run_page(view, grouping, texts(*secrets), file, commands, LISTING, store)
    file.write_bytes(content)
    folder.remove_others()
    return content


def write_page_of_several(
    views: Sequence[RunView], file: Path, *, groups: Mapping[str, str] | None = None
) -> bytes:
    """Write the page of several runs."""
    groupings = [Grouping("topic", groups) if groups else None for _ in views]
    _, _, content = make_runs_page(views, groupings, texts(), file, LISTING)
    file.write_bytes(content)
    return content


@dataclass
class Element:
    """One element: its name, attributes and own text."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""


class Parsed(HTMLParser):
    """A page as a browser takes it apart."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})
    INLINE = frozenset({"a", "b", "code", "span", "strong"})

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(content.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._set_apart(tag)
        made = Element(tag, dict(attrs))
        self.elements.append(made)
        if tag not in self.VOID:
            self._open.append(made)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop().name != tag:
            pass
        self._set_apart(tag)

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def _set_apart(self, tag: str) -> None:
        if tag not in self.INLINE:
            self.handle_data(" ")

    def all(self, name: str) -> list[Element]:
        return [element for element in self.elements if element.name == name]

    def first(self, name: str) -> Element:
        return self.all(name)[0]

    @property
    def words(self) -> str:
        """All that is read, its white space closed up; no scripts and styles."""
        return " ".join(self.first("main").text.split())

    @property
    def scripts(self) -> list[Element]:
        """What a browser runs."""
        return [each for each in self.all("script") if "type" not in each.attributes]

    @property
    def policy(self) -> dict[str, str]:
        found = next(
            each.attributes["content"]
            for each in self.all("meta")
            if each.attributes.get("http-equiv") == "Content-Security-Policy"
        )
        assert found
        return dict(rule.strip().split(" ", 1) for rule in found.split(";"))

    @property
    def table(self) -> Table:
        index = next(each for each in self.all("script") if each.attributes.get("id") == "index")
        parts = [each.text for each in self.all("script") if each.attributes.get("class")]
        details = [json.loads(gzip.decompress(b64decode(part))) for part in parts]
        return Table(json.loads(index.text), [task for part in details for task in part])


@dataclass
class Table:
    """The data of the table of tasks."""

    index: dict[str, Any]
    details: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def labels(self) -> list[str]:
        return [column["label"] for column in self.index["columns"]]

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """What the index says of each task."""
        names = ("preview", "error", *self.labels)
        return {row[0]: dict(zip(names, row[1:], strict=True)) for row in self.index["rows"]}

    def of(self, task_id: str) -> dict[str, Any]:
        """What is shown of a task when it is opened: facts and texts by name, and links."""
        place = [row[0] for row in self.index["rows"]].index(task_id)
        detail = self.details[place]
        return {
            "facts": dict(detail["facts"]),
            "texts": {name: (head, left, tail) for name, head, left, tail in detail["texts"]},
            "links": {name: href for name, href, _ in detail["links"]},
        }


def charts(content: bytes) -> list[str]:
    """The charts of a page in words, as who does not see them is told."""
    return re.findall(r'<svg [^>]*aria-label="([^"]*)"', content.decode())
