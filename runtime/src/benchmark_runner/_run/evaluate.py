"""The evaluation of one generation: call the service, and save the result."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import perf_counter

from benchmark_runner._concurrency.deadline import DeadlineExceeded
from benchmark_runner._progress.events import EvaluationFinished, EvaluationStarted
from benchmark_runner._run.eval_journal import EvalJournal, Progress
from benchmark_runner._run.failure_kinds import classify, failure_of
from benchmark_runner._run.generate import SavedGeneration
from benchmark_runner._run.graded_by import CommandGrader
from benchmark_runner._run.plain_data import FieldError, plain
from benchmark_runner._run.question import Question
from benchmark_runner._run.step import Step
from benchmark_runner._run.task_value import task_value
from benchmark_runner._scores import is_finite
from benchmark_runner.artifacts.run_folder import EVAL_TRACEBACK_LOG
from benchmark_runner.base.current_journal import use_journal
from benchmark_runner.base.evaluation import evaluate_without_service
from benchmark_runner.errors import (
    ArtifactError,
    BadResponseError,
    RunnerDefinitionError,
    ServiceError,
    UnusableArtifactError,
    describe,
)
from benchmark_runner.schemas import (
    Artifact,
    EvalResult,
    EvalResultData,
    EvalState,
    EvalStatus,
    GenerationResult,
    Phase,
    TaskRepeat,
)


@dataclass(frozen=True, slots=True)
class EvaluationStep(Step):
    """Evaluates generations of a run, one at a time, each within ``deadline`` seconds.

    A file that is uploaded has time of its own besides. ``note_grade`` is called with what has a
    grade; the run's ``question`` gets its score.
    """

    deadline: float
    grader: CommandGrader
    note_grade: Callable[[TaskRepeat], None]
    question: Question | None = None

    async def evaluate(self, key: TaskRepeat, saved: SavedGeneration) -> EvalResult:
        """Evaluate one generation and save the result, which may be an error.

        Raises:
            ServiceError: every other evaluation would fail in the same way.
            ArtifactError: the result can't be written.
        """
        task_id, repeat = key
        artifacts = self.files_of(key)
        self.emit(EvaluationStarted(task_id, repeat))
        clock = perf_counter()
        result = evaluate_without_service(task_id, saved.generation)
        if result is None:
            evaluate = self._continue if self._has_state else self._evaluate
            result = await evaluate(key, saved)
        noted = result.dataset_version if self._has_state else None
        result = result.model_copy(
            update={
                "task_id": task_id,
                "failure": failure_of(result, Phase.EVALUATE),
                "generation_hash": saved.content_hash,
                "service_url": self.grader.by.service_url,
                "evaluation_api": self.grader.by.evaluation_api,
                "service_version": self.grader.by.service_version,
                "dataset_version": self.grader.by.dataset_version or noted,
                "local": self.grader.local,
                "duration": perf_counter() - clock,
            }
        )
        await self.disk.write(artifacts.save_eval, task_id, result)
        if result.status is EvalStatus.EVALUATED:
            if self._has_state:
                await self.disk.try_write(artifacts.remove_eval_state, task_id)
            self.note_grade(key)
        score = self._score_of(result)
        if self.question is not None:
            self.question.add(key, score, graded=result.status is EvalStatus.EVALUATED)
        self.emit(
            EvaluationFinished(task_id, result.status, result.error, score, result.duration, repeat)
        )
        return result

    @property
    def _has_state(self) -> bool:
        return self.session.runner.EVALUATION_API == "websocket"

    async def _continue(self, key: TaskRepeat, saved: SavedGeneration) -> EvalResult:
        """Evaluate from the state of an earlier evaluation, if there is one."""
        pinned = self.session.runner.service.pinned
        like = EvalState(
            generation_hash=saved.content_hash,
            service_url=self.grader.by.service_url,
            dataset_version=pinned.id if pinned is not None else None,
            received_at=datetime.now(UTC),
            state={},
        )
        progress = Progress(key, self.emit)
        journal = EvalJournal(key.task_id, like, self.files_of(key), self.disk, progress)
        use_journal(key.task_id, saved.generation.data, journal)
        try:
            return await self._evaluate(key, saved)
        finally:
            progress.end()

    async def _evaluate(self, key: TaskRepeat, saved: SavedGeneration) -> EvalResult:
        task_id = key.task_id
        generation, evaluate = saved.generation, self.session.runner.evaluate
        call = partial(evaluate, task_id, generation)
        limit = self._limit_of(generation)
        result, error = await self.call(key, evaluate, call, limit)
        match error:
            case None:
                return _check(task_id, result)
            case ServiceError():
                if error.stops_evaluation:
                    raise error
            case UnusableArtifactError() | ArtifactError():
                pass
            case DeadlineExceeded():
                longer = "; --eval-total-timeout gives it longer" if self._has_state else ""
                error = TimeoutError(f"not evaluated within {limit:g} s{longer}")
            case _:
                await self.log_traceback(key, EVAL_TRACEBACK_LOG, error)
        return _error(task_id, error)

    def _limit_of(self, generation: GenerationResult) -> float:
        """Return the deadline, with the time that the upload of a file may take."""
        if not isinstance(generation.artifact, Artifact) or self.deadline <= 0:
            return self.deadline
        from benchmark_runner.client.upload import time_limit

        return self.deadline + time_limit(generation.artifact.size)

    def _score_of(self, result: EvalResult) -> float | None:
        try:
            return task_value(self.session.runner, result)
        except RunnerDefinitionError:
            return None  # The summary raises it again, once nothing is running.


def _check(task_id: str, result: object) -> EvalResult:
    if not isinstance(result, EvalResult):
        kind = type(result).__name__
        return _error(task_id, TypeError(f"evaluate() returned {kind}, not EvalResult"))
    try:
        result = plain(result, EvalResult, "evaluate()")
    except FieldError as unusable:
        about = dict(_error(task_id, unusable))
        return EvalResult.model_validate({**about, "result": unusable.usable.get("result")})
    if result.task_id not in ("", task_id):
        return _error(task_id, BadResponseError(f"the grade is that of task {result.task_id!r}"))
    # In JSON, a number that is not finite would silently become null.
    found = result.result
    if not is_finite(found.model_dump() if isinstance(found, EvalResultData) else found):
        return _error(task_id, BadResponseError("the grade holds a number that is not finite"))
    return result


def _error(task_id: str, error: BaseException) -> EvalResult:
    return EvalResult(
        task_id=task_id,
        status=EvalStatus.ERROR,
        error=describe(error),
        failure=classify(error, Phase.EVALUATE),
    )
