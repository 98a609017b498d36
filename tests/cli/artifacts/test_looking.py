"""Commands that look at a run whose answers are files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.results import open_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

PATCH = b"patch of say one\n"
SHA256 = hashlib.sha256(PATCH).hexdigest()
ARTIFACT_COLUMNS = ["artifact_filename", "artifact_size", "artifact_sha256"]


@pytest.fixture
def patches(patches: RunnerProject) -> RunnerProject:
    """A finished run."""
    ended = patches.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.out + ended.err
    return patches


class TestShow:
    def test_text_names_the_file(self, patches: RunnerProject) -> None:
        """The page of a task has the file's name, size and hash, and no empty answer."""
        ended = patches.run("show", "r1", "t1")
        assert re.search(r"artifact +fix\.patch, 17 bytes\n", ended.out)
        assert re.search(rf"sha256 +{SHA256}\n", ended.out)
        assert "Answer" not in ended.out

    def test_json_has_the_record(self, patches: RunnerProject) -> None:
        """The JSON of a task has the file's record and path."""
        kept = patches.results / "r1" / "t1" / "submission" / "fix.patch"
        assert patches.run("show", "r1", "t1", "--json").json["artifact"] == {
            "filename": "fix.patch",
            "size": 17,
            "sha256": SHA256,
            "path": str(kept),
        }
        kept.unlink()
        assert patches.run("show", "r1", "t1", "--json").json["artifact"]["path"] is None
        assert "the file is missing" in patches.run("show", "r1", "t1").out

    def test_changed_name_leads_nowhere(self, patches: RunnerProject) -> None:
        """A name that somebody has changed in generation.json leads to no other file."""
        path = patches.results / "r1" / "t1" / "generation.json"
        path.write_text(path.read_text().replace('"fix.patch"', '"../generation.json"'))
        assert patches.run("show", "r1", "t1", "--json").json["artifact"]["path"] is None


class TestExport:
    def test_run_of_artifacts_has_their_columns(self, patches: RunnerProject) -> None:
        """CSV and JSON Lines have the file's record in columns of their own."""
        rows = list(csv.DictReader(io.StringIO(patches.run("export", "r1").out)))
        row = next(row for row in rows if row["task_id"] == "t1")
        assert [row[name] for name in ARTIFACT_COLUMNS] == ["fix.patch", "17", SHA256]
        assert row["artifact"] == str(patches.results / "r1" / "t1" / "submission" / "fix.patch")
        assert [*row][-7:] == [*ARTIFACT_COLUMNS, "artifact", "question", "answer", "grade"]
        lines = patches.run("export", "r1", "--format", "jsonl").out.splitlines()
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        line = next(line for line in found if line["task_id"] == "t1")
        assert [line[name] for name in ARTIFACT_COLUMNS] == ["fix.patch", 17, SHA256]

    def test_data_frames_have_the_same_columns(self, patches: RunnerProject) -> None:
        """Data frames have the file's record in the same columns, with their types."""
        header, *_ = patches.run("export", "r1").out.splitlines()
        from runner.benchmark import SampleRunner  # type: ignore[import-not-found]

        run = open_run("results/r1", SampleRunner)
        for frame in (run.to_pandas(), run.to_polars()):
            assert [*frame.columns] == header.split(",")
            assert [frame[name][1] for name in ARTIFACT_COLUMNS] == ["fix.patch", 17, SHA256]


class TestReport:
    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("output", [None, "elsewhere/deep/page.html"])
    def test_it_links_the_file(
        self,
        patches: RunnerProject,
        output: str | None,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The report has a link to the file, relative to where the report lies."""
        from benchmark_runner.results.report import task_table

        entries: list[task_table.Entry] = []
        add = task_table.TaskTable.add
        monkeypatch.setattr(
            task_table.TaskTable,
            "add",
            lambda table, entry: (entries.append(entry), add(table, entry)),
        )
        page = patches.results / "r1" / "report.html"
        arguments: list[str] = []
        if output:
            page = tmp_path / output
            page.parent.mkdir(parents=True)
            arguments = ["--output", str(page)]
        assert patches.run("report", "r1", *arguments).code == 0
        entry = next(entry for entry in entries if entry.task_id == "t1")
        link = next(link for link in entry.links if link.name == "Artifact")
        assert (page.parent / link.href).read_bytes() == PATCH
        assert entry.facts["Artifact"] == "fix.patch, 17 bytes"
        assert entry.facts["SHA-256"] == SHA256
