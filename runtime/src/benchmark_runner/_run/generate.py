"""The generation of one repeat of a task: call the author's agent, and save the result."""

import asyncio
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast

from benchmark_runner._concurrency.deadline import CancelledWithResult, DeadlineExceeded
from benchmark_runner._json import valid_text
from benchmark_runner._progress.events import AnswerMasked, GenerationFinished, GenerationStarted
from benchmark_runner._run.failure_kinds import classify, failure_of
from benchmark_runner._run.kept_artifact import with_kept_artifact
from benchmark_runner._run.plain_data import FieldError, plain
from benchmark_runner._run.step import Step
from benchmark_runner._run.trajectory_figures import with_figures
from benchmark_runner._spend import known_cost, known_tokens
from benchmark_runner._versions import Code
from benchmark_runner.artifacts.run_folder import TIMEOUT_LOG, TRACEBACK_LOG, RunArtifacts
from benchmark_runner.base.current_generation import CurrentGeneration, use_generation
from benchmark_runner.base.tasks import own_copy
from benchmark_runner.errors import CommandError, describe
from benchmark_runner.schemas import (
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    Task,
    TaskRepeat,
)


@dataclass(frozen=True, slots=True)
class SavedGeneration:
    """A generation on disk, with the SHA-256 of its file."""

    generation: GenerationResult
    content_hash: str
    masked: bool = False
    """True if a key in the answer was masked just now."""


@dataclass(frozen=True, slots=True)
class GenerationStep(Step):
    """Generates repeats of tasks, one at a time, each for at most so many ``seconds``."""

    seconds: float = math.inf

    async def generate(self, key: TaskRepeat) -> SavedGeneration:
        """Generate one repeat of a task and save the result, which may be an error.

        The agent gets copies of the task and of the settings.

        Raises:
            ArtifactError: it can't be written.
        """
        runner, artifacts = self.session.runner, self.files_of(key)
        task_id, repeat = key
        task = runner.registered_task(task_id)
        question = task.question
        log_dir, attempt = await self.disk.write(artifacts.prepare_task, task_id)
        self.emit(GenerationStarted(task_id, attempt, repeat))
        use_generation(
            CurrentGeneration(
                task_id, repeat, attempt, artifacts.redactor, durable=artifacts.durable
            )
        )
        started_at, clock = datetime.now(UTC), perf_counter()
        cancelled: CancelledWithResult | None = None
        try:
            result = await self._generate(key, task, log_dir)
        except CancelledWithResult as error:
            if not isinstance(error.result, GenerationResult):
                raise
            result, cancelled = await self._checked(key, error.result), error
        result, masked_file = await with_kept_artifact(
            runner, artifacts, self.disk, task_id, result
        )
        text = valid_text(result.data)
        answer = artifacts.redactor.clean_text(text)
        duration, code = perf_counter() - clock, self.session.request.code or Code()
        generation = result.model_copy(
            update={
                "task_id": task_id,
                # As on disk: neither a secret nor half a surrogate pair is sent to the grader.
                "data": answer,
                "question": question if result.question is None else result.question,
                "model": result.model or self.session.config.model,
                "failure": failure_of(result, Phase.GENERATE),
                "log_dir": result.log_dir or str(log_dir),
                "generation_version": result.generation_version or runner.generation_version,
                "runner_commit": code.commit,
                "runner_dirty": code.dirty,
                "started_at": result.started_at or started_at,
                "ended_at": result.ended_at or datetime.now(UTC),
                "duration": duration if result.duration is None else result.duration,
                "attempts": attempt,
                "imported": False,
            }
        )
        if cancelled is not None and cancelled.is_late:
            await self.disk.write(_keep_late, artifacts, generation, log_dir)
            raise asyncio.CancelledError
        generation, content_hash = await self.disk.write(_save, artifacts, generation, log_dir)
        self.emit(_finished(generation, repeat, duration))
        if masked := masked_file or answer != text:
            self.emit(AnswerMasked(task_id, repeat))
        if cancelled is not None:
            raise asyncio.CancelledError
        return SavedGeneration(generation, content_hash, masked)

    async def _generate(self, key: TaskRepeat, task: Task, log_dir: Path) -> GenerationResult:
        limit = self._limit_of(task)
        generate, session = self.session.runner.generate, self.session
        settings = own_copy(session.llm_config)
        call = partial(generate, task, session.config.model, llm_config=settings, log_dir=log_dir)
        result, error = await self.call(key, generate, call, limit)
        if isinstance(error, DeadlineExceeded):
            wait, write = error.wait, self.files_of(key).write_log
            await self.disk.try_write(write, key.task_id, TIMEOUT_LOG, wait.stack)
            place = f"; it waited in {wait.place}" if wait.place else ""
            return GenerationResult(
                task_id=key.task_id,
                status=GenerationStatus.MAX_TIME,
                error=f"no answer within {limit:g} s{place}",
                stop_reason="max_time",
            )
        return await self._checked(key, result, error)

    def _limit_of(self, task: Task) -> float | None:
        limit = self.session.request.timeout if task.timeout is None else task.timeout
        if math.isinf(self.seconds):
            return limit
        return min(limit, self.seconds) if limit is not None and limit > 0 else self.seconds

    async def _checked(
        self, key: TaskRepeat, result: object, error: BaseException | None = None
    ) -> GenerationResult:
        """Return the result as plain data, or as an error that keeps what is usable of it."""
        usable: dict[str, object] = {}
        if error is None and not isinstance(result, GenerationResult):
            kind = type(result).__name__
            error = TypeError(f"generate() returned {kind}, not GenerationResult")
        elif isinstance(error, CommandError):
            usable = dict(error.result)
        elif error is None:
            try:
                found = plain(cast("GenerationResult", result), GenerationResult, "generate()")
            except FieldError as unusable:
                error, usable = unusable, unusable.usable
            else:
                if found.task_id in ("", key.task_id):
                    return found
                error = ValueError(f"generate() answered for task {found.task_id!r}")
                usable = dict(found)
        await self.log_traceback(key, TRACEBACK_LOG, error)
        about: dict[str, object] = {
            "status": GenerationStatus.ERROR,
            "error": describe(error),
            "failure": classify(error, Phase.GENERATE),
        }
        return GenerationResult.model_validate(usable | about)


# Trajectories are read in the same thread as the generation is written: a second one for each
# task, most of which have none, would take longer than the look.
def _save(
    artifacts: RunArtifacts, generation: GenerationResult, log_dir: Path
) -> tuple[GenerationResult, str]:
    """Save a generation with the figures of its trajectory, and return it and the hash."""
    whole = with_figures(generation, log_dir)
    return whole, artifacts.save_generation(whole.task_id, whole)


def _keep_late(artifacts: RunArtifacts, generation: GenerationResult, log_dir: Path) -> None:
    artifacts.keep_late_generation(generation.task_id, with_figures(generation, log_dir))


def _finished(generation: GenerationResult, repeat: int, duration: float) -> GenerationFinished:
    tokens = known_tokens(generation)
    return GenerationFinished(
        generation.task_id,
        generation.status,
        generation.error,
        round(duration, 3),
        tokens.get("input"),
        tokens.get("output"),
        known_cost(generation),
        repeat,
    )


def note_interruption(artifacts: RunArtifacts, task: Task, model: str) -> None:
    """Save an ``error`` as the generation of an interrupted task, unless it has a generation."""
    if artifacts.load_generation(task.id) is not None:
        return
    interrupted = GenerationResult(
        task_id=task.id,
        status=GenerationStatus.ERROR,
        question=task.question,
        model=model,
        error="Interrupted: stopped by a signal before it was done",
        failure=Failure(phase=Phase.GENERATE, kind=FailureKind.CANCELLED, retryable=True),
        log_dir=str(artifacts.agent_logs_dir(task.id)),
        ended_at=datetime.now(UTC),
    )
    _save(artifacts, interrupted, artifacts.agent_logs_dir(task.id))
