"""A runner written for the earlier Click framework runs as it was: module, CLI, entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

AGENT = """\
import json
from pathlib import Path
from typing import Any

from benchmark_runner import (
    BenchmarkRunner,
    EvalResult,
    EvalResultData,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    ScoreResult,
    Task,
)

DEFAULT_DATASET_FILE = str(Path(__file__).parent.parent / "data" / "validation.json")


class OldTask(Task):
    hint: str


class OldRunner(BenchmarkRunner):
    NAME = "sample"
    PAYLOAD_TYPE = "text"
    PAYLOAD_SCHEMA_VERSION = 1
    GENERATION_VERSION_ENV = "SAMPLE_GENERATION_VERSION"

    def __init__(self, service_url: str, dataset_name: str | None = None, eval_concurrency=10):
        super().__init__(service_url, dataset_name, eval_concurrency)
        self.seen: list[str] = []

    def load_tasks(self, dataset_file: str | None) -> list[Task]:
        with open(dataset_file or DEFAULT_DATASET_FILE) as f:
            data = json.load(f)
        self._dataset = data.get("dataset_name")
        return [
            OldTask(id=raw["id"], question=raw["question"], hint=raw["question"][::-1])
            for raw in data["tests"]
        ]

    async def generate(
        self, task: Any, model: str, llm_config: Any = None, log_dir: Path | None = None
    ) -> GenerationResult:
        self.seen.append(task.id)
        (log_dir / "prompt.txt").write_text(task.hint)
        status = GenerationStatus.MAX_TURNS if task.id == "t2" else GenerationStatus.SUCCESS
        return GenerationResult(
            task_id=task.id,
            status=status,
            data=f"{model}: {task.hint} at {llm_config.temperature}",
            question=task.question,
            model=model,
            total_turns=3,
            log_dir=str(log_dir),
        )

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        if generation.status != GenerationStatus.SUCCESS:
            return EvalResult(task_id=task_id, status=EvalStatus.DID_NOT_COMPLETE)
        async with self._eval_sem:
            raw = await self._client.evaluate_response(
                task_id=task_id, response=generation.answer, dataset=self._dataset
            )
        data = EvalResultData.model_validate(raw)
        return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result=data)

    async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
        submitted: dict[str, Any] = {ev.task_id: ev.model_dump(mode="json") for ev in eval_results}
        for task in self.get_tasks():
            submitted.setdefault(task.id, None)
        response = await self._client.final_score(submitted, dataset=self._dataset)
        payload = response.model_dump()
        passed = [ev.result.pass_percentage for ev in eval_results if ev.result]
        return ScoreResult(
            tasks_evaluated=payload.get("tasks_evaluated", []),
            final_score=float(payload.get("final_score", 0.0)),
            metadata={"passed": passed},
        )
"""

OLD_CLI = """\
from benchmark_runner.cli import make_cli

from .benchmark import OldRunner

cli = make_cli(OldRunner)
"""


@pytest.fixture
def old(project: RunnerProject) -> RunnerProject:
    project.write_agent(AGENT)
    (project.root / "runner" / "cli.py").write_text(OLD_CLI)
    return project


def test_earlier_runner_runs_as_it_is(old: RunnerProject, scripted: ScriptedService) -> None:
    """A runner of the earlier framework generates, evaluates and scores unchanged."""
    flags = ["--model", "m1", "--run-id", "r1", "--temperature", "0.5"]
    ended = old.execute("run", *flags, SERVICE_URL=scripted.url)
    assert ended.code == 0, ended.err
    generation = old.read("r1", "t1", "generation.json")
    assert generation["answer"] == generation["data"] == "m1: eno yas at 0.5"
    assert generation["total_turns"] == 3
    assert (old.results / "r1" / "t1" / "agent_logs" / "prompt.txt").read_text() == "eno yas"
    assert old.read("r1", "t1", "eval.json")["result"] == {"pass_percentage": 1.0}
    assert old.read("r1", "t2", "eval.json")["status"] == "did_not_complete"
    score = old.read("r1", "final_score.json")
    assert (score["final_score"], score["metadata"]) == (1.0, {"passed": [1.0, 1.0]})
    (graded,) = [body for path, body in scripted.bodies if path == "/final-score/"]
    assert set(graded["evaluation_results"]) == {"t1", "t2", "t3"}
    assert graded["dataset"] == "validation"


def test_earlier_runner_is_scored_again(old: RunnerProject, scripted: ScriptedService) -> None:
    """A run of the earlier framework is scored again with --force."""
    old.run("run", "--model", "m1", "--run-id", "r1", "--service-url", scripted.url)
    ended = old.run("score", "--run-id", "r1", "--force", "--service-url", scripted.url)
    assert ended.code == 0
    assert scripted.paths().count("/final-score/") == 2


def test_missing_model_or_service_is_named(old: RunnerProject) -> None:
    """Without a model or a service the error names the flag or variable."""
    ended = old.run("run", "--run-id", "r1")
    assert ended.code == 2
    assert "--model" in ended.err
    ended = old.run("run", "--run-id", "r1", "--model", "m1")
    assert ended.code == 2
    assert "SERVICE_URL" in ended.err
