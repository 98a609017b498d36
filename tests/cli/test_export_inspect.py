"""``export --format inspect``: the file that is written, and what is said of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest

from tests.cli.outcomes import run_to_all_ends

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


def header_of(file: Path) -> dict[str, Any]:
    with ZipFile(file) as log:
        return json.loads(log.read("header.json"))


class TestTheFile:
    def test_every_outcome_is_in_it(self, project: RunnerProject) -> None:
        """A run in which tasks came to each end is one log, whose name tells the format."""
        run_to_all_ends(project)

        ended = project.run("export", "r1", "--output", "r1.eval")

        assert (ended.code, ended.out, ended.err) == (0, "Log     r1.eval, 8 samples\n", "")
        header = header_of(project.root / "r1.eval")
        assert header["eval"]["task"] == "sample_runner/sample"
        assert header["status"] == "error"
        status = project.run("status", "r1", "--json").json
        (score,) = header["results"]["scores"]
        assert score["metrics"]["mean"]["value"] == header["results"]["metadata"]["mean"]
        assert header["results"]["metadata"]["counts"] == status["counts"]

    def test_folder_gets_a_file_with_its_own_name(self, project: RunnerProject) -> None:
        """In a folder the file gets the name that Inspect would give it, which is said."""
        project.run("run", "--run-id", "r1", "--repeats", "2")
        folder = project.root / "logs"
        folder.mkdir()

        told = project.run(
            "export", "r1", "--format", "inspect", "--output", "logs", "--reduce", "max", "--json"
        ).json

        (file,) = folder.iterdir()
        assert told["output"] == f"logs/{file.name}"
        assert (told["format"], told["samples"]) == ("inspect", 6)
        assert file.name.endswith(".eval")
        assert "_sample_" in file.name
        assert header_of(file)["eval"]["config"]["epochs_reducer"] == ["max"]

    def test_failed_export_keeps_the_old_file(self, project: RunnerProject) -> None:
        """An export that fails keeps the old file."""
        project.run("run", "--run-id", "r1")
        project.set_in_class("task_score = lambda self, result: {}['no']")
        file = project.root / "r1.eval"
        file.write_text("before")

        ended = project.run("export", "r1", "--output", "r1.eval")

        assert ended.code == 2
        assert "task_score() failed" in ended.err
        assert file.read_text() == "before"
        assert [path.name for path in project.root.glob(".*.tmp")] == []


class TestErrors:
    @pytest.mark.parametrize("output", [(), ("--output", "r1.zip")])
    def test_it_needs_a_file_of_that_name(
        self, project: RunnerProject, output: tuple[str, ...]
    ) -> None:
        """Inspect reads no other file than one named *.eval."""
        project.run("run", "--run-id", "r1")

        ended = project.run("export", "r1", "--format", "inspect", *output)

        assert (ended.code, ended.out) == (2, "")
        assert "needs --output, a file named *.eval" in ended.err
        assert not (project.root / "r1.zip").exists()

    def test_folder_that_is_missing_is_refused(self, project: RunnerProject) -> None:
        """A folder that does not exist is refused."""
        project.run("run", "--run-id", "r1")

        ended = project.run("export", "r1", "--output", "logs/r1.eval")

        assert ended.code == 2
        assert "there is no folder logs" in ended.err
