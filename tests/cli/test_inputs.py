"""``fetch_inputs()`` in an author's ``generate()``: the files that the service has for a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

AWAITED = """\
    async def generate(self, task, model, llm_config=None, log_dir=None):
        paths = await self.fetch_inputs(task, log_dir / "workspace")
        return GenerationResult(answer=" ".join(path.read_text() for path in paths))
"""
IN_A_THREAD = """\
    def generate(self, task, model, llm_config=None, log_dir=None):
        paths = asyncio.run(self.fetch_inputs(task, log_dir / "workspace"))
        return GenerationResult(answer=" ".join(path.read_text() for path in paths))
"""
AGENT = """\
import asyncio

from benchmark_runner import BenchmarkRunner, GenerationResult


class SampleRunner(BenchmarkRunner):
    NAME = "sample"

"""


@pytest.fixture(params=[AWAITED, IN_A_THREAD], ids=["awaited", "in a thread"])
def agent(project: RunnerProject, request: pytest.FixtureRequest) -> None:
    project.write_agent(AGENT + request.param)


def offer(service: ScriptedService, task_id: str, dest: str, dataset: str = "validation") -> None:
    path = f"/v1/datasets/{dataset}/tasks/{task_id}/inputs"
    service.answers[path] = (200, {"inputs": [{"filename": "a.txt", "dest": dest}]})
    service.answers[f"{path}/a.txt"] = (200, f"of {task_id}")


@pytest.mark.usefixtures("agent")
class TestFetched:
    @pytest.mark.parametrize("flags", [(), ("--skip-eval",)])
    def test_files_reach_the_agent(
        self, project: RunnerProject, scripted: ScriptedService, flags: tuple[str, ...]
    ) -> None:
        """Each task gets its files, also where nothing is evaluated."""
        for task_id in ("t1", "t2", "t3"):
            offer(scripted, task_id, f"data/{task_id}.txt")
        ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url, *flags)
        assert ended.code == 0, ended.out
        for task_id in ("t1", "t2", "t3"):
            assert project.read("r1", task_id, "generation.json")["data"] == f'"of {task_id}"'
            workspace = project.results / "r1" / task_id / "agent_logs" / "workspace"
            assert (workspace / "data" / f"{task_id}.txt").exists()

    def test_problem_has_inputs_too(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """The task of --problem gets its files from the default dataset."""
        offer(scripted, "t9", "a.txt", "default")
        (project.root / "q.txt").write_text("say nine")
        ended = project.run(
            "run", "--run-id", "r1", "--skip-eval", "--problem", "q.txt", "t9",
            "--service-url", scripted.url,
        )  # fmt: skip
        assert ended.code == 0, ended.out
        assert project.read("r1", "t9", "generation.json")["data"] == '"of t9"'

    def test_place_outside_is_an_error_of_the_task(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A place outside the folder is this task's error, and the other tasks go on."""
        offer(scripted, "t1", "../../../planted")
        for task_id in ("t2", "t3"):
            offer(scripted, task_id, "a.txt")
        ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url)
        assert ended.code == 1
        error = project.read("r1", "t1", "generation.json")["error"]
        assert error.startswith("InputError: the service names '../../../planted'")
        assert not list(project.root.rglob("planted"))
        assert project.read("r1", "t2", "generation.json")["status"] == "success"

    def test_missing_service_is_named(self, project: RunnerProject) -> None:
        """Without a service, the error says what to set."""
        project.write_cli(default_service_url=None)
        ended = project.run("run", "--run-id", "r1", "--skip-eval")
        assert ended.code == 1
        error = project.read("r1", "t1", "generation.json")["error"]
        assert error == "UsageError: no benchmark service was given"
        assert "SERVICE_URL" in ended.out
