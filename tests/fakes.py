"""Fakes that tests of several rooms share: a runner, a run's folder, a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmark_runner._run.caps import Caps
from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.engine import Engine
from benchmark_runner._run.graded_by import CommandGrader, GradedBy
from benchmark_runner._run.plan import Planner
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.score import CurrentEvals, EvalsDigest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._run.session import Session
from benchmark_runner._run.summary import Summariser
from benchmark_runner._run.task_source import TaskSource
from benchmark_runner._spend import Spend
from benchmark_runner.artifacts.run_folder import TRACEBACK_LOG, RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.llm import LLMConfig
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
    TaskRepeat,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner._progress.events import Event, Listener
    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner.errors import ServiceError

    Generate = Callable[[Task], Awaitable[GenerationResult]]
    Evaluate = Callable[[str, GenerationResult], Awaitable[EvalResult]]
    TaskScore = Callable[[JsonValue], object]

#: Longer than any run of a test takes, in seconds; reaching it fails the test.
TOO_LONG = 10.0


class FakeRunner(BenchmarkRunner):
    """A runner that answers as a test says, and records its calls.

    Args:
        service_url: As of every runner.
        dataset_name: As of every runner.
        generate: Answers a task. Without it, a call of ``generate()`` fails the test.
        evaluate: Evaluates a successful generation; the service does so by default.
        task_score: The score of a result; the framework's default if left out.

    Attributes:
        generated: The ids of the tasks that ``generate()`` was called for.
        evaluated: The ids of the tasks that ``evaluate`` was called for.
        results: The results that ``task_score()`` was called for.
    """

    NAME = "my-bench"

    def __init__(
        self,
        service_url: str = "local",
        dataset_name: str | None = None,
        *,
        generate: Generate | None = None,
        evaluate: Evaluate | None = None,
        task_score: TaskScore | None = None,
    ) -> None:
        super().__init__(service_url, dataset_name)
        self._generate, self._evaluate, self._score_of = generate, evaluate, task_score
        self.generated: list[str] = []
        self.evaluated: list[str] = []
        self.results: list[JsonValue] = []

    async def generate(
        self,
        task: Task,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        assert self._generate is not None, "nothing is to be generated here"
        self.generated.append(task.id)
        return await self._generate(task)

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        if self._evaluate is None or generation.status is not GenerationStatus.SUCCESS:
            return await super().evaluate(task_id, generation)
        self.evaluated.append(task_id)
        return await self._evaluate(task_id, generation)

    def task_score(self, result: JsonValue) -> float | None:
        self.results.append(result)
        score_of = self._score_of or super().task_score
        return score_of(result)  # pyright: ignore[reportReturnType]


async def answer(task: Task) -> GenerationResult:
    """Generate an answer that names the question."""
    return GenerationResult(answer=f"answer to {task.question}")


async def grade(task_id: str, generation: GenerationResult) -> EvalResult:
    """Evaluate any generation as right."""
    return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result={"score": 1.0})


class RunFolder:
    """The folder of a run, filled by a test with the results of its tasks.

    Attributes:
        artifacts: The folder.
        tasks: The ids of the tasks that have a generation, in their order.
    """

    def __init__(self, results: Path, run_id: str = "run-1", *, durable: bool = True) -> None:
        self.artifacts = RunArtifacts(results, run_id, durable=durable)
        self.tasks: list[str] = []

    def add_generation(
        self,
        task_id: str,
        status: GenerationStatus = GenerationStatus.SUCCESS,
        repeat: int = 1,
        **fields: Any,
    ) -> str:
        """Save a generation and return the hash of its file."""
        if task_id not in self.tasks:
            self.tasks.append(task_id)
        generation = GenerationResult(task_id=task_id, status=status, **fields)
        return self.artifacts.of_repeat(repeat).save_generation(task_id, generation)

    def add_evaluation(
        self,
        task_id: str,
        result: JsonValue = None,
        status: EvalStatus = EvalStatus.EVALUATED,
        *,
        generated: GenerationStatus = GenerationStatus.SUCCESS,
        repeat: int = 1,
        **fields: Any,
    ) -> None:
        """Save a generation and its evaluation.

        Args:
            task_id: The task.
            result: What the grader answered.
            status: The evaluation's status.
            generated: The generation's status.
            repeat: The repeat of the task.
            fields: Further fields of the evaluation. Where ``generation_hash`` is among them,
                no generation is saved.
        """
        if "generation_hash" not in fields:
            fields["generation_hash"] = self.add_generation(task_id, generated, repeat)
        evaluation = EvalResult(task_id=task_id, status=status, result=result, **fields)
        self.artifacts.of_repeat(repeat).save_eval(task_id, evaluation)


def hash_of_evals(artifacts: RunArtifacts, task_ids: Sequence[str], repeats: int = 1) -> str:
    """Return the hash of the evaluations on disk, as a score of them carries it."""
    digest = EvalsDigest()
    for repeat in range(1, repeats + 1):
        CurrentEvals(artifacts, task_ids, digest, repeat).read()
    return digest.hexdigest()


def make_settings(runner: type[BenchmarkRunner] | str, **settings: Any) -> CliSettings:
    """Return the settings of a command line as ``make_cli()`` does."""
    defaults: dict[str, Any] = {
        "grader": None,
        "default_dataset_file": None,
        "default_results_dir": "results",
        "default_parallelism": 10,
        "default_timeout": 1800.0,
        "default_model": None,
        "default_service_url": None,
        "data_dir": "data",
    }
    return CliSettings(runner=runner, **(defaults | settings))


def first(*task_ids: str) -> list[TaskRepeat]:
    """Return the first repeat of each of these tasks."""
    return [*map(TaskRepeat, task_ids)]


def make_plan(
    artifacts: RunArtifacts, task_ids: Sequence[str], repeats: int = 1, **options: Any
) -> Plan:
    """Plan tasks as a command with these options does."""
    planner = Planner(**options)
    for task_id in task_ids:
        for repeat in range(1, repeats + 1):
            planner.add(TaskFiles(artifacts, task_id, repeat))
    return planner.plan


def summarise(
    runner: BenchmarkRunner, artifacts: RunArtifacts, task_ids: Iterable[str], repeats: int = 1
) -> RunSummary:
    """Sum up the tasks on disk."""
    summariser = Summariser(runner)
    for task_id in task_ids:
        for repeat in range(1, repeats + 1):
            summariser.add(TaskFiles(artifacts, task_id, repeat))
    return summariser.summary()


def spend_on_disk(artifacts: RunArtifacts, task_ids: Sequence[str]) -> Spend:
    """Sum up what the generations on disk took, earlier attempts included."""
    spend = Spend()
    for task_id in task_ids:
        for generation in TaskFiles(artifacts, task_id).generations:
            spend.add_generation(generation)
    return spend


def make_session(
    runner: BenchmarkRunner,
    artifacts: RunArtifacts,
    config: RunConfig,
    request: RunRequest | None = None,
    llm_config: LLMConfig | None = None,
) -> Session:
    """Open a run for a command on all its tasks."""
    return Session(
        runner=runner,
        artifacts=artifacts,
        request=request or RunRequest(),
        config=config,
        task_hashes=list,
        llm_config=llm_config or LLMConfig(),
        source=TaskSource("file"),
        chosen=config.tasks,
        resumed=False,
    )


class EngineRun:
    """One run of the engine, in memory but for its files.

    Attributes:
        artifacts: The run's folder.
        events: The events, in their order.
        listen: The listener of the next call; by default it appends to ``events``.
        runner: The runner, which records its calls.
        tasks: The tasks.
        warnings: The warnings of the last call.
    """

    def __init__(self, results: Path) -> None:
        self.artifacts = RunArtifacts(results, "r1")
        self.events: list[Event] = []
        self.listen: Listener = self.events.append
        self.tasks: list[Task] = []
        self.runner = FakeRunner()
        self.warnings: list[str] = []

    @property
    def ids(self) -> list[str]:
        """The ids of the tasks."""
        return [task.id for task in self.tasks]

    def script(
        self,
        tasks: int | Iterable[Task] = 1,
        generate: Generate = answer,
        evaluate: Evaluate = grade,
    ) -> None:
        """Set the tasks, or their number, and how they are generated and evaluated."""
        if isinstance(tasks, int):
            tasks = [Task(id=f"t{n}", question=f"q{n}") for n in range(1, tasks + 1)]
        self.tasks = [*tasks]
        self.use(FakeRunner(generate=generate, evaluate=evaluate))

    def use(self, runner: FakeRunner) -> None:
        """Set the runner; it gets the run's tasks."""
        self.runner = runner
        runner.register_tasks(self.tasks)

    async def __call__(self, **settings: Any) -> ServiceError | None:
        """Do what is left to do; for the settings see ``carry_out()``."""
        plan = make_plan(self.artifacts, self.ids, settings.get("repeats", 1))
        return await self.carry_out(plan, **settings)

    async def carry_out(
        self,
        plan: Plan,
        *,
        eval_parallelism: int = 2,
        eval_deadline: float = TOO_LONG,
        parallelism: int = 3,
        skip_eval: bool = False,
        **settings: Any,
    ) -> ServiceError | None:
        """Carry out a plan; other settings are arguments of the engine."""
        request = RunRequest(
            parallelism=parallelism,
            timeout=settings.get("timeout", TOO_LONG),
            skip_eval=skip_eval,
        )
        service = ServiceSettings(
            eval_parallelism=eval_parallelism,
            eval_timeout=eval_deadline / 6,
            service_retry_time=0,
        )
        by = settings.get("graded_by", GradedBy("local", "legacy", "1.0"))
        grader = CommandGrader(by, settings.get("local", True))
        caps = settings.get("caps") or Caps()
        config = RunConfig(
            run_id="r1",
            model=settings.get("model", "the-model"),
            tasks=self.ids,
            repeats=settings.get("repeats", 1),
        )
        llm_config = settings.get("llm_config")
        session = make_session(self.runner, self.artifacts, config, request, llm_config)
        engine = Engine(session, service, grader, self.listen, caps)
        self.warnings = engine.warnings
        async with asyncio.timeout(TOO_LONG):
            return await engine.carry_out(plan)

    def generation(self, task_id: str, repeat: int = 1) -> GenerationResult:
        """Return the generation of a task, which must be there."""
        found = self.artifacts.of_repeat(repeat).load_generation(task_id)
        assert found is not None, f"no generation of {task_id}"
        return found

    def eval(self, task_id: str, repeat: int = 1) -> EvalResult:
        """Return the evaluation of a task, which must be there."""
        found = self.artifacts.of_repeat(repeat).load_eval(task_id)
        assert found is not None, f"no evaluation of {task_id}"
        return found

    def log(self, task_id: str, name: str = TRACEBACK_LOG, repeat: int = 1) -> str:
        """Return the text of a log of a task."""
        return (self.artifacts.of_repeat(repeat).agent_logs_dir(task_id) / name).read_text()
