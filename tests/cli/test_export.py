"""``export``: a row for each task, for spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import benchmark_runner
from benchmark_runner.results.export.columns import COLUMNS
from tests.cli.outcomes import TASKS, run_to_all_ends

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

PAGE = Path(benchmark_runner.__file__).parents[2] / "docs" / "export.md"


def as_csv(text: str) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(text, newline=""))]


def as_jsonl(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


class TestTheRows:
    def test_each_task_has_a_row(self, project: RunnerProject) -> None:
        """Each task has a row, in the order of the run."""
        run_to_all_ends(project)

        ended = project.run("export", "r1")

        assert (ended.code, ended.err) == (0, "")
        rows = as_csv(ended.out)
        assert [row["task_id"] for row in rows] == [task["id"] for task in TASKS]
        assert [row["state"] for row in rows] == [
            "scored", "scored", "timed out", "out of turns", "failed in generation",
            "failed in generation", "failed in grading", "not graded yet", "not generated yet",
        ]  # fmt: skip
        assert [row["score"] for row in rows] == ["1.0", "0.0", "0.0", "0.0", *[""] * 5]
        right = rows[0]
        assert (right["run_id"], right["question"], right["answer"]) == ("r1", "say yes", "yes")
        assert json.loads(right["grade"]) == {"pass_percentage": 1.0, "reason": "as told"}
        assert (right["service_url"], right["stale_eval"]) == ("local", "false")
        assert rows[4]["error"] == "ValueError: no luck with broken"
        assert (rows[4]["attempts"], rows[4]["kind"]) == ("2", "author_code")
        assert rows[8]["question"] == rows[8]["grade"] == ""

    def test_jsonl_has_the_same_rows(self, project: RunnerProject) -> None:
        """JSON lines have the same rows."""
        run_to_all_ends(project)

        rows = as_jsonl(project.run("export", "r1", "--format", "jsonl").out)

        assert {tuple(row) for row in rows} == {(*COLUMNS,)}
        assert [row["task_id"] for row in rows] == [task["id"] for task in TASKS]
        assert [row["score"] for row in rows[:5]] == [1, 0, 0, 0, None]
        assert rows[0]["grade"] == '{"pass_percentage": 1.0, "reason": "as told"}'
        assert rows[8]["question"] is rows[8]["grade"] is None
        assert rows[0]["stale_eval"] is False

    def test_columns_are_fixed_and_documented(self, project: RunnerProject) -> None:
        """The columns are always the same, and the page lists them."""
        project.run("run", "--run-id", "r1", "t1")

        heading = project.run("export", "r1").out.splitlines()[0]

        assert tuple(heading.split(",")) == (*COLUMNS,)
        listed = PAGE.read_text().partition("## Columns")[2].partition("## ")[0]
        names = [part for place, part in enumerate(listed.split("`")) if place % 2]
        assert [name for name in names if name in COLUMNS] == [*COLUMNS]

    def test_agents_output_is_not_in_the_table(self, project: RunnerProject) -> None:
        """Output of the agent is not in the table."""
        project.run("run", "--run-id", "r1")
        project.change_agent(("ROOT =", 'print("imported")\nos.system("echo started")\nROOT ='))

        for ended in (project.execute("export", "r1"), project.run("export", "r1")):
            assert [row["task_id"] for row in as_csv(ended.out)] == ["t3", "t1", "t2"]
            assert "imported" in ended.err


class TestTextsInCsv:
    @pytest.mark.parametrize(
        ("answer", "cell"),
        [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\n=1"),
            ("\x1b[0m=1+1", "'=1+1"),
            ("1-1=0", "1-1=0"),
            ('two\nlines, "quoted"', 'two\nlines, "quoted"'),
            ("\x1b[31mred\x00", "red"),
        ],
    )
    def test_text_is_no_formula_and_no_escape(
        self, project: RunnerProject, answer: str, cell: str
    ) -> None:
        """A text in CSV is neither a formula nor an escape sequence."""
        project.write_tasks([{"id": "t1", "question": f"say {answer}", "answer": ""}])
        project.run("run", "--run-id", "r1")

        (row,) = as_csv(project.run("export", "r1").out)
        (whole,) = as_jsonl(project.run("export", "r1", "--format", "jsonl").out)

        assert row["answer"] == cell
        assert whole["answer"] == answer

    def test_id_is_escaped_and_number_is_not(self, project: RunnerProject) -> None:
        """An id is escaped like any text, and a number is not."""
        project.set_in_class("task_score = lambda self, result: -0.5")
        project.write_tasks([{"id": "=1", "question": "say a", "answer": ""}])
        project.run("run", "--run-id", "r1")

        (row,) = as_csv(project.run("export", "r1").out)

        assert (row["task_id"], row["score"]) == ("'=1", "-0.5")


class TestTheFile:
    def test_file_ending_sets_the_format(self, project: RunnerProject) -> None:
        """The ending of the file sets the format, unless --format does."""
        project.run("run", "--run-id", "r1")

        said = project.run("export", "r1", "--output", "r1.jsonl")
        told = project.run("export", "r1", "--output", "r1.csv", "--json").json
        project.run("export", "r1", "--output", "table.txt", "--format", "jsonl")

        assert (said.code, said.out) == (0, "Table   r1.jsonl, 3 rows\n")
        assert len(as_jsonl((project.root / "r1.jsonl").read_text())) == 3
        assert len(as_csv((project.root / "r1.csv").read_text())) == 3
        assert len(as_jsonl((project.root / "table.txt").read_text())) == 3
        assert (told["format"], told["output"], told["rows"]) == ("csv", "r1.csv", 3)
        assert [path.name for path in project.root.glob(".*.tmp")] == []

    def test_link_to_the_file_is_kept(self, project: RunnerProject, tmp_path: Path) -> None:
        """A link to the file is kept, and its target is written."""
        project.run("run", "--run-id", "r1")
        (tmp_path / "target.csv").write_text("old")
        (project.root / "link.csv").symlink_to(tmp_path / "target.csv")

        project.run("export", "r1", "--output", "link.csv")

        assert (project.root / "link.csv").is_symlink()
        assert len(as_csv((tmp_path / "target.csv").read_text())) == 3

    def test_failed_export_keeps_the_old_file(self, project: RunnerProject) -> None:
        """An export that fails keeps the old file."""
        project.run("run", "--run-id", "r1")
        project.set_in_class(
            'task_score = lambda self, result: 1 if result["pass_percentage"] else {}["no"]'
        )
        file = project.root / "r1.csv"
        file.write_text("before")

        ended = project.run("export", "r1", "--output", "r1.csv")

        assert ended.code == 2
        assert "task_score() failed on task 't2'" in ended.err
        assert file.read_text() == "before"
        assert [path.name for path in project.root.glob(".*.tmp")] == []

    def test_old_file_stays_until_all_is_written(self, project: RunnerProject) -> None:
        """The old file stays until everything is written."""
        project.run("run", "--run-id", "r1")
        project.set_in_class("task_score = lambda self, result: wait_for_it()")
        project.change_agent(
            (
                "def announce",
                'def wait_for_it():\n    announce("here")\n    signal.pause()\n\n\ndef announce',
            )
        )
        file = project.root / "r1.csv"
        file.write_text("before")
        reached, ready = os.pipe()

        with project.start("export", "r1", "--output", "r1.csv", ready=ready) as export:
            os.close(ready)
            assert os.read(reached, 100) == b"here\n"
            os.close(reached)
            assert file.read_text() == "before"
            export.send_signal(signal.SIGINT)
            assert export.wait(30) == 130

        assert file.read_text() == "before"
        assert [path.name for path in project.root.glob(".*.tmp")] == []


class TestErrors:
    def test_json_needs_an_output_file(self, project: RunnerProject) -> None:
        """--json needs --output for the rows."""
        project.run("run", "--run-id", "r1")

        ended = project.run("export", "r1", "--json")

        assert ended.code == 2
        assert "--json needs --output" in ended.json["error"]["message"]

    def test_missing_folder_is_refused(self, project: RunnerProject) -> None:
        """A folder that does not exist is refused."""
        project.run("run", "--run-id", "r1")

        ended = project.run("export", "r1", "--output", "tables/r1.csv")

        assert (ended.code, (project.root / "tables").exists()) == (2, False)
        assert "there is no folder tables" in ended.err

    def test_folder_is_not_replaced(self, project: RunnerProject) -> None:
        """An output that exists and is no file is refused."""
        project.run("run", "--run-id", "r1")

        ended = project.run("export", "r1", "--output", "results")

        assert ended.code == 2
        assert "exists and is not a file" in ended.err

    @pytest.mark.parametrize("name", ["events.jsonl", "t1/generation.json"])
    def test_no_file_of_a_run_is_replaced(self, project: RunnerProject, name: str) -> None:
        """A table does not take the place of a file that the run has itself."""
        project.run("run", "--run-id", "r1")
        before = project.results.joinpath("r1", name).read_bytes()

        ended = project.run("export", "r1", "--output", f"results/r1/{name}")

        assert (ended.code, ended.err.count("the run has this file itself")) == (2, 1)
        assert project.results.joinpath("r1", name).read_bytes() == before

    def test_an_unknown_format_is_refused(self, project: RunnerProject) -> None:
        """An unknown format is refused."""
        ended = project.run("export", "r1", "--format", "xlsx")

        assert ended.code == 2
        assert "xlsx" in ended.err
