"""The evaluation of the samples of a log by ``inspect score``, outside a run."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.deadline import DeadlineExceeded, call_within
from benchmark_runner._run.connection import close_connections
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.base.evaluation import evaluate_without_service
from benchmark_runner.errors import UnusableArtifactError, describe
from benchmark_runner.inspect_task.scores import score_of, unscored
from benchmark_runner.inspect_task.task_set import open_runner
from benchmark_runner.schemas import EvalResult, GenerationResult, GenerationStatus, TaskRepeat

if TYPE_CHECKING:
    from inspect_ai.scorer import Score
    from inspect_ai.solver import TaskState

    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.cli.job import Job

__all__ = ["LogScorer"]


class LogScorer:
    """The evaluation of the answers of a log, with one runner for all of its samples."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._opening = asyncio.Lock()
        self._runner: BenchmarkRunner | None = None
        self._closer: asyncio.Task[None] | None = None
        self._most = asyncio.Semaphore(job.service.eval_parallelism)

    async def score(self, state: TaskState) -> Score | None:
        """Evaluate the answer of a sample again; ``None`` if its generation failed."""
        about: dict[str, object] = state.metadata
        key = TaskRepeat(str(state.sample_id), state.epoch)
        answer = state.output.completion if state.output.choices else ""
        if (found := about.get("generation_status")) is None and not answer:
            return unscored("the log holds no answer", answer, "no_response")
        status = GenerationStatus(str(found or GenerationStatus.SUCCESS))
        if status is GenerationStatus.ERROR:
            return None
        generation = GenerationResult(task_id=key.task_id, status=status, answer=answer)
        unsent = evaluate_without_service(key.task_id, generation)
        async with self._most:
            runner = await self._open()
            redactor = self._job.artifacts.redactor
            if unsent is not None:
                return score_of(runner, unsent, answer, redactor)
            try:
                evaluated = await self._evaluate(runner, key, generation, about)
            except DeadlineExceeded:
                return unscored("not evaluated in time", answer)
            except Exception as error:  # noqa: BLE001 (of the service, or of the author's code)
                return unscored(redactor.clean_text(describe(error)), answer)
            return score_of(runner, evaluated, answer, redactor)

    async def _evaluate(
        self,
        runner: BenchmarkRunner,
        key: TaskRepeat,
        generation: GenerationResult,
        about: dict[str, object],
    ) -> EvalResult:
        if runner.PAYLOAD_TYPE == "artifact":
            generation = self._with_artifact(runner, key, about)
        call = partial(runner.evaluate, key.task_id, generation)
        deadline = self._job.service.eval_deadline(runner.EVALUATION_API)
        return await call_within(runner.evaluate, call, deadline, owner=key)

    def _with_artifact(
        self, runner: BenchmarkRunner, key: TaskRepeat, about: dict[str, object]
    ) -> GenerationResult:
        """Return the generation of a run whose folder holds the file that is the answer."""
        run_dir = Path(str(about.get("run_dir", "")))
        artifacts = RunArtifacts(
            run_dir.parent, run_dir.name, self._job.artifacts.redactor, read_only=True
        )
        runner.run_id = artifacts.run_id
        runner.pin_run(artifacts)
        generation = artifacts.of_repeat(key.repeat).load_generation(key.task_id)
        if generation is None:
            raise UnusableArtifactError(f"the file that is the answer is not in {run_dir}")
        return generation

    async def _open(self) -> BenchmarkRunner:
        async with self._opening:
            if self._runner is None:
                runner, _ = await open_runner(self._job)
                self._runner = runner
                self._closer = asyncio.create_task(_close_at_end(runner))
            return self._runner


async def _close_at_end(runner: BenchmarkRunner) -> None:
    """Close the connections when the event loop ends, as nothing tells of the last sample."""
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await close_connections(runner)
