from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


@pytest.fixture
def incomplete(project: RunnerProject) -> RunnerProject:
    assert project.run("run", "--run-id", "r1", "t1").code == 0
    return project


def test_an_incomplete_run_gets_no_score(incomplete: RunnerProject) -> None:
    """An incomplete run gets no score."""
    before = incomplete.files()
    ended = incomplete.run("score", "--run-id", "r1")
    assert ended.code == 1
    assert "No score written: 2 not generated. --force" in ended.out
    assert incomplete.files() == before


def test_score_leaves_the_config_unchanged(project: RunnerProject) -> None:
    """The score command leaves run_config.json and its history unchanged."""
    project.run("run", "--run-id", "r1", "--eval-parallelism", "3", "--no-durable")
    config = project.results / "r1" / "run_config.json"
    before = config.read_bytes()
    assert project.run("score", "--run-id", "r1", "--force", "--eval-timeout", "20").code == 0
    assert config.read_bytes() == before


def test_force_counts_missing_tasks_as_zero(
    incomplete: RunnerProject,
) -> None:
    """With --force missing tasks count 0, and the score says so."""
    ended = incomplete.run("score", "--run-id", "r1", "--force")
    assert ended.code == 0
    assert "incomplete, missing tasks count 0" in ended.out
    score = incomplete.read("r1", "final_score.json")
    assert score["final_score"] == pytest.approx(1 / 3)
    assert score["complete"] is False
    assert score["tasks_evaluated"] == ["t3", "t1", "t2"]


def test_forced_score_is_replaced_when_finished(incomplete: RunnerProject) -> None:
    """A forced score is replaced when the run is finished."""
    incomplete.run("score", "--run-id", "r1", "--force")
    assert incomplete.run("run", "--run-id", "r1").code == 0
    score = incomplete.read("r1", "final_score.json")
    assert score["final_score"] == pytest.approx(2 / 3)
    assert score["complete"] is True


class TestAForcedScore:
    """It says what it is worth: the counts, and where the mean lies whatever failed."""

    @pytest.fixture
    def mixed(self, project: RunnerProject) -> RunnerProject:
        """A solved task, one out of turns, one whose agent fails, and one never started."""
        project.write_tasks(
            [
                {"id": "good", "question": "say good", "answer": "good"},
                {"id": "chatty", "question": "out-of-turns", "answer": ""},
                {"id": "broken", "question": "raise no luck", "answer": ""},
                {"id": "missing", "question": "say missing", "answer": "missing"},
            ]
        )
        assert project.run("run", "--run-id", "r1", "good", "chatty", "broken").code == 1
        return project

    def test_forced_score_has_counts_and_bounds(self, mixed: RunnerProject) -> None:
        """A forced score is written with counts and bounds."""
        assert mixed.run("score", "--run-id", "r1", "--force").code == 0
        score = mixed.read("r1", "final_score.json")
        assert score["complete"] is False
        assert score["counts"] == {
            "total": 4,
            "attempted": 3,
            "scored": 1,
            "error": 1,
            "max_time": 0,
            "max_turns": 1,
        }
        assert score["bounds"] == {"errors_as_0": 0.25, "errors_as_1": 0.75}
        assert score["mean"] == 0.5

    def test_forced_score_is_printed_with_them(self, mixed: RunnerProject) -> None:
        """A forced score is printed with counts and bounds."""
        ended = mixed.run("score", "--run-id", "r1", "--force")
        lines = ended.out.splitlines()
        assert "Score    0.25  [local; incomplete, missing tasks count 0]" in lines
        assert "Mean     0.5 ± 0.5 (standard error, n=2) of the tasks' scores" in lines
        bounds = "Bounds   0.25 to 0.75: the mean with what has no score as 0, and as 1"
        assert bounds in lines
        counts = "4: 3 attempted, 1 scored, 0 timed out, 1 out of turns, 1 failed"
        assert f"Tasks    {counts}" in lines

    def test_complete_run_has_no_bounds_to_print(self, project: RunnerProject) -> None:
        """The bounds of a complete run are the mean and not printed."""
        project.run("run", "--run-id", "r1")
        ended = project.run("score", "--run-id", "r1", "--force")
        assert ended.code == 0
        assert "Score    0.6667 ± 0.33" in ended.out
        assert "Bounds" not in ended.out
        assert "incomplete" not in ended.out
        score = project.read("r1", "final_score.json")
        assert score["bounds"]["errors_as_0"] == score["bounds"]["errors_as_1"] == score["mean"]

    def test_no_task_score_means_no_bounds(self, mixed: RunnerProject) -> None:
        """If a result has no task score, there are no bounds."""
        assert mixed.run("score", "--run-id", "r1", "--force").code == 0
        mixed.set_in_class("def task_score(self, result): return None")
        ended = mixed.run("status", "r1", "--json")
        assert ended.code == 0, ended.err
        assert (ended.json["bounds"], ended.json["mean"]) == (None, None)

    def test_only_score_has_force(self, mixed: RunnerProject) -> None:
        """No other command has --force."""
        for command in ("run", "evaluate"):
            ended = mixed.run(command, "--run-id", "r1", "--force")
            assert ended.code == 2
            assert "No such option" in ended.err


def test_missing_tasks_are_submitted_as_null(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    """Missing tasks are submitted as null, others as complete evaluations."""
    flags = ["--run-id", "r1", "--service-url", scripted.url]
    project.run("run", *flags, "t1")
    project.run("score", *flags, "--force")
    (body,) = [body for path, body in scripted.bodies if path == "/final-score/"]
    assert body["dataset"] == "validation"
    assert body["evaluation_results"] == {
        "t3": None,
        "t1": {
            "task_id": "t1",
            "status": "evaluated",
            "result": {"pass_percentage": 1.0},
            "error": None,
        },
        "t2": None,
    }


def test_deleted_score_is_made_again(project: RunnerProject) -> None:
    """A score that was deleted is made again."""
    project.run("run", "--run-id", "r1")
    (project.results / "r1" / "final_score.json").unlink()
    assert project.run("score", "--run-id", "r1").code == 0
    assert project.read("r1", "final_score.json")["complete"] is True
    assert len(project.calls) == 3


def test_complete_run_is_not_scored_again(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    """A complete run is not scored again without --force."""
    flags = ["--run-id", "r1", "--service-url", scripted.url]
    project.run("run", *flags)
    assert project.run("score", *flags).code == 0
    assert scripted.paths().count("/final-score/") == 1
    assert project.run("score", *flags, "--force").code == 0
    assert scripted.paths().count("/final-score/") == 2


def test_failing_service_changes_nothing(project: RunnerProject, scripted: ScriptedService) -> None:
    """A service that fails leaves everything as it was."""
    flags = ["--run-id", "r1", "--service-url", scripted.url]
    scripted.answers["/final-score/"] = (500, {"detail": "in trouble"})
    ended = project.run("run", *flags, "--service-attempts", "1")
    assert ended.code == 1
    assert "ServiceUnavailableError" in ended.err
    assert "in trouble" in ended.err
    del scripted.answers["/final-score/"]
    ended = project.run("score", *flags)
    assert ended.code == 0
    assert scripted.paths().count("/evaluate-response/") == 3
    assert len(project.calls) == 3


def test_unknown_run_is_named_with_the_folder(project: RunnerProject) -> None:
    """An unknown run is named with the results folder."""
    ended = project.run("score", "--run-id", "nothing")
    assert ended.code == 2
    assert "'nothing'" in ended.err
    assert str(project.results) in ended.err
    assert not project.results.exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_invalid_score_is_removed(project: RunnerProject, as_json: bool) -> None:
    """A score that is no longer valid is removed."""
    project.run("run", "--run-id", "r1")
    (project.results / "r1" / "t1" / "generation.json").unlink()
    ended = project.run("score", "--run-id", "r1", *(["--json"] if as_json else []))
    assert ended.code == 1
    assert not (project.results / "r1" / "final_score.json").exists()
    if as_json:
        error = ended.json["error"]
        assert error["type"] == "IncompleteRun"
        assert "1 not generated" in error["message"]
        assert "--force" in error["hint"]
        assert (ended.json["final_score"], ended.json["complete"]) == (None, False)
    else:
        assert "1 not generated" in ended.out
        assert "--force" in ended.out


SECRET_OPTION = [
    ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel, SecretStr\n"),
    (
        "class SampleRunner",
        "class Options(BaseModel):\n    token: SecretStr\n\n\nclass SampleRunner",
    ),
]


@pytest.mark.parametrize("command", ["score", "evaluate"])
def test_secret_option_is_not_required(project: RunnerProject, command: str) -> None:
    """A required secret option is not required to evaluate or score."""
    project.change_agent(*SECRET_OPTION)
    project.set_in_class("OPTIONS_MODEL = Options")
    flags = ["--run-id", "r1", "--option", "token=hidden-token"]
    assert project.run("run", *flags).code == 0
    (project.results / "r1" / "final_score.json").unlink()
    ended = project.run(command, "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert project.read("r1", "final_score.json")["complete"] is True


class TestAnAuthorsOwnScore:
    def define(self, project: RunnerProject, body: str) -> None:
        project.change_agent(
            (
                "import BenchmarkRunner, GenerationResult\n",
                "import BenchmarkRunner, GenerationResult, ScoreResult\n",
            )
        )
        project.set_in_class(f"def score(self, eval_results):\n        {body}")

    def test_own_score_may_be_a_plain_function(self, project: RunnerProject) -> None:
        """An author's score() may be a plain function."""
        self.define(project, "return ScoreResult(tasks_evaluated=['t1'], final_score=0.9)")
        assert project.run("run", "--run-id", "r1").code == 0
        assert project.read("r1", "final_score.json")["final_score"] == 0.9

    def test_failing_own_score_is_an_error(self, project: RunnerProject) -> None:
        """An author's score() that raises is an error."""
        self.define(project, "raise KeyError('points')")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 2
        assert "score() failed: KeyError: 'points'" in ended.err
        assert not (project.results / "r1" / "final_score.json").exists()

    @pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e+308"])
    @pytest.mark.parametrize("command", [["run"], ["score", "--force"]])
    def test_own_score_must_be_finite(
        self, project: RunnerProject, command: list[str], value: str
    ) -> None:
        """An author's score() must return a finite number."""
        if command[0] == "score":
            assert project.run("run", "--run-id", "r1", "t1").code == 0
        returned = f"ScoreResult(tasks_evaluated=['t1'], final_score=float('{value}'))"
        self.define(project, f"return {returned}")
        ended = project.run(*command, "--run-id", "r1")
        assert ended.code == 2
        assert f"score() returned {value}, not a finite number" in ended.err
        assert not (project.results / "r1" / "final_score.json").exists()
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"

    def test_own_score_must_return_a_score_result(self, project: RunnerProject) -> None:
        """An author's score() must return a ScoreResult."""
        self.define(project, "return 0.9")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 2
        assert "score() returned float, not ScoreResult" in ended.err
        assert not (project.results / "r1" / "final_score.json").exists()

    def test_blocking_own_score_is_an_error(self, project: RunnerProject) -> None:
        """An author's score() that blocks is an error."""
        self.define(project, "__import__('threading').Event().wait()")
        short = ["--eval-timeout", "0.2", "--service-retry-time", "0"]
        ended = project.execute("run", "--run-id", "r1", *short)
        assert ended.code == 2
        assert "score() did not end within 1.2 s" in ended.err
        assert "--eval-timeout" in ended.err
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"
