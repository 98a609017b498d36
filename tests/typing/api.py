"""The author's API as type checkers see it; pyright checks this file, and nothing runs it.

A line with ``# pyright: ignore[rule]`` must be an error: pyright reports one that is none.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, assert_type

from pydantic import BaseModel, JsonValue, SecretStr

from benchmark_runner import (
    Artifact,
    BenchmarkRunner,
    BenchmarkServiceClient,
    EvalResult,
    EvalResultData,
    EvalStatus,
    FinalScoreResponse,
    GenerationResult,
    GenerationStatus,
    LLMConfig,
    RunArtifacts,
    ScoreResult,
    Task,
    TokenUsage,
    build_client,
    build_llm_config,
    current_generation,
    make_cli,
)
from benchmark_runner.checkpoint import RunConfig, load_run_config
from benchmark_runner.datasets import read_dataset
from benchmark_runner.errors import BenchmarkRunnerError, ServiceUnavailableError
from benchmark_runner.testing import RunnerContract

if TYPE_CHECKING:
    import typer


class OwnTask(Task):
    docker_image: str
    difficulty: int = 1


class OwnOptions(BaseModel):
    effort: int = 3
    api_token: SecretStr | None = None


class AsyncRunner(BenchmarkRunner):
    """A runner that overrides what it can."""

    NAME = "my-bench"
    PAYLOAD_TYPE = "text"
    PAYLOAD_SCHEMA_VERSION = 2
    GENERATION_VERSION_ENV = "MY_BENCH_GENERATION_VERSION"
    TASK_MODEL = OwnTask
    EVALUATION_API = "v1"
    SCORE_SUBMISSION = "result"
    EVALUATOR_FIELDS = frozenset({"answer", "rubric"})
    OPTIONS_MODEL = OwnOptions

    def load_tasks(self, dataset_file: str | None) -> list[Task]:
        tasks = super().load_tasks(dataset_file)
        assert_type(tasks, list[Task])
        self._dataset = "validation"
        return [*tasks, OwnTask(id="t1", question="1 + 1?", docker_image="python")]

    async def generate(
        self,
        task: OwnTask,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        assert_type(task.docker_image, str)
        assert_type(task.timeout, float | None)
        assert_type(current_generation().repeat, int)
        assert_type(current_generation().time_left(), float)
        await asyncio.sleep(0)
        return GenerationResult(answer=task.question, model=model)

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        if generation.status is not GenerationStatus.SUCCESS:
            return await super().evaluate(task_id, generation)
        return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result={"score": 1})

    async def score(self, eval_results: list[EvalResult]) -> ScoreResult:
        default = await super().score(eval_results)
        assert_type(default.final_score, float)
        return ScoreResult(tasks_evaluated=default.tasks_evaluated, final_score=0.5)

    def task_score(self, result: JsonValue) -> float | None:
        return float(result["score"] == 1) if isinstance(result, dict) else None


class SyncRunner(BenchmarkRunner):
    """A plain ``def generate()`` runs in a thread; to a type checker it is another override."""

    NAME = "my-bench"

    def generate(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        task: Task,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        return GenerationResult(data=task.question)


class IncompleteRunner(BenchmarkRunner):
    NAME = "my-bench"


class WrongRunner(BenchmarkRunner):
    NAME: ClassVar[int] = 1  # pyright: ignore[reportIncompatibleVariableOverride]
    TASK_MODEL = OwnOptions  # pyright: ignore[reportAssignmentType]

    async def generate(self, task: Task) -> GenerationResult:  # pyright: ignore[reportIncompatibleMethodOverride]
        return GenerationResult(answer=task.question)

    def task_score(self, result: JsonValue) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return str(result)


def runners() -> None:
    runner = AsyncRunner(service_url="local", dataset_name=None, eval_concurrency=10)
    assert_type(runner.get_tasks(), list[Task])
    assert_type(runner.payload_schema, str)
    assert_type(runner.generation_version, str)
    assert_type(runner.artifact_path("t1"), Path)
    assert_type(runner.service, BenchmarkServiceClient)
    runner.add_task(OwnTask(id="t1", question="?", docker_image="python"))
    SyncRunner("local")
    AsyncRunner()  # pyright: ignore[reportCallIssue]
    IncompleteRunner("local")  # pyright: ignore[reportAbstractUsage]


def generations() -> None:
    assert_type(GenerationResult(answer="42").data, str)
    assert_type(GenerationResult(data="42").answer, str)
    GenerationResult(
        answer="42",
        status="max_turns",
        usage=TokenUsage(input=1, output=2),
        cost=0.1,
        metadata={"turns": [1, 2]},
    )
    assert_type(GenerationResult().status, GenerationStatus)
    assert_type(GenerationResult().cost, float | None)
    GenerationResult(artifact=Path("fix.patch"))
    GenerationResult(artifact=b"42", filename="fix.patch")
    assert_type(GenerationResult().artifact, Artifact | Path | bytes | None)
    GenerationResult(artifact="fix.patch")  # pyright: ignore[reportArgumentType]
    GenerationResult("42")  # pyright: ignore[reportCallIssue]
    GenerationResult(answer=42)  # pyright: ignore[reportArgumentType]
    GenerationResult(response="42")  # pyright: ignore[reportCallIssue]


def tasks() -> None:
    assert_type(OwnTask(id="t1", question="?", docker_image="python").difficulty, int)
    OwnTask(id="t1", question="?")  # pyright: ignore[reportCallIssue]


def evals() -> None:
    result = EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result=EvalResultData())
    assert_type(result.result_json(), JsonValue)
    assert_type(EvalResultData().pass_percentage, float | None)
    assert_type(EvalResultData().weighted_pass_percentage, float | None)
    EvalResult(task_id="t1", status="evaluated")  # pyright: ignore[reportArgumentType]
    EvalResult(task_id="t1")  # pyright: ignore[reportCallIssue]
    ScoreResult(tasks_evaluated=["t1"], final_score="1.0")  # pyright: ignore[reportArgumentType]


def models() -> None:
    config = build_llm_config(max_tokens=10, temperature=0.5, custom_api_key="key")
    assert_type(config, LLMConfig)
    assert_type(config.custom_api_key, SecretStr | None)
    LLMConfig(max_tokens=10)
    LLMConfig(max_token=10)  # pyright: ignore[reportCallIssue]
    build_llm_config(10)  # pyright: ignore[reportCallIssue]


def command_lines() -> None:
    app: typer.Typer = make_cli(
        AsyncRunner,
        default_dataset_file="data/validation.json",
        default_results_dir="results",
        default_parallelism=4,
        default_timeout=60.0,
        default_model="model",
    )
    app()
    make_cli("runner.benchmark:AsyncRunner", grader="runner.grader:grade")
    make_cli(AsyncRunner("local"))  # pyright: ignore[reportArgumentType]
    make_cli(AsyncRunner, parallelism=4)  # pyright: ignore[reportCallIssue]


async def services() -> None:
    async with build_client("https://example.com") as client:
        assert_type(client, BenchmarkServiceClient)
        score = await client.final_score({"t1": None})
        assert_type(score, FinalScoreResponse)


def files_of_runs(folder: Path) -> None:
    artifacts = RunArtifacts(folder, "r1")
    assert_type(artifacts.load_generation("t1"), GenerationResult | None)
    assert_type(artifacts.load_eval("t1"), EvalResult | None)
    assert_type(artifacts.load_final_score(), ScoreResult | None)
    assert_type(load_run_config(artifacts), RunConfig | None)
    assert_type(read_dataset(folder / "tasks.json").rows, list[dict[str, JsonValue]])


def errors(error: BenchmarkRunnerError) -> None:
    assert_type(error.message, str)
    assert_type(error.hint, str | None)
    assert_type(error.exit_code, int)
    assert_type(ServiceUnavailableError("down", status_code=503).status_code, int | None)


class TestContract(RunnerContract):
    runner_class = AsyncRunner
    dataset_file = "data/validation.json"
