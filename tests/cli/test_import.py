"""``import``: answers that were made elsewhere become a run, which is evaluated as any other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cli.outcomes import run_to_all_ends

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject

#: Two right and one wrong answer to the tasks of a project.
ANSWERS = [
    {"task_id": "t1", "answer": "one", "cost": 0.25, "input_tokens": 12},
    {"task_id": "t2", "answer": "two", "total_turns": 3},
    {"task_id": "t3", "answer": "three", "generation_seconds": 1.5},
]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def import_lines(
    project: RunnerProject, lines: list[dict[str, Any]], *more: str, run_id: str = "r1"
) -> Ended:
    path = write_lines(project.root / "answers.jsonl", lines)
    return project.run("import", path, "--run-id", run_id, "--model", "m", *more)


def rows_of(project: RunnerProject, run_id: str) -> list[dict[str, Any]]:
    """The rows of a run, without what is another run's or measured."""
    rows = project.run("export", run_id, "--format", "jsonl").out.splitlines()
    of_run = (
        "run_id",
        "imported",
        "attempts",
        "log_dir",
        "grading_seconds",
        "artifact",
        "eval_status",
    )
    return [
        {name: cell for name, cell in json.loads(row).items() if name not in of_run} for row in rows
    ]


def score_of(project: RunnerProject, run_id: str) -> dict[str, Any]:
    score = project.read(run_id, "final_score.json")
    return {name: score[name] for name in score.keys() - {"imported", "evals_hash"}}


class TestAnImport:
    def test_answers_are_evaluated_as_any_other(self, project: RunnerProject) -> None:
        """Imported answers are evaluated and scored, and the score says that they are imported."""
        ended = import_lines(project, ANSWERS)

        assert (ended.code, ended.err) == (0, "")
        assert "  answers  3 added, from answers.jsonl\n" in ended.out
        assert "\nEvaluate bin/sample-runner evaluate --run-id r1\n" in ended.out
        assert project.calls == []
        generation = project.read("r1", "t1", "generation.json")
        assert (generation["imported"], generation["answer"]) == (True, "one")
        assert (generation["question"], generation["model"]) == ("say one", "m")
        assert (generation["cost"], generation["usage"]["input"]) == (0.25, 12)
        config = project.read("r1", "run_config.json")
        assert config["imported"]["answers"] == 3
        assert config["imported"]["file"] == str(project.root / "answers.jsonl")
        assert config["generation_version"] is config["runner_commit"] is None
        assert [each["command"] for each in config["history"]] == ["import"]

        graded = project.run("evaluate", "--run-id", "r1")

        assert graded.code == 0
        assert "  answers  imported from answers.jsonl\n" in graded.out
        assert graded.resume_command == "bin/sample-runner evaluate --run-id r1"
        score = project.read("r1", "final_score.json")
        assert (score["final_score"], score["imported"]) == (2 / 3, True)

    def test_same_file_again_changes_nothing(self, project: RunnerProject) -> None:
        """The same file again changes nothing, neither answers nor grades nor the config."""
        import_lines(project, ANSWERS)
        project.run("evaluate", "--run-id", "r1")
        before = {name: (project.results / name).read_bytes() for name in project.files()}

        ended = import_lines(project, ANSWERS)

        assert ended.code == 0
        assert "  answers  0 added, 3 there before, from answers.jsonl\n" in ended.out
        assert {name: (project.results / name).read_bytes() for name in project.files()} == before

    def test_json_has_counts_and_commands(self, project: RunnerProject) -> None:
        """--json tells what was added, what is missing, and the command that is next."""
        found = import_lines(project, ANSWERS[:2], "--json").json

        assert (found["command"], found["run_id"]) == ("import", "r1")
        assert (found["answers"], found["added"], found["skipped"]) == (2, 2, 0)
        assert found["missing"] == ["t3"]
        assert found["counts"]["attempted"] == 2
        assert found["cost"] == 0.25
        assert found["imported"]["answers"] == 2
        assert found["evaluate_command"] == "bin/sample-runner evaluate --run-id r1"


class TestAnExport:
    def test_export_has_the_same_grades_again(self, project: RunnerProject) -> None:
        """An exported run that is imported and evaluated has the same grades and score."""
        run_to_all_ends(project)
        project.run("export", "r1", "--output", "r1.jsonl")

        ended = project.run("import", "r1.jsonl", "--run-id", "r2", "--model", "sample-model")

        assert ended.code == 0
        assert "1 row left out: the task was not generated" in ended.out
        assert "Missing  1 answer: missing" in ended.out
        for run_id in ("r1", "r2"):
            project.run("evaluate", "--run-id", run_id)
            project.run("score", "--run-id", run_id, "--force")
        assert rows_of(project, "r2") == rows_of(project, "r1")
        assert score_of(project, "r2") == score_of(project, "r1")
        assert project.read("r2", "final_score.json")["imported"] is True
        assert "imported" not in project.read("r1", "final_score.json")
