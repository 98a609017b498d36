"""Exports in every format, read byte by byte and text by text."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from benchmark_runner.cli.export_format import ExportFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

_OUTPUTS = {
    "inspect": "r1.eval",
    "atif": "r1-atif",
    "otel": "r1-otel.jsonl",
    "--contents": "r1-contents.jsonl",
}
#: The arguments of each export that there is.
EXPORTS = [*(["--format", str(each)] for each in ExportFormat), ["--format", "otel", "--contents"]]
#: Those that hold the texts of a task.
WITH_TEXTS = [each for each in EXPORTS if each != ["--format", "otel"]]


def output_of(arguments: list[str]) -> str:
    """Return the name of what an export is to write."""
    return _OUTPUTS.get(arguments[-1], f"r1.{arguments[1]}")


def export(project: RunnerProject, arguments: list[str], **environment: str) -> dict[str, bytes]:
    """Export the run ``r1``, and return all that is written by name: of a zip, its members."""
    name = output_of(arguments)
    output = project.root / name
    before = {*project.root.iterdir()}
    ended = project.run("export", "r1", *arguments, "--output", name, **environment)
    assert ended.code == 0, ended.err
    assert {*project.root.iterdir()} - before == {output}
    return {"output": (ended.out + ended.err).encode(), **dict(_contents(output))}


def rewrite(project: RunnerProject, change: Callable[[str, dict[str, Any]], object]) -> None:
    """Change the files of the run ``r1``; its evaluations stay those of its generations.

    ``change`` is called with the name and the content of each.
    """
    for generation in (project.results / "r1").rglob("generation.json"):
        content_hash = ""
        for path in (generation, generation.with_name("eval.json")):
            if path.exists():
                content = json.loads(path.read_text())
                change(path.name, content)
                if path != generation and "generation_hash" in content:
                    content["generation_hash"] = content_hash
                path.write_text(json.dumps(content))
                content_hash = hashlib.sha256(path.read_bytes()).hexdigest()


def texts(files: dict[str, bytes]) -> set[str]:
    """Return every text in the files of an export, as it is read."""
    del files["output"]
    return {text for name, data in files.items() for text in _texts(name, data.decode())}


def _contents(output: Path) -> Iterator[tuple[str, bytes]]:
    files = [path for path in output.rglob("*") if path.is_file()] if output.is_dir() else [output]
    assert files
    for file in files:
        name = str(file.relative_to(output.parent))
        if not zipfile.is_zipfile(file):
            yield name, file.read_bytes()
            continue
        with zipfile.ZipFile(file) as archive:
            yield f"{name}: comment", archive.comment
            for member in archive.infolist():
                yield f"{name}/{member.filename}", archive.read(member)
                yield f"{name}/{member.filename}: about it", member.extra + member.comment


def _texts(name: str, content: str) -> Iterator[str]:
    if name.endswith(".csv"):
        csv.field_size_limit(len(content))
        for row in csv.reader(io.StringIO(content, newline="")):
            yield from row
    elif name.endswith(".jsonl"):
        for line in content.split("\n"):
            yield from _texts_in(json.loads(line or "null"))
    elif name.endswith(".json"):
        yield from _texts_in(json.loads(content))


def _texts_in(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts_in(item)
        case dict():
            for key, item in value.items():
                yield key
                yield from _texts_in(item)
        case _:
            pass
