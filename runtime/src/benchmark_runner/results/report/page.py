"""The HTML file of a report: it needs no network, and runs no script but its own."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from importlib import resources

from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.results import phrases
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.task_table import TaskTable
from benchmark_runner.results.report.transcript_store import (
    TranscriptFolder,
    TranscriptsInPage,
    TranscriptStore,
)

__all__ = ["render_page"]

#: Bytes of the note about transcripts that are left out.
_NOTE = 1000
#: One script for the browser; the last one begins it.
_SCRIPTS = (
    "task_marks.js", "task_table.js", "task_detail.js", "transcript.js", "transcript_parts.js",
    "transcript_data.js", "page.js",
)  # fmt: skip


def render_page(
    template: str,
    content: Mapping[str, object],
    table: TaskTable,
    texts: SafeText,
    transcripts: TranscriptStore | None = None,
) -> bytes:
    """Return the page that a template makes of ``content`` and the table of tasks.

    Transcripts that do not fit into the page are left out of it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def fit(value: object) -> object:
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        return texts.shown(value)

    environment = Environment(
        loader=PackageLoader("benchmark_runner.results", "report"),
        autoescape=True,
        finalize=fit,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = _file("page.css")
    script = "\n".join(['"use strict";', *map(_file, _SCRIPTS)])
    rest: dict[str, object] = {
        "phrases": phrases,
        "style": Markup(style),  # noqa: S704 (a file of ours)
        "script": Markup(script),  # noqa: S704 (likewise)
        "policy": _policy(style, script, frames=isinstance(transcripts, TranscriptFolder)),
        "index": Markup(table.index()),  # noqa: S704 (JSON without <, > and &)
        "parts": table.parts,
        "transcripts": transcripts,
        "runtime_version": installed_version(RUNTIME_DISTRIBUTION),
    }

    def page(blocks: Iterable[tuple[int, str]]) -> bytes:
        html = environment.get_template(template)
        pieces = html.generate(**content, **rest, transcript_blocks=blocks)
        return b"".join(map(str.encode, pieces))  # never twice in memory

    if not isinstance(transcripts, TranscriptsInPage):
        return page(())
    transcripts.make_room(len(page(())) + _NOTE)
    return page((number, Markup(data)) for number, data in transcripts.blocks)  # noqa: S704 (base64)


def _policy(style: str, script: str, *, frames: bool) -> str:
    """Return the content security policy: nothing is sent, and only these two run.

    Nothing is loaded either, but for ``frames`` with the transcripts beside the page.
    """
    rules = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        # For some browsers a file on disk has no "self".
        **({"frame-src": "'self' file:"} if frames else {}),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _file(name: str) -> str:
    return resources.files("benchmark_runner.results.report").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
