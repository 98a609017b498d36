"""The evaluation of one generation: call the service, and save the result."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
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
from benchmark_runner._progress.events import EvaluationFinished, EvaluationStarted
from benchmark_runner._run.failure_kinds import classify
from benchmark_runner._run.summary import task_value
from benchmark_runner._scores import is_finite
from benchmark_runner.artifacts.run_folder import EVAL_TRACEBACK_LOG
from benchmark_runner.base import evaluate_without_service
from benchmark_runner.errors import (
    BadResponseError,
    RunnerDefinitionError,
    ServiceError,
    describe,
)
from benchmark_runner.schemas import (
    EvalResult,
    EvalResultData,
    EvalStatus,
    Failure,
    FailureKind,
    Phase,
)

if TYPE_CHECKING:
    from benchmark_runner._concurrency.loop_watch import LoopWatch
    from benchmark_runner._progress.events import Listener
    from benchmark_runner._run.disk_retry import DiskWriter
    from benchmark_runner._run.generate import SavedGeneration
    from benchmark_runner._run.graded_by import GradedBy
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.schemas import GenerationResult


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationStep:
    """Evaluates generations of a run, one at a time.

    Attributes:
        runner: The author's runner.
        artifacts: The files of the run.
        deadline: Time limit in seconds of an evaluation, retries included.
        graded_by: The grader, recorded in each eval.
        local: True if that is the embedded service.
        disk: Writes the results.
        watch: Measures the time lost while the event loop is blocked.
        emit: Receives every event.
    """

    runner: BenchmarkRunner
    artifacts: RunArtifacts
    deadline: float
    graded_by: GradedBy
    local: bool
    disk: DiskWriter
    watch: LoopWatch
    emit: Listener

    async def evaluate(self, task_id: str, saved: SavedGeneration) -> None:
        """Evaluate one generation and save the result, which may be an error.

        Raises:
            ServiceError: every other evaluation would fail in the same way.
            ArtifactError: the result can't be written.
        """
        self.emit(EvaluationStarted(task_id))
        clock = perf_counter()
        result = evaluate_without_service(task_id, saved.generation)
        result = result or await self._call(task_id, saved.generation)
        result = result.model_copy(
            update={
                "task_id": task_id,
                "failure": _failure_of(result),
                "generation_hash": saved.content_hash,
                "service_url": self.graded_by.service_url,
                "evaluation_api": self.graded_by.evaluation_api,
                "service_version": self.graded_by.service_version,
                "local": self.local,
                "duration": perf_counter() - clock,
            }
        )
        await self.disk.write(self.artifacts.save_eval, task_id, result)
        score = self._score_of(result)
        self.emit(EvaluationFinished(task_id, result.status, result.error, score, result.duration))

    async def _call(self, task_id: str, generation: GenerationResult) -> EvalResult:
        call = partial(self.runner.evaluate, task_id, generation)
        not_counted = partial(self.watch.lost_by_others, task_id)
        try:
            with OwnerScope(task_id):
                calling = call_within(self.runner.evaluate, call, self.deadline, not_counted)
                result = cast("object", await calling)
        except CancelledWithResult:
            raise asyncio.CancelledError from None
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            return await self._failed(task_id, error)
        except ServiceError as error:
            if error.stops_evaluation:
                raise
            return _error(task_id, error)
        except DeadlineExceeded:
            return _error(task_id, TimeoutError(f"not evaluated within {self.deadline:g} s"))
        except Exception as error:  # noqa: BLE001 (any error of the author's code is a result)
            return await self._failed(task_id, error)
        return _check(task_id, result)

    async def _failed(self, task_id: str, error: BaseException) -> EvalResult:
        log = self.artifacts.write_traceback
        await self.disk.try_write(log, task_id, EVAL_TRACEBACK_LOG, error)
        return _error(task_id, error)

    def _score_of(self, result: EvalResult) -> float | None:
        try:
            return task_value(self.runner, result)
        except RunnerDefinitionError:
            return None  # The summary raises it again, once nothing is running.


def _check(task_id: str, result: object) -> EvalResult:
    if not isinstance(result, EvalResult):
        kind = type(result).__name__
        return _error(task_id, TypeError(f"evaluate() returned {kind}, not EvalResult"))
    if result.task_id not in ("", task_id):
        other = BadResponseError(f"the grade is that of task {result.task_id!r}")
        return _error(task_id, other)
    # In JSON, a number that is not finite would silently become null.
    found = result.result
    if not is_finite(found.model_dump() if isinstance(found, EvalResultData) else found):
        infinite = BadResponseError("the grade holds a number that is not finite")
        return _error(task_id, infinite)
    return result


def _error(task_id: str, error: BaseException) -> EvalResult:
    return EvalResult(
        task_id=task_id,
        status=EvalStatus.ERROR,
        error=describe(error),
        failure=classify(error, Phase.EVALUATE),
    )


def _failure_of(result: EvalResult) -> Failure | None:
    if result.status is not EvalStatus.ERROR:
        return None
    # An error that an author's evaluate() returned instead of raising it.
    reported = Failure(phase=Phase.EVALUATE, kind=FailureKind.AUTHOR_CODE, retryable=True)
    return result.failure or reported
