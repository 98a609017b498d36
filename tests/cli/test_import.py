"""``import``: answers that were made elsewhere become a run, which is evaluated as any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import benchmark_runner
from tests.cli.outcomes import run_to_all_ends
from tests.cli.trajectories import RECORDING_AGENT

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

PAGE = Path(benchmark_runner.__file__).parents[2] / "docs" / "import.md"
KEY = "sk-hidden-model-key-42"
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

    @pytest.mark.parametrize("repeats", [1, 3])
    def test_repeats_and_their_score(self, project: RunnerProject, repeats: int) -> None:
        """Repeats are imported as repeats; each has its grade, and the score is their mean."""
        project.run("run", "--run-id", "r1", "--repeats", str(repeats))
        project.run("export", "r1", "--output", "r1.jsonl")

        assert project.run("import", "r1.jsonl", "--run-id", "r2", "--model", "m").code == 0
        assert project.run("evaluate", "--run-id", "r2").code == 0

        assert project.read("r2", "run_config.json")["repeats"] == repeats
        assert [{**row, "model": "m"} for row in rows_of(project, "r1")] == rows_of(project, "r2")
        assert score_of(project, "r2") == score_of(project, "r1")
        compared = project.run("compare", "r1", "r2", "--json").json
        assert compared["effect"]["difference"] == 0
        assert compared["b"]["imported"]["file"] == str(project.root / "r1.jsonl")
        assert compared["a"]["imported"] is None

    def test_export_of_an_import_is_one_too(self, project: RunnerProject) -> None:
        """The export of an imported run can be imported, and says that it was imported."""
        import_lines(project, ANSWERS)
        project.run("export", "r1", "--output", "r1.jsonl")

        assert project.run("import", "r1.jsonl", "--run-id", "r2", "--model", "m").code == 0
        rows = [json.loads(row) for row in (project.root / "r1.jsonl").read_text().splitlines()]
        assert [row["imported"] for row in rows] == [True] * 3
        assert rows_of(project, "r2") == rows_of(project, "r1")


class TestTasks:
    def test_first_tasks_of_a_dataset(self, project: RunnerProject) -> None:
        """--limit makes a run of the first tasks, and a line of another task is refused."""
        refused = import_lines(project, ANSWERS, "--limit", "2")
        assert "answers.jsonl, line 2: field task_id: the run has no task 't2'" in refused.err

        assert import_lines(project, [ANSWERS[0], ANSWERS[2]], "--limit", "2").code == 0
        assert project.run("evaluate", "--run-id", "r1").code == 0
        assert project.read("r1", "final_score.json")["complete"] is True

    def test_dataset_of_the_service(self, project: RunnerProject) -> None:
        """The tasks may be those of a dataset of the service, which stays that of the run."""
        assert import_lines(project, ANSWERS, "--dataset-name", "validation").code == 0

        config = project.read("r1", "run_config.json")
        assert (config["task_source"], config["dataset_name"]) == ("service", "validation")
        assert "  answers  0 added" in import_lines(project, ANSWERS).out
        assert project.run("evaluate", "--run-id", "r1").code == 0

    def test_changed_tasks_are_refused(self, project: RunnerProject) -> None:
        """Answers are not added to a run whose tasks have changed; the way out is another run."""
        import_lines(project, ANSWERS[:1])
        project.write_tasks([{"id": "t1", "question": "say otherwise", "answer": "one"}])

        ended = import_lines(project, ANSWERS[:1])

        assert ended.code == 2
        assert ended.err.startswith("RunIdentityError: the tasks of run 'r1' are not what they")
        assert "Restore the dataset, or import the answers under another --run-id." in ended.err


class TestMoreAnswers:
    def test_further_answers_are_added(self, project: RunnerProject) -> None:
        """Another file adds tasks and repeats; a score of fewer answers is removed."""
        import_lines(project, ANSWERS)
        project.run("evaluate", "--run-id", "r1")
        again = [{**line, "repeat": 2, "answer": "two"} for line in ANSWERS]

        ended = import_lines(project, [*ANSWERS, *again])

        assert "  answers  3 added, 3 there before" in ended.out
        assert "Tasks    3 x 2 repeats: 6 generations" in ended.out
        assert not (project.results / "r1" / "final_score.json").exists()
        assert project.run("evaluate", "--run-id", "r1").code == 0
        assert project.read("r1", "final_score.json")["final_score"] == (2 / 3 + 0) / 2
        changed = project.read("r1", "run_config.json")["history"][2]["changed"]
        assert changed["answers"] == [3, 6]

    def test_missing_answers_are_named(self, project: RunnerProject) -> None:
        """Tasks without an answer are missing; status prints the commands that are next."""
        import_lines(project, ANSWERS[:1])
        project.run("evaluate", "--run-id", "r1")

        shown = project.run("status", "r1")

        lines = shown.out.splitlines()
        assert "  answers  imported from answers.jsonl" in lines
        assert "Missing  2 answers: t3, t2" in lines
        assert "Import   bin/sample-runner import --run-id r1 --model m answers.jsonl" in lines
        assert lines[-1] == "Evaluate bin/sample-runner evaluate --run-id r1"
        assert "Retry" not in shown.out
        found = project.run("status", "r1", "--json").json
        assert found["resume_command"] == "bin/sample-runner evaluate --run-id r1"
        assert found["retry_timeouts_command"] is None

    def test_answer_takes_the_place_of_an_error(self, project: RunnerProject) -> None:
        """An answer to a task that failed takes its place; the error is an earlier attempt."""
        error = {"task_id": "t1", "status": "error", "error": "RateLimitError: 429", "cost": 1}
        import_lines(project, [error])

        ended = import_lines(project, [{"task_id": "t1", "answer": "one"}])

        assert "  answers  1 added" in ended.out
        earlier = project.read("r1", "t1", "attempts", "1", "generation.json")
        assert (earlier["error"], earlier["cost"]) == ("RateLimitError: 429", 1)
        generation = project.read("r1", "t1", "generation.json")
        assert (generation["answer"], generation["attempts"]) == ("one", 2)
        assert (
            "  answers  0 added, 1 there before"
            in import_lines(project, [{"task_id": "t1", "answer": "one"}]).out
        )


class TestTexts:
    def test_documented_lines_can_be_imported(self, project: RunnerProject) -> None:
        """The lines and the keys in the documentation can be imported."""
        page = PAGE.read_text()
        lines = [json.loads(line) for line in page.splitlines() if line.startswith('{"task_id"')]

        ended = import_lines(project, lines)

        assert len(lines) == 3
        assert ended.code == 0
        assert "1 attempted, " not in ended.out
        assert project.read("r1", "t2", "generation.json")["status"] == "max_time"
        assert project.read("r1", "t3", "generation.json")["error"] == "RateLimitError: 429"

    def test_unusual_texts_are_kept(self, project: RunnerProject) -> None:
        """A byte order mark, half a surrogate pair, and numbers of unknown keys do no harm."""
        line = r'{"task_id": "t1", "answer": "a\ud800b", "logprobs": [NaN, 1e999]}'
        (project.root / "answers.jsonl").write_bytes(f"\ufeff{line}\r\n".encode())

        ended = project.run("import", "answers.jsonl", "--run-id", "r1", "--model", "m")

        assert (ended.code, ended.err) == (0, "")
        assert project.read("r1", "t1", "generation.json")["answer"] == "a\ufffdb"
        again = project.run("import", "answers.jsonl", "--run-id", "r1", "--model", "m")
        assert "  answers  0 added, 1 there before" in again.out

    def test_key_in_an_answer_is_masked(self, project: RunnerProject) -> None:
        """A key in an answer or an error is masked, and the answer named."""
        line = {"task_id": "t1", "answer": f"it is {KEY}"}
        failed = {"task_id": "t2", "status": "error"}
        project.monkeypatch.setenv("VALS_AUTH_KEY", KEY)

        for _ in range(2):
            ended = import_lines(project, [line, {**failed, "error": KEY}])

            assert ended.code == 0, ended.err
            assert "Warning: a key was masked in the answer of: t1" in ended.out
        assert project.read("r1", "t1", "generation.json")["answer"] == "it is ***"
        assert project.read("r1", "t2", "generation.json")["error"] == "***"

    def test_key_is_in_no_file(self, project: RunnerProject) -> None:
        """A key in a trajectory is in no file of the run."""
        steps = [{"step_id": 1, "source": "agent", "message": f"with {KEY}", "extra": {KEY: [KEY]}}]
        agent = {"name": KEY, "version": "1"}
        content = {"schema_version": "ATIF-v1.8", "agent": agent, "steps": steps}
        (project.root / "t.json").write_text(json.dumps(content))
        project.monkeypatch.setenv("VALS_AUTH_KEY", KEY)
        lines = [{**ANSWERS[0], "trajectory": "t.json"}]

        assert import_lines(project, lines).code == 0

        for name in project.files():
            assert KEY.encode() not in (project.results / name).read_bytes(), name
        kept = project.read("r1", "t1", "agent_logs", "trajectory.json")
        assert kept["steps"][0]["message"] == "with ***"
        assert "  answers  0 added" in import_lines(project, lines).out

    def test_other_question_is_refused(self, project: RunnerProject) -> None:
        """An answer to another question is refused; a prompt may hold that of the task."""
        lines = [{**line, "question": f"say {line['answer']}"} for line in ANSWERS]
        lines[0]["question"] = f"Be brief: {lines[0]['question']}"

        ended = import_lines(project, [*lines[:2], {**lines[2], "question": "say something else"}])

        assert ended.code == 2
        assert "line 3: field question: does not hold that of the task" in ended.err
        assert import_lines(project, lines).code == 0
        assert project.read("r1", "t1", "generation.json")["question"] == "Be brief: say one"


class TestTrajectories:
    def test_advice_is_for_the_file(self, project: RunnerProject) -> None:
        """An imported answer without a trajectory has advice about its file."""
        import_lines(project, ANSWERS)
        advice = "the file that is imported can name one for each answer"
        assert f"Trajectory: none; {advice}" in project.run("show", "r1", "t1").out
        assert advice in project.run("show", "r1", "t1", "--trajectory").err

    def test_figures_come_from_it(self, project: RunnerProject) -> None:
        """A trajectory is copied, and tells the tokens and the cost that the line leaves out."""
        agent = (project.root / "runner" / "benchmark.py").read_text()
        project.write_agent(RECORDING_AGENT)
        project.run("run", "--run-id", "r0", "t1")
        project.write_agent(agent)
        path = "results/r0/t1/agent_logs/trajectory.json"
        lines = [{"task_id": "t1", "answer": "one", "trajectory": path, "total_turns": 7}]

        assert import_lines(project, lines).code == 0

        made, first = (project.read(run, "t1", "generation.json") for run in ("r1", "r0"))
        assert made["usage"] == first["usage"]
        assert (made["cost"], made["total_turns"]) == (0.25, 7)
        assert "I look." in project.run("show", "r1", "t1", "--trajectory").out
        assert "  answers  0 added" in import_lines(project, lines).out
        (project.root / path).write_text(
            (project.root / path).read_text().replace("I look.", "I listen.")
        )
        ended = import_lines(project, lines)
        assert ended.code == 2
        assert "line 1: field trajectory: the run has another one" in ended.err
