from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.files import contents

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

COMMANDS = ["run", "evaluate", "score"]
STRICTER = "def grade(task, response):\n    return {'pass_percentage': 0.0}\n"


def graded(scripted: ScriptedService) -> list[str]:
    sent = [body for path, body in scripted.bodies if path == "/evaluate-response/"]
    return sorted(body["task_id"] for body in sent)


def test_generations_are_evaluated_and_scored(project: RunnerProject) -> None:
    """Generations on disk are evaluated and scored."""
    project.run("run", "--run-id", "r1", "--skip-eval")
    ended = project.run("evaluate", "--run-id", "r1")
    assert ended.code == 0
    assert "Score    0.6667" in ended.out
    assert len(project.calls) == 3


def test_nothing_is_generated(project: RunnerProject) -> None:
    """The command evaluate generates nothing."""
    project.run("run", "--run-id", "r1", "--skip-eval", "t1")
    ended = project.run("evaluate", "--run-id", "r1")
    assert ended.code == 0
    assert "No score yet: 2 not generated" in ended.out
    assert project.calls == ["t1"]
    assert not (project.results / "r1" / "final_score.json").exists()


def test_remaining_generation_error_is_a_failure(project: RunnerProject) -> None:
    """A generation error that remains makes the command fail."""
    project.write_tasks([{"id": "t1", "question": "raise no luck", "answer": ""}])
    project.run("run", "--run-id", "r1", "--skip-eval")
    ended = project.run("evaluate", "--run-id", "r1")
    assert ended.code == 1
    assert "Generation failed for 1 task: t1" in ended.out


def test_existing_evaluations_are_kept(project: RunnerProject, scripted: ScriptedService) -> None:
    """Existing evaluations are not made again without --regrade."""
    flags = ["--run-id", "r1", "--service-url", scripted.url]
    project.run("run", *flags)
    assert project.run("evaluate", *flags).code == 0
    assert scripted.paths().count("/evaluate-response/") == 3
    assert project.run("evaluate", *flags, "--regrade").code == 0
    assert scripted.paths().count("/evaluate-response/") == 6
    assert scripted.paths().count("/final-score/") == 2


@pytest.mark.parametrize("command", ["run", "evaluate", "score"])
def test_other_grader_needs_a_regrade(project: RunnerProject, command: str) -> None:
    """Another grader is refused until everything is evaluated again."""
    project.run("run", "--run-id", "r1", "t3", "t1")
    project.run("run", "--run-id", "r1", "--skip-eval")
    project.write_grader(STRICTER)
    ended = project.run(command, "--run-id", "r1")
    assert ended.code == 2
    assert "run 'r1' has 2 tasks (t3, t1) evaluated before the grader" in ended.err
    assert "evaluate --run-id r1 --regrade" in ended.err
    assert not (project.results / "r1" / "t2" / "eval.json").exists()

    ended = project.run("evaluate", "--run-id", "r1", "--regrade")
    assert ended.code == 0
    assert project.read("r1", "final_score.json")["final_score"] == 0.0
    assert len(project.calls) == 3
    assert project.run("run", "--run-id", "r1").code == 0


def test_finished_run_needs_a_regrade_too(project: RunnerProject) -> None:
    """Another grader is refused for a finished run, too."""
    project.run("run", "--run-id", "r1")
    project.write_grader(STRICTER)
    assert project.run("run", "--run-id", "r1").code == 2
    assert project.run("evaluate", "--run-id", "r1", "--regrade").code == 0
    assert project.read("r1", "final_score.json")["final_score"] == 0.0


def test_corrected_reference_needs_a_regrade(project: RunnerProject) -> None:
    """A corrected reference needs --regrade."""
    project.run("run", "--run-id", "r1")
    project.dataset.write_text(project.dataset.read_text().replace("something else", "two"))
    assert project.run("run", "--run-id", "r1").code == 2
    assert project.run("evaluate", "--run-id", "r1", "--regrade").code == 0
    assert project.read("r1", "final_score.json")["final_score"] == 1.0


class TestAnotherGrader:
    """Grades of two graders are not mixed, whichever command would."""

    def refused(self, project: RunnerProject, *args: str) -> str:
        before = contents(project.results)
        ended = project.run(*args)
        assert ended.code == 2
        assert re.search(
            r"bin/sample-runner evaluate --run-id r1 .*--regrade$", ended.err, re.MULTILINE
        )
        assert contents(project.results) == before
        return ended.err

    @pytest.mark.parametrize("command", COMMANDS)
    def test_other_service_needs_a_regrade(
        self, project: RunnerProject, scripted: ScriptedService, command: str
    ) -> None:
        """Another service is refused until --regrade, and generations are kept."""
        project.run("run", "--run-id", "r1")
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        said = self.refused(project, command, *flags)
        assert "evaluated by local" in said
        assert f"not by {scripted.url}" in said
        assert "/evaluate-response/" not in scripted.paths()
        assert project.run("evaluate", *flags, "--regrade").code == 0
        assert graded(scripted) == ["t1", "t2", "t3"]
        assert project.read("r1", "final_score.json")["local"] is False
        assert project.run(command, *flags).code == 0
        assert len(project.calls) == 3

    @pytest.mark.parametrize("command", ["run", "evaluate"])
    def test_other_evaluation_api_needs_a_regrade(
        self, project: RunnerProject, scripted: ScriptedService, command: str
    ) -> None:
        """Another evaluation API is refused until --regrade."""
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        project.run("run", *flags)
        project.set_in_class('EVALUATION_API = "v1"')
        said = self.refused(project, command, *flags)
        assert "legacy API" in said
        assert "v1 API" in said
        scripted.answers["/v1/evaluate"] = (200, {"status": "evaluated", "result": 0.5})
        scripted.answers["/v1/score"] = (200, {"final_score": 0.5, "tasks_evaluated": ["t1"]})
        assert project.run("evaluate", *flags, "--regrade").code == 0
        assert scripted.paths().count("/v1/evaluate") == 3
        assert project.read("r1", "final_score.json")["final_score"] == 0.5

    @pytest.mark.parametrize("command", COMMANDS)
    def test_other_service_version_needs_a_regrade(
        self, project: RunnerProject, scripted: ScriptedService, command: str
    ) -> None:
        """Another version of the service is refused until --regrade."""
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        project.run("run", *flags, "t1", "t3")
        scripted.answers["/version"] = (200, {"service_version": "2.0.0"})
        said = self.refused(project, command, *flags)
        assert "run 'r1' has 2 tasks (t3, t1) evaluated before the grader" in said
        assert project.run("evaluate", *flags, "--regrade").code == 0
        assert graded(scripted) == ["t1", "t1", "t3", "t3"]
        assert project.run("run", *flags).code == 0
        versions = {
            project.read("r1", task_id, "eval.json")["service_version"]
            for task_id in ("t1", "t2", "t3")
        }
        assert versions == {"2.0.0"}

    def test_printed_command_works(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """The command that the error prints works."""
        project.run("run", "--run-id", "r1")
        said = self.refused(project, "run", "--run-id", "r1", "--service-url", scripted.url)
        (way_out,) = [line for line in said.splitlines() if "evaluate --run-id" in line]
        command = way_out.partition("--regrade: ")[2]
        assert project.shell(command).code == 0
        assert graded(scripted) == ["t1", "t2", "t3"]


class TestRegrade:
    def test_earlier_evaluations_are_kept(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The earlier evaluations are kept."""
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        project.run("run", *flags)
        earlier: list[bytes] = []
        for grade in (0.25, 0.75):
            earlier.append((project.results / "r1" / "t1" / "eval.json").read_bytes())
            scripted.answers["/evaluate-response/"] = (200, {"pass_percentage": grade})
            assert project.run("evaluate", *flags, "--regrade").code == 0
        kept = project.results / "r1" / "t1" / "attempts" / "evals"
        assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
            "1.json": earlier[0],
            "2.json": earlier[1],
        }
        assert project.read("r1", "t1", "eval.json")["result"] == {"pass_percentage": 0.75}
        assert project.read("r1", "t1", "generation.json")["attempts"] == 1
        assert scripted.paths().count("/final-score/") == 3

    def test_interrupted_regrade_is_resumed(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """An interrupted --regrade is resumed by a plain evaluate."""
        flags = ["--run-id", "r1", "--service-url", scripted.url, "--eval-parallelism", "1"]
        project.run("run", *flags)
        scripted.bodies.clear()
        fine, refused = (200, {"pass_percentage": 0.5}), (401, {"detail": "Unauthorized"})
        scripted.answers["/evaluate-response/"] = [fine, fine, refused]
        ended = project.run("evaluate", *flags, "--regrade")
        assert ended.code == 1
        assert "AuthenticationError" in ended.err
        assert "--regrade" not in ended.resume_command
        assert not (project.results / "r1" / "final_score.json").exists()
        assert graded(scripted) == ["t1", "t2", "t3"]
        *_, last = [body["task_id"] for path, body in scripted.bodies if "evaluate" in path]

        scripted.bodies.clear()
        scripted.answers["/evaluate-response/"] = fine
        ended = project.run("evaluate", *flags)
        assert ended.code == 0, ended.err
        assert graded(scripted) == [last]
        for task_id in ("t1", "t2", "t3"):
            kept = project.results / "r1" / task_id / "attempts" / "evals"
            assert [path.name for path in kept.iterdir()] == ["1.json"]
            assert project.read("r1", task_id, "eval.json")["result"] == {"pass_percentage": 0.5}

    def test_refused_regrade_removes_nothing(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A --regrade that is refused at once removes no evaluation."""
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        project.run("run", *flags)
        before = contents(project.results)
        scripted.answers["/verify-task-ids"] = (401, {"detail": "Unauthorized"})
        assert project.run("evaluate", *flags, "--regrade").code == 1
        assert contents(project.results) == before

    def test_max_turns_is_not_sent(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """A generation that ran out of turns is not sent to the grader."""
        project.write_tasks(
            [
                {"id": "t1", "question": "out-of-turns", "answer": ""},
                {"id": "t2", "question": "say"},
            ]
        )
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        project.run("run", *flags)
        assert project.run("evaluate", *flags, "--regrade").code == 0
        assert graded(scripted) == ["t2", "t2"]
        assert project.read("r1", "t1", "eval.json")["status"] == "did_not_complete"


def test_an_unknown_run_is_named(project: RunnerProject) -> None:
    """An unknown run is named."""
    ended = project.run("evaluate", "--run-id", "nothing")
    assert ended.code == 2
    assert "'nothing'" in ended.err


def test_other_grader_is_refused_for_other_tasks(project: RunnerProject) -> None:
    """Another grader is refused for other tasks of the run, too."""
    assert project.run("run", "--run-id", "r1", "t1").code == 0
    project.write_grader(STRICTER)
    ended = project.run("run", "--run-id", "r1", "t2")
    assert ended.code == 2
    assert "run 'r1' has 1 task (t1) evaluated before the grader" in ended.err
    assert project.calls == ["t1"]
    assert not (project.results / "r1" / "t2" / "eval.json").exists()


def test_grader_change_during_a_run_gives_no_score(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    """A grader that changes during a run gives no score."""
    project.set_in_class('EVALUATION_API = "v1"')
    graded = {"status": "evaluated", "result": 1.0}
    scripted.answers["/v1/evaluate"] = [
        (200, {**graded, "evaluator_version": "a"}),
        (200, {**graded, "evaluator_version": "b"}),
    ]
    scripted.answers["/v1/score"] = (200, {"final_score": 1.0, "tasks_evaluated": ["t1"]})
    flags = ["--run-id", "r1", "--service-url", scripted.url]
    ended = project.run("run", *flags)
    assert ended.code == 1
    assert "--regrade" in ended.err
    assert "/v1/score" not in scripted.paths()
    assert not (project.results / "r1" / "final_score.json").exists()
    for command in ("run", "score"):
        assert project.run(command, *flags).code in {1, 2}
        assert not (project.results / "r1" / "final_score.json").exists()

    assert project.run("evaluate", *flags, "--regrade").code == 0
    assert project.read("r1", "final_score.json")["final_score"] == 1.0
    assert len(project.calls) == 3


class TestAnAuthorsOwnEvaluate:
    @pytest.fixture
    def grading(self, project: RunnerProject, scripted: ScriptedService) -> RunnerProject:
        project.change_agent(
            (
                "import BenchmarkRunner, GenerationResult\n",
                "import BenchmarkRunner, EvalResult, EvalStatus, GenerationResult\n",
            )
        )
        project.set_in_class(
            "async def evaluate(self, task_id, generation):\n"
            "        by_id = {task.id: task for task in self.get_tasks()}\n"
            "        task = by_id[task_id]\n"
            "        seen = [task.question, task.model_extra]\n"
            "        return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result=seen)"
        )
        project.set_in_class("def task_score(self, result): return 1.0")
        self.tasks = [
            {"id": "t1", "question": "say one", "level": 1},
            {"id": "t2", "question": "say two", "level": 2},
        ]
        self.list(scripted)
        flags = ["--service-url", scripted.url, "--dataset-name", "validation", "--skip-eval"]
        assert project.run("run", "--run-id", "r1", *flags).code == 0
        return project

    def list(self, scripted: ScriptedService) -> None:
        scripted.answers["/v1/datasets/validation/tasks"] = (200, {"tasks": self.tasks})

    def test_own_evaluate_sees_the_services_tasks(
        self, grading: RunnerProject, scripted: ScriptedService
    ) -> None:
        """An author's own evaluate() sees the tasks of the service."""
        ended = grading.run("evaluate", "--run-id", "r1", "--service-url", scripted.url)
        assert ended.code == 0, ended.err
        assert grading.read("r1", "t2", "eval.json")["result"] == ["say two", {"level": 2}]

    def test_changed_service_tasks_are_refused(
        self, grading: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Tasks of the service that changed are refused."""
        self.tasks[1]["level"] = 3
        self.list(scripted)
        ended = grading.run("evaluate", "--run-id", "r1", "--service-url", scripted.url)
        assert ended.code == 2
        assert "1 changed (t2)" in ended.err
        assert not (grading.results / "r1" / "t1" / "eval.json").exists()


@pytest.mark.parametrize("command", ["evaluate", "score"])
def test_the_models_endpoint_is_not_checked(project: RunnerProject, command: str) -> None:
    """A command that asks no model ignores the model's endpoint in the environment."""
    project.run("run", "--run-id", "r1")
    assert project.run(command, "--run-id", "r1", CUSTOM_ENDPOINT="models.example.com").code == 0
