"""The author's code and the benchmark service."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.doctor.repositories import KEY, checks, offline

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.fakes import ScriptedService


class TestRunner:
    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            ("def (\n", "benchmark.py, line 1"),
            ("import no_such_module\n", "no_such_module"),
            ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
            ("class Other: ...\n", "defines no SampleRunner"),
            ("<<<<<<< before updating\n", "SyntaxError"),
        ],
    )
    def test_an_agent_that_can_not_be_imported_is_a_fault(
        self, healthy: RunnerProject, broken: str, said: str
    ) -> None:
        healthy.write_agent(broken)
        found = checks(healthy.execute("doctor", "--offline", "--json"))
        assert found["runner"]["status"] == "fault"
        assert said in found["runner"]["message"]
        assert found["runner"]["remedy"]
        assert found["runtime"]["status"] == "ok"

    def test_a_class_that_can_not_work_is_a_fault(self, healthy: RunnerProject) -> None:
        healthy.set_in_class('EVALUATION_API = "v9"')
        assert "v9" in offline(healthy)["runner"]["message"]

    def test_a_dataset_that_does_not_load_is_a_fault(self, healthy: RunnerProject) -> None:
        healthy.dataset.write_text('{"tests": [{"id": "t1"}]}')
        found = offline(healthy)["runner"]
        assert found["status"] == "fault"
        assert "validation.json" in found["message"]

    def test_a_missing_dataset_is_a_fault(self, healthy: RunnerProject) -> None:
        healthy.dataset.unlink()
        assert "no such file" in offline(healthy)["runner"]["message"]

    @pytest.mark.parametrize(
        ("body", "said"),
        [("raise KeyError('gone')", "KeyError"), ("raise SystemExit", "SystemExit")],
    )
    def test_a_loader_of_the_authors_that_fails_is_a_fault(
        self, healthy: RunnerProject, body: str, said: str
    ) -> None:
        healthy.set_in_class(f"def load_tasks(self, dataset_file): {body}")
        assert said in offline(healthy)["runner"]["message"]

    def test_the_tasks_are_counted_and_nothing_is_generated(self, healthy: RunnerProject) -> None:
        found = offline(healthy)["runner"]
        assert found["message"].endswith("with 3 tasks in data/validation.json")
        assert healthy.calls == []

    @pytest.mark.parametrize("grader", ["import no_such_module\n", "raise SystemExit\n", ""])
    def test_a_grader_is_wanted_where_this_machine_grades_and_only_there(
        self, healthy: RunnerProject, grader: str
    ) -> None:
        healthy.write_grader(grader)
        assert offline(healthy)["runner"]["status"] == "fault"
        ended = healthy.run(
            "doctor", "--offline", "--json", "--service-url", "https://bench.example.com"
        )
        assert checks(ended)["runner"]["status"] == "ok"

    def test_a_runner_without_a_default_dataset_has_none_to_load(
        self, healthy: RunnerProject
    ) -> None:
        healthy.write_cli(default_dataset_file=None)
        found = offline(healthy)["runner"]
        assert found["status"] == "ok"
        assert "no default dataset" in found["message"]

    def test_an_env_file_that_can_not_be_read_is_a_fault(self, healthy: RunnerProject) -> None:
        (healthy.root / ".env").write_bytes(b"A=\xff\xfe\n")
        assert ".env" in offline(healthy)["runner"]["message"]


class TestService:
    def check(self, project: RunnerProject, *flags: str, **environment: str) -> dict[str, Any]:
        # Without it no time is spent on the template.
        (project.root / ".copier-answers.yml").unlink()
        return checks(project.run("doctor", "--json", *flags, **environment))["service"]

    def test_the_embedded_one_is_there(self, healthy: RunnerProject) -> None:
        assert self.check(healthy)["status"] == "ok"

    def test_one_that_lets_the_key_in_is_fine(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        found = self.check(healthy, "--service-url", scripted.url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "ok"
        assert f"{scripted.url} is up" in found["message"]
        assert "VALS_AUTH_KEY" in found["message"]
        assert scripted.paths() == ["/health", "/verify-task-ids"]

    def test_it_is_the_one_that_the_environment_names(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        (healthy.root / ".env").write_text(f"SERVICE_URL={scripted.url}\n")
        found = self.check(healthy)
        assert found["message"] == f"{scripted.url} is up and wants no key"

    def test_a_key_that_is_refused_is_a_fault_and_not_shown(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        scripted.answers["/verify-task-ids"] = (401, {"detail": f"Unauthorized: {KEY}"})
        found = self.check(healthy, "--service-url", scripted.url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "fault"
        assert "VALS_AUTH_KEY" in f"{found['message']} {found['remedy']}"
        assert KEY not in json.dumps(found)

    def test_one_that_is_down_is_a_fault(self, healthy: RunnerProject) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found = self.check(healthy, "--service-url", url)
        assert found["status"] == "fault"
        assert url in found["message"]

    def test_none_at_all_is_a_fault_with_how_to_name_one(self, healthy: RunnerProject) -> None:
        healthy.write_cli(default_service_url=None)
        found = self.check(healthy)
        assert found["status"] == "fault"
        assert "SERVICE_URL" in found["remedy"]

    def test_a_key_over_plain_http_is_a_fault(self, healthy: RunnerProject) -> None:
        url = "http://bench.example.com"
        found = self.check(healthy, "--service-url", url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "fault"
        assert "--allow-insecure-http" in found["remedy"]

    def test_without_a_dataset_it_is_left_open(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        healthy.dataset.unlink()
        assert self.check(healthy, "--service-url", scripted.url)["status"] == "not_checked"
        assert scripted.asked == []

    def test_without_a_default_dataset_only_its_health_is_asked(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        healthy.write_cli(default_dataset_file=None)
        assert self.check(healthy, "--service-url", scripted.url)["status"] == "not_checked"
        assert scripted.paths() == ["/health"]
