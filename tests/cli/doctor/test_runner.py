"""The author's code and the benchmark service."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.doctor.repositories import KEY, checks, offline

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


class TestRunner:
    @pytest.mark.sampled(2)
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
    def test_unimportable_agent_is_a_problem(
        self, healthy: RunnerProject, broken: str, said: str
    ) -> None:
        """An agent that can't be imported is a problem with its line."""
        healthy.write_agent(broken)
        found = checks(healthy.execute("doctor", "--offline", "--json"))
        assert found["runner"]["status"] == "fault"
        assert said in found["runner"]["message"]
        assert found["runner"]["remedy"]
        assert found["runtime"]["status"] == "ok"

    def test_invalid_class_is_a_problem(self, healthy: RunnerProject) -> None:
        """A runner class that can't work is a problem."""
        healthy.set_in_class('EVALUATION_API = "v9"')
        assert "v9" in offline(healthy)["runner"]["message"]

    def test_invalid_dataset_is_a_problem(self, healthy: RunnerProject) -> None:
        """A dataset that does not load is a problem."""
        healthy.dataset.write_text('{"tests": [{"id": "t1"}]}')
        found = offline(healthy)["runner"]
        assert found["status"] == "fault"
        assert "validation.json" in found["message"]

    def test_missing_dataset_is_a_problem(self, healthy: RunnerProject) -> None:
        """A missing dataset is a problem."""
        healthy.dataset.unlink()
        assert "no such file" in offline(healthy)["runner"]["message"]

    @pytest.mark.parametrize(
        ("body", "said"),
        [("raise KeyError('gone')", "KeyError"), ("raise SystemExit", "SystemExit")],
    )
    def test_failing_loader_is_a_problem(
        self, healthy: RunnerProject, body: str, said: str
    ) -> None:
        """A loader of the author's that fails is a problem."""
        healthy.set_in_class(f"def load_tasks(self, dataset_file): {body}")
        assert said in offline(healthy)["runner"]["message"]

    def test_tasks_are_counted(self, healthy: RunnerProject) -> None:
        """The tasks are counted, and nothing is generated."""
        found = offline(healthy)["runner"]
        assert found["message"].endswith("with 3 tasks in data/validation.json")
        assert healthy.calls == []

    @pytest.mark.parametrize("grader", ["import no_such_module\n", "raise SystemExit\n", ""])
    def test_grader_is_needed_locally_only(self, healthy: RunnerProject, grader: str) -> None:
        """A grader is needed only where this machine evaluates."""
        healthy.write_grader(grader)
        assert offline(healthy)["runner"]["status"] == "fault"
        ended = healthy.run(
            "doctor", "--offline", "--json", "--service-url", "https://bench.example.com"
        )
        assert checks(ended)["runner"]["status"] == "ok"

    def test_no_default_dataset_is_fine(self, healthy: RunnerProject) -> None:
        """A runner without a default dataset has none to load."""
        healthy.write_cli(default_dataset_file=None)
        found = offline(healthy)["runner"]
        assert found["status"] == "ok"
        assert "no default dataset" in found["message"]

    def test_module_missing_in_the_wheel_is(self, healthy: RunnerProject) -> None:
        """A module beside the runner that the wheel would lack is a problem with its line."""
        manifest = healthy.root / "pyproject.toml"
        wheel = '[tool.hatch.build.targets.wheel]\ninclude = [\n    "/runner",\n]\n'
        built = '[build-system]\nbuild-backend = "hatchling.build"\n'
        manifest.write_text(f"{manifest.read_text()}{built}{wheel}")
        (healthy.root / "helpers").mkdir()
        (healthy.root / "helpers/words.py").write_text("")
        agent = healthy.root / "runner/benchmark.py"
        agent.write_text(f"import helpers.words\n{agent.read_text()}")
        found = offline(healthy)["runner"]
        assert found["status"] == "fault"
        assert found["message"].startswith("runner/benchmark.py uses helpers, which is not in the")
        assert 'Add "/helpers" to include' in found["remedy"]
        manifest.write_text(manifest.read_text().replace('"/runner"', '"/runner", "/helpers"'))
        assert offline(healthy)["runner"]["status"] == "ok"

    def test_unreadable_env_file_is_a_problem(self, healthy: RunnerProject) -> None:
        """A .env file that can't be read is a problem."""
        (healthy.root / ".env").write_bytes(b"A=\xff\xfe\n")
        assert ".env" in offline(healthy)["runner"]["message"]


class TestService:
    def check(self, project: RunnerProject, *flags: str, **environment: str) -> dict[str, Any]:
        # Without it no time is spent on the template.
        (project.root / ".copier-answers.yml").unlink()
        return checks(project.run("doctor", "--json", *flags, **environment))["service"]

    def test_embedded_service_is_fine(self, healthy: RunnerProject) -> None:
        """The embedded service is fine."""
        assert self.check(healthy)["status"] == "ok"

    def test_accepted_key_is_fine(self, healthy: RunnerProject, scripted: ScriptedService) -> None:
        """A service that accepts the key is fine."""
        found = self.check(healthy, "--service-url", scripted.url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "ok"
        assert f"{scripted.url} is up" in found["message"]
        assert "VALS_AUTH_KEY" in found["message"]
        assert scripted.paths() == ["/health", "/verify-task-ids", "/version"]

    def test_env_file_names_the_service(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The service is the one that the .env file names."""
        (healthy.root / ".env").write_text(f"SERVICE_URL={scripted.url}\n")
        found = self.check(healthy)
        assert found["message"] == f"{scripted.url} is up and wants no key"

    def test_refused_key_is_a_problem(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A refused key is a problem and not shown."""
        scripted.answers["/verify-task-ids"] = (401, {"detail": f"Unauthorized: {KEY}"})
        found = self.check(healthy, "--service-url", scripted.url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "fault"
        assert "VALS_AUTH_KEY" in f"{found['message']} {found['remedy']}"
        assert KEY not in json.dumps(found)

    def test_down_service_is_a_problem(self, healthy: RunnerProject) -> None:
        """A service that is down is a problem."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        found = self.check(healthy, "--service-url", url)
        assert found["status"] == "fault"
        assert url in found["message"]

    def test_missing_service_is_a_problem(self, healthy: RunnerProject) -> None:
        """Without a service the remedy names the setting."""
        healthy.write_cli(default_service_url=None)
        found = self.check(healthy)
        assert found["status"] == "fault"
        assert "SERVICE_URL" in found["remedy"]

    def test_key_over_plain_http_is_a_problem(self, healthy: RunnerProject) -> None:
        """A key over plain HTTP is a problem."""
        url = "http://bench.example.com"
        found = self.check(healthy, "--service-url", url, VALS_AUTH_KEY=KEY)
        assert found["status"] == "fault"
        assert "--allow-insecure-http" in found["remedy"]

    def test_missing_dataset_leaves_it_open(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Without the dataset the service is not checked."""
        healthy.dataset.unlink()
        assert self.check(healthy, "--service-url", scripted.url)["status"] == "not_checked"
        assert scripted.asked == []

    def test_no_default_dataset_checks_health(
        self, healthy: RunnerProject, scripted: ScriptedService
    ) -> None:
        """Without a default dataset only the health is checked."""
        healthy.write_cli(default_dataset_file=None)
        assert self.check(healthy, "--service-url", scripted.url)["status"] == "not_checked"
        assert scripted.paths() == ["/health"]
