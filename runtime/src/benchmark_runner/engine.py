"""Carry out a plan: bounded workers generate, others have the results graded.

Generating and grading are limited separately, so that neither waits for the other. What is
finished is on disk before anybody hears of it; what waits is a task id and no more.
"""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar, cast

from benchmark_runner.artifacts import EVAL_TRACEBACK_LOG, TRACEBACK_LOG
from benchmark_runner.base import evaluate_without_service
from benchmark_runner.errors import RunnerDefinitionError, ServiceError, describe
from benchmark_runner.events import (
    EvaluationFinished,
    EvaluationStarted,
    EvaluationStopped,
    GenerationFinished,
    GenerationStarted,
)
from benchmark_runner.invocation import CancelledWithResult, DeadlineExceeded, call_within
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, GenerationStatus
from benchmark_runner.summary import task_value
from benchmark_runner.threads import beside_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.events import Listener
    from benchmark_runner.llm import LLMConfig
    from benchmark_runner.planning import GradedBy, Plan
    from benchmark_runner.schemas import Task

ResultT = TypeVar("ResultT")

#: Seconds that a write under way gets when the run is stopped.
_DISK_GRACE = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """How to carry out a plan.

    Attributes:
        model: What ``generate()`` is told to use.
        llm_config: Sampling and endpoint settings for ``generate()``.
        parallelism: The most generations at a time.
        eval_parallelism: The most gradings at a time.
        timeout: Seconds a generation may take where its task does not say; ``None`` or 0 or
            less means no limit.
        eval_deadline: Seconds after which a grading is given up, its retries included.
        skip_eval: Whether to leave the generations ungraded.
        graded_by: Who grades, as recorded in each eval.
        local: Whether that is the embedded service.
    """

    model: str
    llm_config: LLMConfig
    parallelism: int
    eval_parallelism: int
    timeout: float | None
    eval_deadline: float
    skip_eval: bool
    graded_by: GradedBy
    local: bool


@dataclass(frozen=True, slots=True)
class _Generated:
    generation: GenerationResult
    content_hash: str


class Engine:
    """Carries out plans for one run.

    Args:
        runner: The author's runner, its tasks registered and its client set.
        artifacts: The files of the run.
        settings: How to do it.
        listener: Is told of every step, in the event loop's thread.
    """

    def __init__(
        self,
        runner: BenchmarkRunner,
        artifacts: RunArtifacts,
        settings: EngineSettings,
        listener: Listener,
    ) -> None:
        self._runner = runner
        self._artifacts = artifacts
        self._settings = settings
        self._emit = listener
        self._tasks = {task.id: task for task in runner.get_tasks()}
        self._stopped_by: ServiceError | None = None
        # Fresh generations travel to the graders in memory, up to a bound; the rest is read
        # from disk again, so that slow grading costs no memory.
        self._fresh: dict[str, _Generated] = {}
        self._fresh_limit = 2 * (settings.parallelism + settings.eval_parallelism)

    async def carry_out(self, plan: Plan) -> ServiceError | None:
        """Generate and grade what the plan says is owed.

        Returns:
            The error that made further grading pointless, if there was one. Generations that
            were running then are on disk; the rest is still owed.

        Raises:
            ArtifactError: the disk refuses to keep a result.
        """
        to_generate = iter(plan.generate)
        to_evaluate: asyncio.Queue[str | None] = asyncio.Queue()
        if not self._settings.skip_eval:
            for task_id in plan.evaluate:
                to_evaluate.put_nowait(task_id)
        graders = 0 if self._settings.skip_eval else self._settings.eval_parallelism
        owed = len(plan.generate) + len(plan.evaluate)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(graders, owed)):
                    group.create_task(self._evaluate_from(to_evaluate))
                async with asyncio.TaskGroup() as generators:
                    for _ in range(min(self._settings.parallelism, len(plan.generate))):
                        generators.create_task(self._generate_from(to_generate, to_evaluate))
                for _ in range(graders):
                    to_evaluate.put_nowait(None)
        except BaseExceptionGroup as errors:
            raise _first_of(errors) from None
        return self._stopped_by

    async def _generate_from(
        self, task_ids: Iterator[str], to_evaluate: asyncio.Queue[str | None]
    ) -> None:
        for task_id in task_ids:
            generated = await self._generate(self._tasks[task_id])
            if not self._settings.skip_eval:
                if len(self._fresh) < self._fresh_limit:
                    self._fresh[task_id] = generated
                to_evaluate.put_nowait(task_id)
            if self._stopped_by is not None:
                return

    async def _generate(self, task: Task) -> _Generated:
        log_dir, attempt = await self._on_disk(self._artifacts.prepare_task, task.id)
        self._emit(GenerationStarted(task.id))
        started_at = datetime.now(UTC)
        clock = perf_counter()
        cancelled = False
        try:
            result = await self._call_generate(task, log_dir)
        except CancelledWithResult as late:
            if not isinstance(late.result, GenerationResult):
                raise asyncio.CancelledError from None
            result, cancelled = late.result, True
        duration = perf_counter() - clock
        generation = result.model_copy(
            update={
                "task_id": task.id,
                "question": task.question if result.question is None else result.question,
                "model": result.model or self._settings.model,
                "log_dir": result.log_dir or str(log_dir),
                "generation_version": result.generation_version or self._runner.generation_version,
                "started_at": result.started_at or started_at,
                "ended_at": result.ended_at or datetime.now(UTC),
                "duration": duration if result.duration is None else result.duration,
                "attempts": attempt,
            }
        )
        content_hash = await self._on_disk(self._artifacts.save_generation, task.id, generation)
        self._emit(GenerationFinished(task.id, generation.status, generation.error, duration))
        if cancelled:
            raise asyncio.CancelledError
        return _Generated(generation, content_hash)

    async def _call_generate(self, task: Task, log_dir: Path) -> GenerationResult:
        settings = self._settings
        limit = settings.timeout if task.timeout is None else task.timeout
        call = partial(
            self._runner.generate,
            task,
            settings.model,
            llm_config=settings.llm_config,
            log_dir=log_dir,
        )
        try:
            result = cast("object", await call_within(self._runner.generate, call, limit))
        except DeadlineExceeded:
            return GenerationResult(
                task_id=task.id,
                status=GenerationStatus.MAX_TIME,
                error=f"no answer within {limit:g} s",
                stop_reason="max_time",
            )
        except CancelledWithResult:
            raise
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            # The author's own code cancelled itself: that is this task's failure.
            return await self._failed(task.id, error)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is this task's result)
            return await self._failed(task.id, error)
        if not isinstance(result, GenerationResult):
            returned = TypeError(
                f"generate() returned {type(result).__name__}, not GenerationResult"
            )
            return await self._failed(task.id, returned)
        if result.task_id not in ("", task.id):
            mixed = ValueError(f"generate() answered for task {result.task_id!r}")
            return await self._failed(task.id, mixed)
        return result

    async def _failed(self, task_id: str, error: BaseException) -> GenerationResult:
        await self._on_disk(self._artifacts.write_log, task_id, TRACEBACK_LOG, _traceback_of(error))
        return GenerationResult(
            task_id=task_id, status=GenerationStatus.ERROR, error=describe(error)
        )

    async def _evaluate_from(self, task_ids: asyncio.Queue[str | None]) -> None:
        while (task_id := await task_ids.get()) is not None:
            generated = self._fresh.pop(task_id, None)
            if self._stopped_by is None:
                generated = generated or await self._on_disk(self._read_generated, task_id)
                if generated is not None:
                    await self._evaluate(task_id, generated)

    def _read_generated(self, task_id: str) -> _Generated | None:
        generation, content_hash = self._artifacts.load_generation_and_hash(task_id)
        if generation is None or content_hash is None:
            return None
        return _Generated(generation, content_hash)

    async def _evaluate(self, task_id: str, generated: _Generated) -> None:
        self._emit(EvaluationStarted(task_id))
        clock = perf_counter()
        result = evaluate_without_service(task_id, generated.generation)
        result = result or await self._call_evaluate(task_id, generated.generation)
        if result is None:
            return
        graded_by = self._settings.graded_by
        result = result.model_copy(
            update={
                "task_id": task_id,
                "generation_hash": generated.content_hash,
                "service_url": graded_by.service_url,
                "evaluation_api": graded_by.evaluation_api,
                "service_version": graded_by.service_version,
                "local": self._settings.local,
                "duration": perf_counter() - clock,
            }
        )
        await self._on_disk(self._artifacts.save_eval, task_id, result)
        self._emit(EvaluationFinished(task_id, result.status, result.error, self._score_of(result)))

    async def _call_evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult | None:
        call = partial(self._runner.evaluate, task_id, generation)
        try:
            result = cast(
                "object",
                await call_within(self._runner.evaluate, call, self._settings.eval_deadline),
            )
        except CancelledWithResult:
            raise asyncio.CancelledError from None
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            return await self._ungraded(task_id, error)
        except ServiceError as error:
            if error.stops_evaluation:
                self._stopped_by = self._stopped_by or error
                self._emit(EvaluationStopped(task_id, error))
                return None
            reason = describe(error)
        except DeadlineExceeded:
            reason = f"TimeoutError: not graded within {self._settings.eval_deadline:g} s"
        except Exception as error:  # noqa: BLE001 (whatever it is, it is this task's eval)
            return await self._ungraded(task_id, error)
        else:
            if isinstance(result, EvalResult):
                return result
            reason = f"TypeError: evaluate() returned {type(result).__name__}, not EvalResult"
        return EvalResult(task_id=task_id, status=EvalStatus.ERROR, error=reason)

    async def _ungraded(self, task_id: str, error: BaseException) -> EvalResult:
        await self._on_disk(
            self._artifacts.write_log, task_id, EVAL_TRACEBACK_LOG, _traceback_of(error)
        )
        return EvalResult(task_id=task_id, status=EvalStatus.ERROR, error=describe(error))

    async def _on_disk(self, function: Callable[..., ResultT], *arguments: object) -> ResultT:
        """Call ``function`` in a thread; a cancellation waits until the disk has it."""
        job = asyncio.ensure_future(beside_loop(function, *arguments))
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            await asyncio.wait({job}, timeout=_DISK_GRACE)
            raise

    def _score_of(self, result: EvalResult) -> float | None:
        try:
            return task_value(self._runner, result)
        except RunnerDefinitionError:
            return None  # The summary raises it, when nothing is running any more.


def _is_cancelled() -> bool:
    """Whether it is this task that somebody wants to end."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _traceback_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _first_of(cast("BaseExceptionGroup[BaseException]", first))
    return first
