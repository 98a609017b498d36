"""``export``: trajectories in a folder, and traces."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


@pytest.fixture
def done(project: RunnerProject) -> RunnerProject:
    """A project with a run."""
    project.run("run", "--run-id", "r1", "--quiet")
    return project


class TestTrajectories:
    def test_folder_is_written_and_named(self, done: RunnerProject) -> None:
        """A folder of trajectories is written, and what was written is said."""
        ended = done.run("export", "r1", "--format", "atif", "--output", "out")
        assert ended.code == 0, ended.err
        assert "out, 3 files" in ended.out
        assert {path.name for path in (done.root / "out").iterdir()} == {
            "index.jsonl",
            "run.json",
            "trajectories",
        }

    def test_second_export_replaces_it(self, done: RunnerProject) -> None:
        """The folder of the same run is replaced; that of another run is refused."""
        arguments = ("--format", "atif", "--output", "out", "--json")
        for _ in range(2):
            ended = done.run("export", "r1", *arguments)
            assert (ended.code, ended.json["files"], ended.json["output"]) == (0, 3, "out")
        done.run("run", "--run-id", "r2", "--quiet")
        refused = done.run("export", "r2", *arguments)
        assert refused.code == 2
        assert refused.json["error"]["message"] == "--output out: holds an export of run 'r1'"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--format", "atif"], "--format atif needs --output, a folder"),
            (["--format", "atif", "--output", "none/out"], "there is no folder none"),
            (["--format", "csv", "--contents"], "--contents needs --format otel"),
            (["--format", "otel", "--output", "none/out"], "there is no folder none"),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, done: RunnerProject, arguments: list[str], message: str
    ) -> None:
        """An impossible place, and a flag of another format, are refused."""
        ended = done.run("export", "r1", *arguments)
        assert ended.code == 2
        assert message in ended.err


class TestTraces:
    def test_lines_go_to_standard_output(self, done: RunnerProject) -> None:
        """Without a file, the lines are all that is on standard output."""
        ended = done.run("export", "r1", "--format", "otel")
        assert (ended.code, ended.err) == (0, "")
        for line in ended.out.splitlines():
            assert json.loads(line).keys() == {"resourceSpans"}

    def test_file_has_the_same_lines(self, done: RunnerProject) -> None:
        """A file has the same lines, and their spans are counted."""
        lines = done.run("export", "r1", "--format", "otel", "--contents").out
        ended = done.run("export", "r1", "--format", "otel", "--contents", "--output", "t.jsonl")
        assert "t.jsonl, 4 spans" in ended.out
        assert (done.root / "t.jsonl").read_text() == lines
