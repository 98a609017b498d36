"""``run`` with a benchmark service that is not this process, and what it may answer."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

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
    def test_refused_task_list_has_a_hint(
        self,
        project: RunnerProject,
        scripted: ScriptedService,
        status: int,
        detail: str,
        key: str | None,
        cause: str,
        way_out: str,
    ) -> None:
        """A refused task list is one sentence with a hint."""
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
    def test_refused_key_stops_before_generations(
        self, project: RunnerProject, scripted: ScriptedService, status: int, detail: str
    ) -> None:
        """A key that may not evaluate stops the run before anything is generated."""
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
            (400, {"detail": "a bad value"}),
            (404, {"detail": "Not Found"}),
            (405, {"detail": "Method Not Allowed"}),
        ],
    )
    def test_other_answers_do_not_stop_the_run(
        self, project: RunnerProject, scripted: ScriptedService, answer: tuple[int, object]
    ) -> None:
        """Other answers to the first request do not stop the run."""
        scripted.answers["/verify-task-ids"] = answer
        assert project.run("run", "--service-url", scripted.url).code == 0

    def test_service_is_asked_first(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """It is asked once each before the first generation, and not with --skip-eval."""
        project.run("run", "--service-url", scripted.url, "--skip-eval")
        assert scripted.asked == []
        project.run("run", "--service-url", scripted.url)
        before = [("GET", "/version"), ("GET", "/health"), ("GET", "/verify-task-ids")]
        assert scripted.asked[:4] == [*before, ("POST", "/evaluate-response/")]

    def test_bearer_key_is_refused_for_v1(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A bearer key is refused for v1 before anything is generated."""
        project.set_in_class('EVALUATION_API = "v1"')
        ended = project.run("run", "--service-url", scripted.url, BENCHMARK_API_KEY="hidden-1")
        assert ended.code == 1
        assert "BENCHMARK_API_KEY" in ended.err
        assert "VALS_AUTH_KEY" in ended.err
        assert project.calls == []
        assert not project.results.exists()


class TestDown:
    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("source", [[], ["--dataset-name", "validation"]])
    def test_down_service_is_reported_in_seconds(
        self, project: RunnerProject, source: list[str]
    ) -> None:
        """A service that is down is reported within seconds; nothing is generated."""
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

    def test_other_server_is_reported(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A server that is no benchmark service is reported."""
        scripted.answers["/health"] = (200, ["a web page"])
        ended = project.run("run", "--service-url", scripted.url)
        assert ended.code == 1
        assert "names a benchmark service" in ended.err
        assert project.calls == []


class TestTrouble:
    def test_passing_error_is_retried(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """An evaluation that fails for a while is retried."""
        busy = (503, {"detail": "starting"})
        scripted.answers["/evaluate-response/"] = [busy, busy, (200, {"score": 1})]
        ended = project.run("run", "--service-url", scripted.url, "--limit", "1")
        assert ended.code == 0
        assert scripted.paths().count("/evaluate-response/") == 3

    def test_lasting_error_is_left_to_do(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """An evaluation that keeps failing is left to do; the others are made."""
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

    def test_quota_is_resumed_later(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A used-up quota stops the evaluations, and a later run finishes."""
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

    def test_v1_grader_error_has_status_200(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """An error of a v1 grader comes with status 200."""
        project.set_in_class('EVALUATION_API = "v1"')
        scripted.answers["/v1/evaluate"] = (200, {"status": "error", "errors": ["429: injected"]})
        ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url)
        assert ended.code == 1
        assert "Evaluation failed for 3 tasks" in ended.out
        assert project.read("r1", "t1", "eval.json")["error"] == "429: injected"

    def test_reduced_answers_are_enough(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The reduced answers to a trial tenant are enough."""
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
