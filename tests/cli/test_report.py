"""``report``: a run, or several, as one file; the run is left as it is."""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.outcomes import TASKS, run_to_all_ends
from tests.unit.results.report.pages import Parsed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject


def files(root: Path, *but: str) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file() and path.name not in but
    }


def report(project: RunnerProject, *args: str | Path, code: int = 0) -> Ended:
    """What it says, once it is sure that nothing but its own file is touched."""
    before = files(project.results)
    ended = project.run("report", *args)
    assert ended.code == code, ended.err
    assert ended.code or ended.err == ""
    after = files(project.results)
    assert {name: state for name, state in after.items() if "report" not in name} == {
        name: state for name, state in before.items() if "report" not in name
    }
    return ended


class TestTheFile:
    def test_file_is_in_the_runs_folder(self, project: RunnerProject) -> None:
        """The report is written to the run's folder, and its path is printed."""
        project.run("run", "--run-id", "r1")

        ended = report(project, "r1")

        assert ended.out == "Report  results/r1/report.html\n"
        page = Parsed((project.results / "r1" / "report.html").read_bytes())
        assert page.first("h1").text == "Run r1"
        assert "0.6667" in page.words

    def test_report_of_several_runs_is_beside_them(self, project: RunnerProject) -> None:
        """A report of several runs is written beside them."""
        project.run("run", "--run-id", "a")
        project.run("run", "--run-id", "b")

        ended = report(project, "b", "a")

        assert ended.out == "Report  results/report-b+a.html\n"
        page = Parsed((project.results / "report-b+a.html").read_bytes())
        assert page.table.labels == ["b", "a", "Scores"]

    def test_too_long_name_needs_an_output(self, project: RunnerProject) -> None:
        """Several runs with too long names need --output."""
        ids = [letter * 120 for letter in "ab"]
        for run_id in ids:
            project.run("run", "--run-id", run_id)

        ended = report(project, *ids, code=2)

        assert "Give it one with --output FILE." in ended.err
        report(project, *ids, "--output", "both.html")

    def test_output_sets_the_place(self, project: RunnerProject) -> None:
        """--output sets the place, and links lead from there."""
        project.run("run", "--run-id", "r1")
        (project.root / "there").mkdir()

        ended = report(project, "r1", "--output", "there/my.html")

        assert ended.out == "Report  there/my.html\n"
        assert not (project.results / "r1" / "report.html").exists()
        (logs,) = {
            link
            for details in [Parsed((project.root / "there/my.html").read_bytes()).table.of("t1")]
            for name, link in details["links"].items()
            if name == "Logs"
        }
        assert logs == "./../results/r1/t1/agent_logs/"

    @pytest.mark.parametrize(
        ("output", "said"),
        [
            ("r1.txt", "a report is HTML"),
            ("results/r1/run_config.json", "a report is HTML"),
            ("nowhere/r1.html", "there is no folder nowhere"),
            ("folder.html", "exists and is not a file"),
        ],
    )
    def test_invalid_output_is_refused(
        self, project: RunnerProject, output: str, said: str
    ) -> None:
        """An output that can't be a report is refused."""
        project.run("run", "--run-id", "r1")
        (project.root / "folder.html").mkdir()

        assert said in report(project, "r1", "--output", output, code=2).err

    def test_folder_with_the_files_name_stays(self, project: RunnerProject) -> None:
        """A folder in the place of the report is refused and stays."""
        project.run("run", "--run-id", "r1")
        (project.results / "r1" / "report.html").mkdir()

        ended = report(project, "r1", code=2)

        assert "exists and is not a file" in ended.err
        assert "Give another place with --output FILE." in ended.err

    def test_old_report_is_replaced(self, project: RunnerProject) -> None:
        """An old report is replaced, and a run resumes as before."""
        run_to_all_ends(project)
        report(project, "r1")
        project.heal()

        ended = project.run("run", "--run-id", "r1")
        report(project, "r1")

        assert ended.code == 1, ended.err  # its grader refuses one
        assert "set aside" not in ended.out + ended.err
        assert "1 failed" in project.run("status", "r1").out.replace("failed in grading", "failed")

    def test_link_below_the_results_is_not_followed(self, project: RunnerProject) -> None:
        """A link below the results is replaced and not followed."""
        project.run("run", "--run-id", "r1")
        elsewhere = project.root / "elsewhere.html"
        elsewhere.write_text("mine")
        (project.results / "r1" / "report.html").symlink_to(elsewhere)

        report(project, "r1")

        assert elsewhere.read_text() == "mine"
        assert not (project.results / "r1" / "report.html").is_symlink()

    def test_failed_report_keeps_the_old_one(self, project: RunnerProject) -> None:
        """A report that can't be written keeps the old one."""
        project.run("run", "--run-id", "r1")
        report(project, "r1")
        file = project.results / "r1" / "report.html"
        before = file.read_bytes()
        temporary = file.with_name(f".report.html.{os.getpid()}.tmp")
        temporary.mkdir()  # so that nothing can be written there

        ended = project.run("report", "r1")

        assert ended.code == 1
        assert "can't be written" in ended.err
        assert file.read_bytes() == before
        assert stat.S_ISDIR(temporary.stat().st_mode)


class TestWhatIsAsked:
    def test_unknown_run_suggests_similar_ones(self, project: RunnerProject) -> None:
        """An unknown run is refused with similar names."""
        project.run("run", "--run-id", "first")

        ended = report(project, "frist", code=2)

        assert "there is no run 'frist'" in ended.err
        assert "Did you mean first?" in ended.err

    def test_a_run_is_named_once(self, project: RunnerProject) -> None:
        """A run may be named only once."""
        project.run("run", "--run-id", "r1")

        assert "1 run named more than once: r1" in report(project, "r1", "r1", code=2).err

    def test_scores_are_grouped_by_a_field(self, project: RunnerProject) -> None:
        """--by groups the scores by a field of the tasks."""
        project.write_tasks(
            [
                {"id": str(n), "question": "say yes", "answer": "yes", "meta": {"level": n % 2}}
                for n in range(4)
            ]
        )
        project.run("run", "--run-id", "r1")

        found = report(project, "r1", "--by", "meta.level", "--json").json["runs"][0]

        assert found["by"] == "meta.level"
        assert [(group["name"], group["total"], group["mean"]) for group in found["groups"]] == [
            ("0", 2, 1),
            ("1", 2, 1),
        ]
        page = Parsed((project.results / "r1" / "report.html").read_bytes())
        assert "Scores by meta.level" in page.words

    def test_unknown_field_is_refused_first(self, project: RunnerProject) -> None:
        """An unknown field is refused before anything is written."""
        project.run("run", "--run-id", "r1")

        assert "no task of run 'r1' has a field 'topic'" in (
            report(project, "r1", "--by", "topic", code=2).err
        )
        assert not (project.results / "r1" / "report.html").exists()

    def test_missing_extra_says_how_to_install_it(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the extra the error prints the command that installs it."""
        project.run("run", "--run-id", "r1")
        monkeypatch.setattr(
            "benchmark_runner._extras.find_spec",
            lambda name: None if name == "vl_convert" else find_spec(name),
        )

        ended = report(project, "r1", code=2)

        assert "not installed: vl_convert" in ended.err
        assert "'vals-benchmark-runner[report]'" in ended.err

    def test_missing_extra_is_not_imported(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the extra none of its modules is imported."""
        monkeypatch.setitem(sys.modules, "jinja2", None)
        monkeypatch.setitem(sys.modules, "vl_convert", None)

        ended = project.run("report", "r1")

        assert ended.code == 2
        assert "'vals-benchmark-runner[report]'" in ended.err


class TestJson:
    def test_json_has_figures_and_path(self, project: RunnerProject) -> None:
        """The JSON has the same figures and the path of the page."""
        run_to_all_ends(project)

        document = report(project, "r1", "--json").json

        assert document["schema"] == 1
        assert document["command"] == "report"
        assert document["output"] == str(project.results / "r1" / "report.html")
        (found,) = document["runs"]
        assert found["run_id"] == "r1"
        assert (found["local"], found["complete"], found["worked_on_by"]) == (True, False, None)
        assert (found["final_score"], found["mean"], found["scores"]) == (None, 0.25, 4)
        assert found["interval"]["method"] == "wilson"
        assert found["interval"]["level"] == 0.95
        assert found["counts"] == {
            "total": len(TASKS),
            "attempted": 8,
            "scored": 2,
            "error": 3,
            "max_time": 1,
            "max_turns": 1,
        }
        assert found["states"]["not_generated"] == 1
        assert [each["name"] for each in found["distributions"]] == ["Scores", "Generation time"]
        assert [each["task_ids"] for each in found["failures"]] == [
            ["broken", "broken-2"],
            ["unfair"],
        ]
        assert document["differences"] == []

    def test_json_has_the_differences(self, project: RunnerProject) -> None:
        """The JSON of several runs has their differences."""
        project.run("run", "--run-id", "a")
        project.heal()
        project.write_grader("def grade(task, response):\n    return 1\n")
        project.run("run", "--run-id", "b")

        (found,) = report(project, "a", "b", "--json").json["differences"]

        assert (found["first"], found["second"], found["count"]) == ("a", "b", 3)
        assert found["mean"] == pytest.approx(1 / 3)

    def test_error_is_one_object(self, project: RunnerProject) -> None:
        """With --json an error is one object."""
        error = report(project, "r1", "--json", code=2).json["error"]

        assert error["message"].startswith("there is no run 'r1'")


class TestItsCommands:
    def commands(self, project: RunnerProject, run_id: str = "r1") -> list[str]:
        report(project, run_id)
        page = Parsed((project.results / run_id / "report.html").read_bytes())
        return [
            each.text
            for each in page.all("pre")
            if (each.attributes.get("id") or "").startswith("command-")
        ]

    def test_resume_command_of_the_page_works(self, project: RunnerProject) -> None:
        """The resume command of the page works."""
        run_to_all_ends(project)
        go_on, _ = self.commands(project)
        project.heal()

        ended = project.shell(go_on)

        assert "Resuming run r1" in ended.out
        assert project.read("r1", "missing", "generation.json")["answer"] == "nothing"

    def test_repeat_command_runs_the_same_again(self, project: RunnerProject) -> None:
        """The command to repeat a run runs the same tasks with the same settings."""
        settings = ("--model", "other", "--temperature", "0.5", "--max-tokens", "99")
        more = ("--limit", "2", "--chat-completions", "--disable-streaming", "--parallelism", "3")
        project.run("run", "--run-id", "r1", *settings, *more)
        _, again = self.commands(project)

        ended = project.shell(f"{again} --run-id r2")

        assert ended.code == 0, ended.err
        first, second = (project.read(run_id, "run_config.json") for run_id in ("r1", "r2"))
        for name in ("model", "tasks", "task_hashes", "limit", "sampling", "dataset_file"):
            assert first[name] == second[name], name
        assert second["operational"]["parallelism"] == 3

    def test_options_with_spaces_are_quoted(self, project: RunnerProject) -> None:
        """Options with spaces are quoted in the commands."""
        project.change_agent(
            ("from benchmark_runner", "from pydantic import BaseModel\n\nfrom benchmark_runner"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    say: str = ''\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        project.run("run", "--run-id", "r1", "--option", "say=it's a word")

        _, again = self.commands(project)

        assert shlex.split(again)[-2:] == ["--option", "say=it's a word"]

    def test_problem_has_only_the_evaluate_command(self, project: RunnerProject) -> None:
        """A run of problems has only the command to evaluate."""
        (project.root / "problem.txt").write_text("say yes")
        project.run("run", "--run-id", "r1", "--skip-eval", "--problem", "problem.txt", "p1")

        (only,) = self.commands(project)

        assert " evaluate --run-id r1" in only


def test_running_run_is_reported(project: RunnerProject) -> None:
    """A run in progress is reported as it is."""
    project.write_tasks([*TASKS[:1], {"id": "long", "question": "wait", "answer": ""}])
    reader, writer = os.pipe()
    process = project.start("run", "--run-id", "r1", "--parallelism", "1", ready=writer)
    os.close(writer)
    assert os.read(reader, 100) == b"long\n"
    try:
        ended = project.run("report", "r1", "--json")
    finally:
        process.terminate()
        project.end(process)
        os.close(reader)

    (found,) = ended.json["runs"]
    assert found["worked_on_by"].startswith(f"process {process.pid} on ")
    assert found["counts"]["attempted"] == 1
    page = Parsed((project.results / "r1" / "report.html").read_bytes())
    assert f"Still running: process {process.pid}" in page.words


def test_secrets_are_masked_in_page_and_json(project: RunnerProject) -> None:
    """Secrets are masked in the page and in the JSON."""
    secret = "sk-do-not-tell-anybody-42"
    project.write_tasks([{"id": "t1", "question": "say yes", "answer": "yes"}])
    project.run("run", "--run-id", "r1")
    path = project.results / "r1" / "t1" / "generation.json"
    generation: dict[str, Any] = json.loads(path.read_text())
    hidden = f"sk-do-not\x1b[0m-tell-anybody-42 and {secret} {'x' * 30_000} {secret}"
    failed = {"status": "error", "error": f"Error: {secret}", "answer": hidden, "data": hidden}
    path.write_text(json.dumps(generation | failed))

    ended = project.run("report", "r1", "--json", OPENAI_API_KEY=secret)

    content = (project.results / "r1" / "report.html").read_bytes()
    assert secret not in ended.out
    assert secret.encode() not in content
    detail = Parsed(content).table.of("t1")
    assert "anybody" not in json.dumps(detail)
    assert detail["texts"]["Error"][0] == "Error: ***"
