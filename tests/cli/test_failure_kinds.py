"""Each failure has a phase and a kind, in the files, in the summary and in ``--json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

RUN = ["run", "--run-id", "r1"]
ONCE = ["--service-attempts", "1"]
REFUSED_PATHS = {
    "load": "/v1/datasets/validation/tasks",
    "evaluate": "/verify-task-ids",
    "score": "/final-score/",
}


def failure(phase: str, kind: str, *, retryable: bool) -> dict[str, object]:
    return {"phase": phase, "kind": kind, "retryable": retryable}


def attribution(error: dict[str, Any]) -> dict[str, object]:
    return {name: error[name] for name in ("phase", "kind", "retryable") if name in error}


def log(project: RunnerProject, task_id: str, name: str) -> str:
    return (project.results / "r1" / task_id / "agent_logs" / name).read_text()


class TestGenerations:
    def generate(self, project: RunnerProject, question: str) -> dict[str, Any]:
        project.write_tasks([{"id": "t1", "question": question, "answer": ""}])
        assert project.run(*RUN).code == 1
        return project.read("r1", "t1", "generation.json")

    @pytest.mark.parametrize(
        ("question", "error", "kind", "retryable"),
        [
            ("raise no luck", "ValueError: no luck", "author_code", True),
            ("time-out", "TimeoutError", "timeout", True),
            ("unknown-word", "AssertionError: unknown-word", "author_code", False),
        ],
    )
    def test_exception_has_kind_and_traceback(
        self, project: RunnerProject, question: str, error: str, kind: str, retryable: bool
    ) -> None:
        """An exception has a kind, and its traceback is in the log."""
        generation = self.generate(project, question)
        assert (generation["status"], generation["error"]) == ("error", error)
        assert attribution(generation["failure"]) == failure("generate", kind, retryable=retryable)
        traceback = log(project, "t1", "traceback.log")
        assert "Traceback (most recent call last)" in traceback
        assert "runner/benchmark.py" in traceback
        assert error.partition(":")[0] in traceback

    def test_reported_error_has_a_kind(self, project: RunnerProject) -> None:
        """An error that the author returns has a kind, too."""
        project.change_agent(
            ("raise ValueError(rest)", "return GenerationResult(status='error', error=rest)")
        )
        generation = self.generate(project, "raise no luck")
        assert generation["error"] == "no luck"
        assert attribution(generation["failure"]) == failure(
            "generate", "author_code", retryable=True
        )

    def test_success_and_timeouts_have_no_failure(self, project: RunnerProject) -> None:
        """A success or an outcome such as a timeout has no failure."""
        project.write_tasks(
            [
                {"id": "good", "question": "say good", "answer": "good"},
                {"id": "slow", "question": "wait", "answer": "", "timeout": 0.1},
                {"id": "chatty", "question": "out-of-turns", "answer": ""},
            ]
        )
        assert project.run(*RUN).code == 0
        for task_id in ("good", "slow", "chatty"):
            assert project.read("r1", task_id, "generation.json")["failure"] is None
            assert project.read("r1", task_id, "eval.json")["failure"] is None


class TestGrades:
    def grade(self, project: RunnerProject, *flags: str) -> dict[str, Any]:
        assert project.run(*RUN, *flags, "t1").code == 1
        result = project.read("r1", "t1", "eval.json")
        assert result["status"] == "error"
        return result

    @pytest.mark.parametrize(
        ("status_code", "kind"),
        [
            (400, "bad_response"),
            (404, "bad_response"),
            (413, "bad_response"),
            (422, "bad_response"),
            (500, "service_unavailable"),
            (503, "service_unavailable"),
        ],
    )
    def test_service_error_has_a_kind(
        self, project: RunnerProject, scripted: ScriptedService, status_code: int, kind: str
    ) -> None:
        """An error of the service has a kind."""
        scripted.answers["/evaluate-response/"] = (status_code, {"detail": "no luck"})
        result = self.grade(project, *ONCE, "--service-url", scripted.url)
        retryable = kind == "service_unavailable"
        assert attribution(result["failure"]) == failure("evaluate", kind, retryable=retryable)
        assert "no luck" in result["error"]

    def test_error_of_a_v1_grader_has_a_kind(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """An error of a v1 grader has a kind."""
        project.set_in_class('EVALUATION_API = "v1"')
        scripted.answers["/v1/evaluate"] = (200, {"status": "error", "errors": ["429: busy"]})
        result = self.grade(project, "--service-url", scripted.url)
        assert attribution(result["failure"]) == failure("evaluate", "bad_response", retryable=True)

    @pytest.mark.parametrize(
        ("raised", "kind", "retryable"),
        [
            ("ValueError('no luck')", "author_code", True),
            ("TypeError('no luck')", "author_code", False),
            ("TimeoutError('no luck')", "timeout", True),
        ],
    )
    def test_exception_of_evaluate_has_a_kind(
        self, project: RunnerProject, raised: str, kind: str, retryable: bool
    ) -> None:
        """An exception of an author's evaluate() has a kind and a traceback."""
        project.set_in_class(f"def evaluate(self, task_id, generation): raise {raised}")
        result = self.grade(project)
        assert attribution(result["failure"]) == failure("evaluate", kind, retryable=retryable)
        traceback = log(project, "t1", "eval-traceback.log")
        assert "Traceback (most recent call last)" in traceback
        assert "no luck" in traceback

    @pytest.mark.parametrize(
        ("returned", "said"),
        [
            ("result=float('nan')", "a number that is not finite"),
            ("result={'parts': [1.0, float('inf')]}", "a number that is not finite"),
            ("result=1.0, task_id='t2'", "the grade is that of task 't2'"),
        ],
    )
    def test_invalid_result_is_the_evaluations_error(
        self, project: RunnerProject, returned: str, said: str
    ) -> None:
        """An invalid result is the error of that evaluation."""
        task_id = "" if "task_id" in returned else ", task_id=task_id"
        project.change_agent(
            ("import BenchmarkRunner, Gen", "import BenchmarkRunner, EvalResult, Gen")
        )
        project.set_in_class(
            "def evaluate(self, task_id, generation):\n"
            "        if task_id != 't1':\n"
            "            return EvalResult(task_id=task_id, status='evaluated', result=1.0)\n"
            f"        return EvalResult(status='evaluated', {returned}{task_id})"
        )
        ended = project.run(*RUN)
        assert ended.code == 1
        result = project.read("r1", "t1", "eval.json")
        assert (result["task_id"], result["status"], result["result"]) == ("t1", "error", None)
        assert said in result["error"]
        assert attribution(result["failure"]) == failure("evaluate", "bad_response", retryable=True)
        assert project.read("r1", "t2", "eval.json")["result"] == 1.0
        assert not (project.results / "r1" / "final_score.json").exists()

    def test_failed_generation_is_attributed_once(self, project: RunnerProject) -> None:
        """A failed generation is attributed once, not again in its evaluation."""
        project.write_tasks([{"id": "t1", "question": "raise no luck", "answer": ""}])
        assert project.run(*RUN).code == 1
        result = project.read("r1", "t1", "eval.json")
        assert (result["status"], result["failure"]) == ("generation_error", None)


class TestGroups:
    @pytest.fixture
    def failing(self, project: RunnerProject, scripted: ScriptedService) -> RunnerProject:
        project.write_tasks(
            [
                {"id": "a", "question": "raise no luck"},
                {"id": "b", "question": "say b"},
                {"id": "c", "question": "raise no luck"},
                {"id": "d", "question": "time-out"},
                {"id": "e", "question": "unknown-word"},
            ]
        )
        scripted.answers["/evaluate-response/"] = (400, {"detail": "odd"})
        return project

    def test_group_shows_kind_and_retryable(
        self, failing: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Each group shows its kind and if retrying may help."""
        ended = failing.run(*RUN, "--service-url", scripted.url)
        assert ended.code == 1
        lines = ended.out.splitlines()
        first = lines.index("Generation failed for 2 tasks: a, c")
        assert lines[first + 1 : first + 4] == [
            "  ValueError: no luck",
            "  [author code; retrying may help]",
            "  traceback in results/r1/a/agent_logs/traceback.log",
        ]
        graded = lines.index("Evaluation failed for 1 task: b")
        assert lines[graded + 2] == "  [bad response; retrying will not help]"
        late = lines.index("Generation failed for 1 task: d")
        assert lines[late + 2] == "  [timeout; retrying may help]"

    def test_json_has_kind_and_retryable(
        self, failing: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The JSON has the kind and if retrying may help."""
        document = failing.run(*RUN, "--service-url", scripted.url, "--json").json
        attributed = {
            tuple(group["task_ids"]): attribution(group) for group in document["failures"]
        }
        assert attributed == {
            ("a", "c"): failure("generate", "author_code", retryable=True),
            ("b",): failure("evaluate", "bad_response", retryable=False),
            ("d",): failure("generate", "timeout", retryable=True),
            ("e",): failure("generate", "author_code", retryable=False),
        }
        assert "error" not in document

    def test_older_failures_have_no_kind(self, project: RunnerProject) -> None:
        """Failures of an older run are shown without a kind."""
        project.write_tasks([{"id": "t1", "question": "raise no luck", "answer": ""}])
        project.run(*RUN)
        generation = project.read("r1", "t1", "generation.json")
        del generation["failure"]
        (project.results / "r1" / "t1" / "generation.json").write_text(json.dumps(generation))
        ended = project.run("evaluate", "--run-id", "r1")
        assert "  ValueError: no luck" in ended.out.splitlines()
        assert "retrying" not in ended.out
        (group,) = project.run("evaluate", "--run-id", "r1", "--json").json["failures"]
        assert (group["phase"], group["kind"], group["retryable"]) == ("generate", None, None)


class TestStepsOfTheWholeRun:
    """What ends a command says in ``--json`` which step it was."""

    def error(self, project: RunnerProject, *args: str, code: int) -> dict[str, object]:
        ended = project.run(*RUN, "--json", *args)
        assert ended.code == code
        return attribution(ended.json["error"])

    def test_missing_dataset(self, project: RunnerProject) -> None:
        """A missing dataset is a failure of the step load."""
        project.dataset.unlink()
        error = self.error(project, code=2)
        assert error == failure("load", "author_code", retryable=False)

    def test_failing_loader(self, project: RunnerProject) -> None:
        """A loader that fails is a failure of the step load."""
        project.set_in_class("def load_tasks(self, dataset_file): raise ValueError('no luck')")
        error = self.error(project, code=2)
        assert error == failure("load", "author_code", retryable=False)

    @pytest.mark.parametrize(
        ("phase", "status_code", "kind"),
        [
            ("load", 401, "auth"),
            ("load", 403, "auth"),
            ("load", 404, "bad_response"),
            ("load", 501, "bad_response"),
            ("load", 503, "service_unavailable"),
            ("evaluate", 401, "auth"),
            ("score", 400, "bad_response"),
            ("score", 401, "auth"),
            ("score", 500, "service_unavailable"),
        ],
    )
    def test_refusal_of_the_service(
        self,
        project: RunnerProject,
        scripted: ScriptedService,
        phase: str,
        status_code: int,
        kind: str,
    ) -> None:
        """A refused task list, key or score is a failure of its step."""
        scripted.answers[REFUSED_PATHS[phase]] = (status_code, {"detail": "no"})
        flags = ["--dataset-name", "validation"] if phase == "load" else []
        error = self.error(project, *flags, *ONCE, "--service-url", scripted.url, code=1)
        assert error == failure(phase, kind, retryable=kind == "service_unavailable")

    def test_used_up_quota(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """A used-up quota is a failure of the step evaluate that may be retried."""
        scripted.answers["/evaluate-response/"] = (429, {"detail": "used"}, {"retry-after": "999"})
        error = self.error(project, "--service-url", scripted.url, code=1)
        assert error == failure("evaluate", "quota", retryable=True)

    def test_failing_author_score(self, project: RunnerProject) -> None:
        """An author's scoring that fails is a failure of the step score."""
        project.set_in_class("def score(self, results): raise ValueError('no luck')")
        error = self.error(project, code=2)
        assert error == failure("score", "author_code", retryable=False)

    def test_invalid_command_has_no_step(self, project: RunnerProject) -> None:
        """An invalid command has no step."""
        assert self.error(project, "t9", code=2) == {}
