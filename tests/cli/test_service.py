"""``run`` with a benchmark service that is not this process, and what it may answer."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.fakes import ScriptedService

TASK_LIST = "/v1/datasets/validation/tasks"
HOUR = {"retry-after": "3600"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "detail", "key", "cause", "way_out"),
        [
            (
                401,
                "Unauthorized",
                None,
                "the service requires a key, but none is set",
                "VALS_AUTH_KEY",
            ),
            (
                401,
                "Unauthorized",
                "VALS_AUTH_KEY",
                "it does not accept the key in VALS_AUTH_KEY",
                "Check the key in VALS_AUTH_KEY",
            ),
            (
                403,
                "Dataset=validation access not allowed",
                "VALS_AUTH_KEY",
                "it does not allow this to the key in VALS_AUTH_KEY",
                "--dataset-name",
            ),
            (
                403,
                "The /v1/ surface requires Descope authentication",
                "BENCHMARK_API_KEY",
                "is a bearer key",
                "/v1 requires VALS_AUTH_KEY",
            ),
            (404, "Dataset not found: validation", "VALS_AUTH_KEY", "HTTP 404", "--dataset-name"),
            (
                501,
                "not implemented",
                "VALS_AUTH_KEY",
                "does not offer a task list",
                "--dataset-file",
            ),
        ],
    )
    def test_a_task_list_that_is_refused_is_one_sentence_with_the_way_out(
        self,
        project: RunnerProject,
        scripted: ScriptedService,
        status: int,
        detail: str,
        key: str | None,
        cause: str,
        way_out: str,
    ) -> None:
        scripted.answers[TASK_LIST] = (status, {"detail": detail})
        keys = {} if key is None else {key: "hidden-1"}
        ended = project.run(
            "run", "--dataset-name", "validation", "--service-url", scripted.url, **keys
        )
        assert ended.code == 1
        sentence, hint = ended.err.strip().splitlines()
        for part in ("'validation'", scripted.url, cause, detail):
            assert part in sentence
        assert way_out in hint
        assert ended.out == ""
        assert project.calls == []
        assert not project.results.exists()

    @pytest.mark.parametrize(
        ("status", "detail"), [(401, "Unauthorized"), (403, "Dataset not allowed")]
    )
    def test_a_key_that_can_not_grade_stops_the_run_before_anything_is_paid(
        self, project: RunnerProject, scripted: ScriptedService, status: int, detail: str
    ) -> None:
        scripted.answers["/verify-task-ids"] = (status, {"detail": detail})
        ended = project.run("run", "--service-url", scripted.url, VALS_AUTH_KEY="hidden-1")
        assert ended.code == 1
        assert detail in ended.err
        assert project.calls == []
        assert not project.results.exists()

    @pytest.mark.parametrize(
        "answer",
        [
            (403, {"detail": "trial tenants may not use this path"}),
            (400, {"detail": "Task ID not found: t3"}),
            (404, {"detail": "Not Found"}),
            (405, {"detail": "Method Not Allowed"}),
        ],
    )
    def test_other_answers_to_the_first_question_are_inconclusive(
        self, project: RunnerProject, scripted: ScriptedService, answer: tuple[int, object]
    ) -> None:
        scripted.answers["/verify-task-ids"] = answer
        assert project.run("run", "--service-url", scripted.url).code == 0

    def test_the_service_is_asked_before_the_first_generation_and_not_with_skip_eval(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        project.run("run", "--service-url", scripted.url, "--skip-eval")
        assert scripted.asked == []
        project.run("run", "--service-url", scripted.url)
        assert scripted.asked[:2] == [("GET", "/health"), ("GET", "/verify-task-ids")]

    def test_a_bearer_key_is_refused_for_v1_before_anything_is_generated(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        project.set_in_class('EVALUATION_API = "v1"')
        ended = project.run("run", "--service-url", scripted.url, BENCHMARK_API_KEY="hidden-1")
        assert ended.code == 1
        assert "BENCHMARK_API_KEY" in ended.err
        assert "VALS_AUTH_KEY" in ended.err
        assert project.calls == []
        assert not project.results.exists()


class TestDown:
    @pytest.mark.parametrize("source", [[], ["--dataset-name", "validation"]])
    def test_a_service_that_is_down_is_told_within_seconds_and_nothing_is_generated(
        self, project: RunnerProject, source: list[str]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        started = time.monotonic()
        ended = project.run("run", *source, "--service-url", f"http://127.0.0.1:{port}")
        assert time.monotonic() - started < 8
        assert ended.code == 1
        assert f"http://127.0.0.1:{port}" in ended.err
        assert "ServiceUnavailableError" in ended.err
        assert "SERVICE_URL" in ended.err
        assert project.calls == []
        assert not project.results.exists()

    def test_something_that_is_no_benchmark_service_is_told(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        scripted.answers["/health"] = (200, ["a web page"])
        ended = project.run("run", "--service-url", scripted.url)
        assert ended.code == 1
        assert "names a benchmark service" in ended.err
        assert project.calls == []


class TestTrouble:
    def test_a_grading_that_fails_for_a_while_is_tried_again(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        busy = (503, {"detail": "starting"})
        scripted.answers["/evaluate-response/"] = [busy, busy, (200, {"score": 1})]
        ended = project.run("run", "--service-url", scripted.url, "--limit", "1")
        assert ended.code == 0
        assert scripted.paths().count("/evaluate-response/") == 3

    def test_a_grading_that_keeps_failing_is_owed_and_the_others_go_on(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        trouble = (500, {"detail": "judge crashed"})
        scripted.answers["/evaluate-response/"] = [trouble, (200, {"score": 1})]
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        ended = project.run("run", *flags, "--service-attempts", "1", "--eval-parallelism", "1")
        assert ended.code == 1
        assert "Evaluation failed for 1 task" in ended.out
        assert "judge crashed" in ended.out
        assert "No score yet: 1 failed" in ended.out
        assert project.run("run", *flags).code == 0
        assert len(project.calls) == 3

    def test_a_used_up_quota_stops_grading_and_a_later_run_finishes(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        until = "2099-01-01T00:00:00Z"
        detail = f"Evaluation request limit of 1 per week reached; try again after {until}."
        scripted.answers["/evaluate-response/"] = [
            (200, {"score": 1}),
            (429, {"detail": detail}, HOUR),
        ]
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        one_by_one = ["--parallelism", "1", "--eval-parallelism", "1"]
        started = time.monotonic()
        ended = project.run("run", *flags, *one_by_one)
        assert time.monotonic() - started < 8
        assert ended.code == 1
        assert "QuotaExceededError" in ended.err
        assert "2099-01-01T00:00:00" in ended.err
        assert scripted.paths().count("/evaluate-response/") == 2
        assert "/final-score/" not in scripted.paths()
        evals = [name for name in project.files() if name.endswith("eval.json")]
        assert len(evals) == 1
        generated = {name.split("/")[1] for name in project.files() if "generation" in name}
        assert generated == set(project.calls)

        scripted.answers.clear()
        ended = project.run("run", *flags)
        assert ended.code == 0
        assert sorted(project.calls) == ["t1", "t2", "t3"]
        assert len([p for p in scripted.paths() if p == "/evaluate-response/"]) == 4

    def test_an_error_of_a_v1_grader_comes_with_status_200(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        project.set_in_class('EVALUATION_API = "v1"')
        scripted.answers["/v1/evaluate"] = (200, {"status": "error", "errors": ["429: injected"]})
        ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url)
        assert ended.code == 1
        assert "Evaluation failed for 3 tasks" in ended.out
        assert project.read("r1", "t1", "eval.json")["error"] == "429: injected"

    def test_a_trial_tenants_reduced_answers_are_enough(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        project.set_in_class('EVALUATION_API = "v1"')
        scripted.answers.update(
            {
                "/verify-task-ids": (403, {"detail": "Forbidden"}),
                "/version": (403, {"detail": "Forbidden"}),
                TASK_LIST: (200, {"tasks": [{"id": "t1", "question": "say one"}]}),
                "/v1/evaluate": (200, {"status": "evaluated", "result": True}),
                "/v1/score": (200, {"final_score": 1.0, "tasks_evaluated": ["t1"]}),
            }
        )
        ended = project.run(
            "run", "--dataset-name", "validation", "--run-id", "r1", "--service-url", scripted.url
        )
        assert ended.code == 0, ended.err
        assert project.read("r1", "final_score.json")["final_score"] == 1.0
        (sent,) = [body for path, body in scripted.bodies if path == "/v1/evaluate"]
        assert sent == {
            "run_id": "r1",
            "task_id": "t1",
            "dataset": "validation",
            "payload": {"type": "text", "schema": "sample.text.v1", "data": "one"},
            "versions": {"runner": "dev"},
        }
