"""One task of a run as a flat row: what a person asks of it, without its long texts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.plan import Reason, why_eval_is_owed
from benchmark_runner._scores import finite
from benchmark_runner._spend import known_cost
from benchmark_runner.schemas import EvalStatus, GenerationStatus, Phase, TokenUsage

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.schemas import (
        EvalResult,
        Failure,
        FailureKind,
        GenerationResult,
    )


class TaskState(StrEnum):
    """What has become of a task, in the words that a person reads; each task is in one."""

    SCORED = "scored"
    TIMED_OUT = "timed out"
    OUT_OF_TURNS = "out of turns"
    DID_NOT_COMPLETE = "did not complete"
    """The grader says so of an answer that was given; what ran out says what it ran out of."""
    FAILED_GENERATING = "failed in generation"
    FAILED_GRADING = "failed in grading"
    NOT_GRADED = "not graded yet"
    NOT_GENERATED = "not generated yet"

    @property
    def is_done(self) -> bool:
        """Whether the task needs nothing more."""
        return self in _DONE


_DONE = frozenset(
    {
        TaskState.SCORED,
        TaskState.TIMED_OUT,
        TaskState.OUT_OF_TURNS,
        TaskState.DID_NOT_COMPLETE,
    }
)
_RAN_OUT = {
    GenerationStatus.MAX_TIME: TaskState.TIMED_OUT,
    GenerationStatus.MAX_TURNS: TaskState.OUT_OF_TURNS,
}
_NO_USAGE = TokenUsage()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """How one task stands. ``None`` means not known, or not there, which is not zero.

    Attributes:
        task_id: The task.
        state: What has become of it.
        score: What it counts (``task_score()``; 0 where it did not complete).
        generation_status: How its generation ended.
        eval_status: How its grading ended, also where that was of another generation.
        phase: Which step failed.
        kind: Whose failure it was; ``None`` where an older run does not say.
        error: Why it failed, as ``TypeName: message``; text of a model or a service.
        retryable: Whether doing the same again may well succeed.
        hint: What to do next, where the framework knows.
        total_turns: Turns that the agent took.
        input_tokens: Tokens of this attempt, by class.
        output_tokens: Likewise.
        reasoning_tokens: Likewise.
        cache_read_tokens: Likewise.
        cache_write_tokens: Likewise.
        cost: US dollars of this attempt.
        cost_of_earlier_attempts: US dollars of those before, as far as they are recorded.
        generation_seconds: Wall-clock time spent in ``generate()``.
        grading_seconds: Wall-clock time spent in ``evaluate()``.
        attempts: How many times it was generated.
        started_at: When this attempt began, with a time zone.
        ended_at: When it ended, likewise.
        model: Which model the generation says that it is of.
        graded_by: Who made the grade.
        stale_eval: Whether the grade on disk is that of another generation, and so counts for
            nothing.
        unreadable: Whether one of its files is there and can't be read.
        log_dir: The author's log folder, as it was when the task was generated.
    """

    task_id: str
    state: TaskState
    score: float | None = None
    generation_status: GenerationStatus | None = None
    eval_status: EvalStatus | None = None
    phase: Phase | None = None
    kind: FailureKind | None = None
    error: str | None = None
    retryable: bool | None = None
    hint: str | None = None
    total_turns: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost: float | None = None
    cost_of_earlier_attempts: float | None = None
    generation_seconds: float | None = None
    grading_seconds: float | None = None
    attempts: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    model: str | None = None
    graded_by: GradedBy | None = None
    stale_eval: bool = False
    unreadable: bool = False
    log_dir: str | None = None


def flat(row: TaskRow) -> dict[str, JsonValue]:
    """A row as plain JSON values by name, always the same names in the same order.

    Who graded is taken apart into ``service_url``, ``evaluation_api``, ``service_version`` and
    ``evaluator_version``; moments are ISO 8601 texts.
    """
    plain: dict[str, JsonValue] = {}
    for name in _FIELDS:
        value = getattr(row, name)
        if name == "graded_by":
            plain |= {part: getattr(value, part, None) for part in _GRADER_FIELDS}
        elif isinstance(value, datetime):
            plain[name] = value.isoformat()
        elif isinstance(value, float):
            plain[name] = finite(value)
        else:
            plain[name] = str(value) if isinstance(value, StrEnum) else value
    return plain


_FIELDS = tuple(field.name for field in fields(TaskRow))
_GRADER_FIELDS = tuple(field.name for field in fields(GradedBy))
#: The names of :func:`flat`, in its order.
COLUMNS = tuple(flat(TaskRow(task_id="", state=TaskState.NOT_GENERATED)))


def row_of(task: TaskFiles, score: float | None) -> TaskRow:
    """Make the row of one task.

    Args:
        task: Its files.
        score: What it counts; see :func:`benchmark_runner._run.summary.task_value`.
    """
    generation, result, earlier = task.generation, task.result, task.earlier_generations
    costs = [cost for each in earlier if (cost := known_cost(each)) is not None]
    state = state_of(task)
    if generation is None:
        return TaskRow(
            task_id=task.task_id,
            state=state,
            eval_status=result.status if result else None,
            cost_of_earlier_attempts=sum(costs) if costs else None,
            attempts=len(earlier),
            stale_eval=result is not None,
            unreadable=task.is_unreadable or task.has_unreadable_eval,
        )
    phase, failed, failure = _failure(state, generation, result)
    usage = generation.usage or _NO_USAGE
    graded = result is not None and result.status is EvalStatus.EVALUATED
    return TaskRow(
        task_id=task.task_id,
        state=state,
        score=score,
        generation_status=generation.status,
        eval_status=result.status if result else None,
        phase=phase,
        kind=failure.kind if failure else None,
        error=failed.error if failed else generation.error,
        retryable=failure.retryable if failure else None,
        hint=failure.hint if failure else None,
        total_turns=generation.total_turns,
        input_tokens=usage.input,
        output_tokens=usage.output,
        reasoning_tokens=usage.reasoning,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cost=known_cost(generation),
        cost_of_earlier_attempts=sum(costs) if costs else None,
        generation_seconds=generation.duration,
        grading_seconds=result.duration if result else None,
        attempts=generation.attempts or len(earlier) + 1,
        started_at=aware(generation.started_at),
        ended_at=aware(generation.ended_at),
        model=generation.model,
        graded_by=GradedBy.of(result) if graded and result is not None else None,
        stale_eval=result is not None
        and why_eval_is_owed(result, task.generation_hash) is Reason.OTHER_GENERATION,
        unreadable=task.has_unreadable_eval,
        log_dir=generation.log_dir,
    )


def state_of(task: TaskFiles) -> TaskState:
    """Return the state of a task, as :class:`~benchmark_runner._run.summary.Summariser` counts."""
    generation, result = task.generation, task.result
    if generation is None:
        return TaskState.NOT_GENERATED
    if generation.status is GenerationStatus.ERROR:
        return TaskState.FAILED_GENERATING
    if result is not None and result.status is EvalStatus.ERROR:
        return TaskState.FAILED_GRADING
    if ran_out := _RAN_OUT.get(generation.status):
        return ran_out
    if result is None or why_eval_is_owed(result, task.generation_hash):
        return TaskState.NOT_GRADED
    graded = result.status is EvalStatus.EVALUATED
    return TaskState.SCORED if graded else TaskState.DID_NOT_COMPLETE


def _failure(
    state: TaskState, generation: GenerationResult, result: EvalResult | None
) -> tuple[Phase | None, GenerationResult | EvalResult | None, Failure | None]:
    if state is TaskState.FAILED_GENERATING:
        return Phase.GENERATE, generation, generation.failure
    if state is TaskState.FAILED_GRADING and result is not None:
        return Phase.EVALUATE, result, result.failure
    return None, None, None


def aware(moment: datetime | None) -> datetime | None:
    """``moment`` with a time zone, UTC where an author left it out: others can't be compared."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
