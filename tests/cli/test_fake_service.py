"""The fake service, which an author's tests give to the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.testing import FakeService

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

READER = """\
from benchmark_runner import BenchmarkRunner, GenerationResult


class SampleRunner(BenchmarkRunner):
    NAME = "sample"
    PAYLOAD_TYPE = "artifact"
    EVALUATION_API = "v1"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        inputs = await self.fetch_inputs(task, log_dir / "workspace")
        content = b"".join(path.read_bytes() for path in inputs)
        return GenerationResult(artifact=content or b"none", filename="answer.txt")
"""
RESULTS = {"t1": {"pass_percentage": 1.0}, "t2": {"score": 0.5}, "t3": False}


@pytest.mark.parametrize("api", ["legacy", "v1"])
def test_results_are_graded_and_scored(project: RunnerProject, api: str) -> None:
    """A run is graded with the given results, and scored with their mean."""
    project.set_in_class(f'EVALUATION_API = "{api}"')
    with FakeService(RESULTS) as service:
        ended = project.run("run", "--run-id", "r1", "--service-url", service.url)
    assert ended.code == 0, ended.err
    assert service.answers == {"t1": "one", "t2": "two", "t3": "three"}
    assert project.read("r1", "t2", "eval.json")["result"] == {"score": 0.5}
    assert project.read("r1", "final_score.json")["final_score"] == 0.5
    assert ("GET", "/health", None) in service.requests


def test_function_grades_answers(project: RunnerProject) -> None:
    """A function grades the answers, and its error is one of the service."""

    def grade(task_id: str, answer: str) -> float:
        if task_id == "t3":
            raise ValueError(answer)
        return float(answer == "one")

    with FakeService(grade) as service:
        flags = ["--service-url", service.url, "--service-attempts", "1"]
        ended = project.run("run", "--run-id", "r1", *flags)
    assert ended.code == 1
    assert project.read("r1", "t1", "eval.json")["result"] == 1.0
    assert "ValueError: three" in project.read("r1", "t3", "eval.json")["error"]


def test_tasks_and_refusals_are_given(project: RunnerProject) -> None:
    """The service lists its tasks, gives its own score, and refuses what it is told to."""
    tasks = [{"id": "s1", "question": "say yes"}]
    flags = ["run", "--run-id", "r1", "--dataset-name", "served", "--service-url"]
    with FakeService({"s1": 1}, tasks=tasks, final_score=42) as service:
        assert project.run(*flags, service.url).code == 0
    assert project.read("r1", "final_score.json")["final_score"] == 42
    refusal = {"/verify-task-ids": (401, {"detail": "Unauthorized"})}
    with FakeService({}, tasks=tasks, statuses=refusal) as service:
        ended = project.run("run", "--service-url", service.url)
    assert ended.code == 1
    assert "VALS_AUTH_KEY" in ended.err


def test_files_are_taken_and_inputs_given(project: RunnerProject) -> None:
    """The service gives input files to the agent, and takes the files that it answers with."""
    project.write_agent(READER)
    inputs = {"t1": {"a.txt": b"some ", "b.bin": b"input\xff"}}
    with FakeService(RESULTS, inputs=inputs) as service:
        ended = project.run("run", "--run-id", "r1", "--service-url", service.url)
    assert ended.code == 0, ended.err
    assert service.files == {"t1": b"some input\xff", "t2": b"none", "t3": b"none"}
    assert service.answers["t1"] == "some input\ufffd"
    assert ("PUT", "/uploads/r1/t1/answer.txt", None) in service.requests
