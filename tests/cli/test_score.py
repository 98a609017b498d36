from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.fakes import ScriptedService


@pytest.fixture
def incomplete(project: RunnerProject) -> RunnerProject:
    assert project.run("run", "--run-id", "r1", "t1").code == 0
    return project


def test_an_incomplete_run_gets_no_score(incomplete: RunnerProject) -> None:
    before = incomplete.files()
    ended = incomplete.run("score", "--run-id", "r1")
    assert ended.code == 1
    assert "No score written: 2 not generated. --force" in ended.out
    assert incomplete.files() == before


def test_it_leaves_the_config_and_its_history_as_they_are(project: RunnerProject) -> None:
    project.run("run", "--run-id", "r1", "--eval-parallelism", "3", "--no-durable")
    config = project.results / "r1" / "run_config.json"
    before = config.read_bytes()
    assert project.run("score", "--run-id", "r1", "--force", "--eval-timeout", "20").code == 0
    assert config.read_bytes() == before


def test_with_force_missing_tasks_count_zero_and_the_score_says_so(
    incomplete: RunnerProject,
) -> None:
    ended = incomplete.run("score", "--run-id", "r1", "--force")
    assert ended.code == 0
    assert "incomplete, missing tasks count 0" in ended.out
    score = incomplete.read("r1", "final_score.json")
    assert score["final_score"] == pytest.approx(1 / 3)
    assert score["complete"] is False
    assert score["tasks_evaluated"] == ["t3", "t1", "t2"]


def test_a_forced_score_does_not_stand_for_the_finished_run(incomplete: RunnerProject) -> None:
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

    def test_it_is_written_with_its_counts_and_bounds(self, mixed: RunnerProject) -> None:
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

    def test_it_is_printed_with_them(self, mixed: RunnerProject) -> None:
        ended = mixed.run("score", "--run-id", "r1", "--force")
        lines = ended.out.splitlines()
        assert "Score    0.25  [local; incomplete, missing tasks count 0]" in lines
        assert "Mean     0.5 ± 0.5 (standard error, n=2) of the tasks' scores" in lines
        bounds = "Bounds   0.25 to 0.75: the mean with what has no score as 0, and as 1"
        assert bounds in lines
        counts = "4: 3 attempted, 1 scored, 0 timed out, 1 out of turns, 1 failed"
        assert f"Tasks    {counts}" in lines

    def test_that_of_a_complete_run_has_none_to_tell(self, project: RunnerProject) -> None:
        project.run("run", "--run-id", "r1")
        ended = project.run("score", "--run-id", "r1", "--force")
        assert ended.code == 0
        assert "Score    0.6667 ± 0.33" in ended.out
        assert "Bounds" not in ended.out
        assert "incomplete" not in ended.out
        score = project.read("r1", "final_score.json")
        assert score["bounds"]["errors_as_0"] == score["bounds"]["errors_as_1"] == score["mean"]

    def test_where_a_graded_task_has_no_score_there_are_no_bounds(
        self, mixed: RunnerProject
    ) -> None:
        mixed.set_in_class("def task_score(self, result): return None")
        ended = mixed.run("score", "--run-id", "r1", "--force")
        assert ended.code == 0, ended.err
        assert "Bounds" not in ended.out
        assert mixed.read("r1", "final_score.json")["bounds"] is None

    def test_no_other_command_forces_one(self, mixed: RunnerProject) -> None:
        for command in ("run", "evaluate"):
            ended = mixed.run(command, "--run-id", "r1", "--force")
            assert ended.code == 2
            assert "No such option" in ended.err


def test_missing_tasks_are_submitted_as_null_and_others_as_whole_evals(
    project: RunnerProject, scripted: ScriptedService
) -> None:
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


def test_a_score_that_was_deleted_is_made_again(project: RunnerProject) -> None:
    project.run("run", "--run-id", "r1")
    (project.results / "r1" / "final_score.json").unlink()
    assert project.run("score", "--run-id", "r1").code == 0
    assert project.read("r1", "final_score.json")["complete"] is True
    assert len(project.calls) == 3


def test_a_complete_run_is_not_scored_again_unless_forced(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    flags = ["--run-id", "r1", "--service-url", scripted.url]
    project.run("run", *flags)
    assert project.run("score", *flags).code == 0
    assert scripted.paths().count("/final-score/") == 1
    assert project.run("score", *flags, "--force").code == 0
    assert scripted.paths().count("/final-score/") == 2


def test_a_service_that_is_down_keeps_everything_as_it_was(
    project: RunnerProject, scripted: ScriptedService
) -> None:
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


def test_an_unknown_run_is_named_with_where_it_was_looked_for(project: RunnerProject) -> None:
    ended = project.run("score", "--run-id", "nothing")
    assert ended.code == 2
    assert "'nothing'" in ended.err
    assert str(project.results) in ended.err
    assert not project.results.exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_score_that_no_longer_holds_is_taken_away(project: RunnerProject, as_json: bool) -> None:
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
def test_a_secret_option_that_the_agent_demands_is_not_demanded_here(
    project: RunnerProject, command: str
) -> None:
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

    def test_it_may_be_a_plain_function(self, project: RunnerProject) -> None:
        self.define(project, "return ScoreResult(tasks_evaluated=['t1'], final_score=0.9)")
        assert project.run("run", "--run-id", "r1").code == 0
        assert project.read("r1", "final_score.json")["final_score"] == 0.9

    def test_one_that_raises_is_told(self, project: RunnerProject) -> None:
        self.define(project, "raise KeyError('points')")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 2
        assert "score() failed: KeyError: 'points'" in ended.err
        assert not (project.results / "r1" / "final_score.json").exists()

    @pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
    @pytest.mark.parametrize("command", [["run"], ["score", "--force"]])
    def test_one_that_gives_no_finite_number_is_refused(
        self, project: RunnerProject, command: list[str], value: str
    ) -> None:
        if command[0] == "score":
            assert project.run("run", "--run-id", "r1", "t1").code == 0
        returned = f"ScoreResult(tasks_evaluated=['t1'], final_score=float('{value}'))"
        self.define(project, f"return {returned}")
        ended = project.run(*command, "--run-id", "r1")
        assert ended.code == 2
        assert f"score() returned {value}, not a finite number" in ended.err
        assert not (project.results / "r1" / "final_score.json").exists()
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"

    def test_one_that_gives_something_else_is_refused_by_name(self, project: RunnerProject) -> None:
        self.define(project, "return 0.9")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 2
        assert "score() returned float, not ScoreResult" in ended.err
        assert not (project.results / "r1" / "final_score.json").exists()

    def test_one_that_blocks_is_told(self, project: RunnerProject) -> None:
        self.define(project, "__import__('threading').Event().wait()")
        short = ["--eval-timeout", "0.2", "--service-retry-time", "0"]
        ended = project.execute("run", "--run-id", "r1", *short)
        assert ended.code == 2
        assert "score() did not end within 0.4 s" in ended.err
        assert "--eval-timeout" in ended.err
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"
