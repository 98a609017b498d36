"""Each failure has a phase and a kind, in the files, in the summary and in ``--json``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.fakes import ScriptedService

RUN = ["run", "--run-id", "r1"]
ONCE = ["--service-attempts", "1"]


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
    def test_an_exception_is_attributed_with_its_traceback_in_the_log(
        self, project: RunnerProject, question: str, error: str, kind: str, retryable: bool
    ) -> None:
        generation = self.generate(project, question)
        assert (generation["status"], generation["error"]) == ("error", error)
        assert attribution(generation["failure"]) == failure("generate", kind, retryable=retryable)
        traceback = log(project, "t1", "traceback.log")
        assert "Traceback (most recent call last)" in traceback
        assert "runner/benchmark.py" in traceback
        assert error.partition(":")[0] in traceback

    def test_an_error_that_the_author_reports_is_attributed_too(
        self, project: RunnerProject
    ) -> None:
        project.change_agent(
            ("raise ValueError(rest)", "return GenerationResult(status='error', error=rest)")
        )
        generation = self.generate(project, "raise no luck")
        assert generation["error"] == "no luck"
        assert attribution(generation["failure"]) == failure(
            "generate", "author_code", retryable=True
        )

    def test_what_is_no_failure_has_none(self, project: RunnerProject) -> None:
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
        ("status_code", "kind", "retryable"),
        [
            (400, "bad_response", False),
            (404, "bad_response", False),
            (413, "bad_response", False),
            (422, "bad_response", False),
            (500, "service_unavailable", True),
            (503, "service_unavailable", True),
        ],
    )
    def test_an_answer_of_the_service_is_attributed(
        self,
        project: RunnerProject,
        scripted: ScriptedService,
        status_code: int,
        kind: str,
        retryable: bool,
    ) -> None:
        scripted.answers["/evaluate-response/"] = (status_code, {"detail": "no luck"})
        result = self.grade(project, *ONCE, "--service-url", scripted.url)
        assert attribution(result["failure"]) == failure("evaluate", kind, retryable=retryable)
        assert "no luck" in result["error"]

    def test_a_grader_that_failed_at_the_service_is_attributed(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
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
    def test_an_exception_of_an_authors_evaluate_is_attributed_with_its_traceback(
        self, project: RunnerProject, raised: str, kind: str, retryable: bool
    ) -> None:
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
    def test_a_grade_that_is_none_is_that_evals_error(
        self, project: RunnerProject, returned: str, said: str
    ) -> None:
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

    def test_without_a_generation_there_is_nothing_to_attribute_a_second_time(
        self, project: RunnerProject
    ) -> None:
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

    def test_each_says_whose_failure_it_was_and_whether_to_try_again(
        self, failing: RunnerProject, scripted: ScriptedService
    ) -> None:
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

    def test_so_does_json(self, failing: RunnerProject, scripted: ScriptedService) -> None:
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

    def test_those_of_a_run_before_failures_had_a_kind_are_told_without(
        self, project: RunnerProject
    ) -> None:
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

    def test_a_dataset_that_is_not_there(self, project: RunnerProject) -> None:
        project.dataset.unlink()
        error = self.error(project, code=2)
        assert error == failure("load", "author_code", retryable=False)

    def test_a_loader_that_fails(self, project: RunnerProject) -> None:
        project.set_in_class("def load_tasks(self, dataset_file): raise ValueError('no luck')")
        error = self.error(project, code=2)
        assert error == failure("load", "author_code", retryable=False)

    @pytest.mark.parametrize(
        ("status_code", "kind", "retryable"),
        [
            (401, "auth", False),
            (403, "auth", False),
            (404, "bad_response", False),
            (501, "bad_response", False),
            (503, "service_unavailable", True),
        ],
    )
    def test_a_task_list_that_is_refused(
        self,
        project: RunnerProject,
        scripted: ScriptedService,
        status_code: int,
        kind: str,
        retryable: bool,
    ) -> None:
        scripted.answers["/v1/datasets/validation/tasks"] = (status_code, {"detail": "no"})
        flags = ["--dataset-name", "validation", "--service-url", scripted.url]
        error = self.error(project, *flags, *ONCE, code=1)
        assert error == failure("load", kind, retryable=retryable)

    def test_a_key_that_is_refused(self, project: RunnerProject, scripted: ScriptedService) -> None:
        scripted.answers["/verify-task-ids"] = (401, {"detail": "Unauthorized"})
        error = self.error(project, "--service-url", scripted.url, code=1)
        assert error == failure("evaluate", "auth", retryable=False)

    def test_a_quota_that_is_used_up(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        scripted.answers["/evaluate-response/"] = (429, {"detail": "used"}, {"retry-after": "999"})
        error = self.error(project, "--service-url", scripted.url, code=1)
        assert error == failure("evaluate", "quota", retryable=True)

    @pytest.mark.parametrize(
        ("status_code", "kind", "retryable"),
        [(400, "bad_response", False), (401, "auth", False), (500, "service_unavailable", True)],
    )
    def test_a_score_that_the_service_refuses(
        self,
        project: RunnerProject,
        scripted: ScriptedService,
        status_code: int,
        kind: str,
        retryable: bool,
    ) -> None:
        scripted.answers["/final-score/"] = (status_code, {"detail": "no"})
        error = self.error(project, *ONCE, "--service-url", scripted.url, code=1)
        assert error == failure("score", kind, retryable=retryable)

    @pytest.mark.parametrize("method", ["score", "task_score"])
    def test_an_authors_scoring_that_fails(self, project: RunnerProject, method: str) -> None:
        project.set_in_class(f"def {method}(self, results): raise ValueError('no luck')")
        error = self.error(project, code=2)
        assert error == failure("score", "author_code", retryable=False)

    def test_a_command_that_can_not_be_given_so_is_no_step(self, project: RunnerProject) -> None:
        assert self.error(project, "t9", code=2) == {}
