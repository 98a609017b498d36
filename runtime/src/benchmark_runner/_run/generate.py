"""The generation of one task: call the author's agent, and save the result."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, cast

from benchmark_runner._concurrency.deadline import (
    CancelledWithResult,
    DeadlineExceeded,
    call_within,
    is_cancelled,
)
from benchmark_runner._concurrency.loop_watch import OwnerScope
from benchmark_runner._progress.events import GenerationFinished, GenerationStarted
from benchmark_runner._run.failure_kinds import classify
from benchmark_runner._spend import known_cost
from benchmark_runner.artifacts.run_folder import TRACEBACK_LOG
from benchmark_runner.errors import describe
from benchmark_runner.schemas import (
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
)

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner._concurrency.loop_watch import LoopWatch
    from benchmark_runner._progress.events import Listener
    from benchmark_runner._run.disk_retry import DiskWriter
    from benchmark_runner._versions import Code
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.llm import LLMConfig
    from benchmark_runner.schemas import Task


@dataclass(frozen=True, slots=True)
class SavedGeneration:
    """A generation on disk.

    Attributes:
        generation: Its content.
        content_hash: SHA-256 of its file.
    """

    generation: GenerationResult
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStep:
    """Generates tasks of a run, one at a time.

    Attributes:
        runner: The author's runner.
        artifacts: The files of the run.
        model: The model for ``generate()``.
        llm_config: The sampling and endpoint settings for ``generate()``.
        timeout: Time limit in seconds of a task without one; ``None``, 0 or less means none.
        code: The version of the runner's code.
        disk: Writes the results.
        watch: Measures the time lost while the event loop is blocked.
        emit: Receives every event.
    """

    runner: BenchmarkRunner
    artifacts: RunArtifacts
    model: str
    llm_config: LLMConfig
    timeout: float | None
    code: Code
    disk: DiskWriter
    watch: LoopWatch
    emit: Listener

    async def generate(self, task: Task) -> SavedGeneration:
        """Generate one task and save the result, which may be an error.

        Raises:
            ArtifactError: it can't be written.
        """
        log_dir, attempt = await self.disk.write(self.artifacts.prepare_task, task.id)
        self.emit(GenerationStarted(task.id, attempt))
        started_at, clock = datetime.now(UTC), perf_counter()
        cancelled = False
        try:
            result = await self._call(task, log_dir)
        except CancelledWithResult as late:
            if not isinstance(late.result, GenerationResult):
                raise asyncio.CancelledError from None
            result, cancelled = late.result, True
        duration = perf_counter() - clock
        generation = result.model_copy(
            update={
                "task_id": task.id,
                # As on disk: no secret in an answer is sent to the grader.
                "data": self.artifacts.redactor.clean_text(result.data),
                "question": task.question if result.question is None else result.question,
                "model": result.model or self.model,
                "failure": _failure_of(result),
                "log_dir": result.log_dir or str(log_dir),
                "generation_version": result.generation_version or self.runner.generation_version,
                "runner_commit": self.code.commit,
                "runner_dirty": self.code.dirty,
                "started_at": result.started_at or started_at,
                "ended_at": result.ended_at or datetime.now(UTC),
                "duration": duration if result.duration is None else result.duration,
                "attempts": attempt,
            }
        )
        content_hash = await self.disk.write(self.artifacts.save_generation, task.id, generation)
        self.emit(_finished(generation, duration))
        if cancelled:
            raise asyncio.CancelledError
        return SavedGeneration(generation, content_hash)

    async def _call(self, task: Task, log_dir: Path) -> GenerationResult:
        limit = self.timeout if task.timeout is None else task.timeout
        call = partial(
            self.runner.generate, task, self.model, llm_config=self.llm_config, log_dir=log_dir
        )
        not_counted = partial(self.watch.lost_by_others, task.id)
        try:
            with OwnerScope(task.id):
                calling = call_within(self.runner.generate, call, limit, not_counted)
                result = cast("object", await calling)
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
            if is_cancelled():
                raise
            # The author's code cancelled itself.
            return await self._failed(task.id, error)
        except Exception as error:  # noqa: BLE001 (any error of the author's code is a result)
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
        log = self.artifacts.write_traceback
        await self.disk.try_write(log, task_id, TRACEBACK_LOG, error)
        return GenerationResult(
            task_id=task_id,
            status=GenerationStatus.ERROR,
            error=describe(error),
            failure=classify(error, Phase.GENERATE),
        )


def _finished(generation: GenerationResult, duration: float) -> GenerationFinished:
    usage = generation.usage
    return GenerationFinished(
        generation.task_id,
        generation.status,
        generation.error,
        round(duration, 3),
        usage.input if usage is not None else None,
        usage.output if usage is not None else None,
        known_cost(generation),
    )


def note_interruption(artifacts: RunArtifacts, task_id: str, question: str, model: str) -> None:
    """Save an ``error`` as the generation of a task that was interrupted.

    An existing generation stays.
    """
    if artifacts.load_generation(task_id) is not None:
        return
    interrupted = GenerationResult(
        task_id=task_id,
        status=GenerationStatus.ERROR,
        question=question,
        model=model,
        error="Interrupted: stopped by a signal before it was done",
        failure=Failure(phase=Phase.GENERATE, kind=FailureKind.CANCELLED, retryable=True),
        log_dir=str(artifacts.agent_logs_dir(task_id)),
        ended_at=datetime.now(UTC),
    )
    artifacts.save_generation(task_id, interrupted)


def _failure_of(result: GenerationResult) -> Failure | None:
    if result.status is not GenerationStatus.ERROR:
        return None
    # An error that the author's code returned instead of raising it.
    reported = Failure(phase=Phase.GENERATE, kind=FailureKind.AUTHOR_CODE, retryable=True)
    return result.failure or reported
