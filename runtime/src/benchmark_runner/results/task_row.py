"""One repeat of a task of a run as a flat row, without its long texts."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType
from typing import get_args, get_type_hints

from pydantic import JsonValue

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.plan import Reason, reason_to_evaluate
from benchmark_runner._scores import finite
from benchmark_runner._spend import known_amount, known_cost, known_count, known_tokens
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.schemas import EvalStatus, FailureKind, GenerationStatus, Phase

__all__ = [
    "COLUMNS", "Cell", "Kind", "TaskRow", "TaskState", "cell_as_json", "make_row", "row_as_json",
    "row_values", "with_time_zone",
]  # fmt: skip

#: A value in a column; ``None`` if unknown or missing.
Cell = str | bool | int | float | datetime | None
#: The type of the values in a column.
Kind = type[str] | type[bool] | type[int] | type[float] | type[datetime]


class TaskState(StrEnum):
    """The state of a task, or of a repeat of it, as people read it; each is in exactly one."""

    SCORED = "scored"
    TIMED_OUT = "timed out"
    OUT_OF_TURNS = "out of turns"
    DID_NOT_COMPLETE = "did not complete"
    """The grader says so of an answer; one that ran out of time or turns has its own state."""
    FAILED_GENERATING = "failed in generation"
    FAILED_GRADING = "failed in grading"
    NOT_GRADED = "not graded yet"
    NOT_GENERATED = "not generated yet"

    @property
    def is_done(self) -> bool:
        """True if the task needs nothing more."""
        return self in _DONE


_DONE = (TaskState.SCORED, TaskState.TIMED_OUT, TaskState.OUT_OF_TURNS, TaskState.DID_NOT_COMPLETE)
_RAN_OUT = {
    GenerationStatus.MAX_TIME: TaskState.TIMED_OUT,
    GenerationStatus.MAX_TURNS: TaskState.OUT_OF_TURNS,
}
_FAILED_IN = {TaskState.FAILED_GENERATING: Phase.GENERATE, TaskState.FAILED_GRADING: Phase.EVALUATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """One repeat of a task of a run. ``None`` means unknown or missing, which is not zero.

    Attributes:
        task_id: The id of the task.
        state: Its state.
        score: Its task score (``task_score()``; 0 if it did not complete).
        generation_status: Status of the generation.
        eval_status: Status of the evaluation, also if that was of another generation.
        phase: The step that failed.
        kind: The kind of failure; ``None`` in older runs.
        error: The error as ``TypeName: message``; may hold text of a model or a service.
        retryable: True if a retry may well succeed.
        hint: Advice on what to do next, if the framework has any.
        total_turns: Number of turns that the agent took.
        input_tokens: Number of input tokens of this attempt.
        output_tokens: Number of output tokens.
        reasoning_tokens: Number of reasoning tokens.
        cache_read_tokens: Number of tokens read from the cache.
        cache_write_tokens: Number of tokens written to the cache.
        cost: Cost of this attempt in US dollars.
        cost_of_earlier_attempts: Known cost of the attempts before in US dollars.
        generation_seconds: Wall-clock time spent in ``generate()``.
        grading_seconds: Wall-clock time spent in ``evaluate()``.
        attempts: Number of attempts.
        started_at: Time this attempt began, with a time zone.
        ended_at: Time this attempt ended, with a time zone.
        model: The model that the generation names.
        graded_by: The grader.
        stale_eval: True if the eval on disk is that of another generation, and so is ignored.
        unreadable: True if one of its files can't be read.
        log_dir: The author's log folder, as it was when the task was generated.
        repeat: The number of the repeat, from 1.
        imported: True if the answer was made elsewhere.
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
    repeat: int = 1
    imported: bool = False


def row_values(row: TaskRow) -> dict[str, Cell]:
    """Return the values of a row by column: those of :data:`COLUMNS`, in that order.

    The grader becomes ``service_url``, ``evaluation_api``, ``service_version``,
    ``evaluator_version`` and ``dataset_version``.
    """
    values: dict[str, Cell] = {}
    for name in _FIELDS:
        value = getattr(row, name)
        if name == "graded_by":
            values |= {part: getattr(value, part, None) for part in _GRADER_FIELDS}
        elif isinstance(value, StrEnum):
            values[name] = str(value)
        else:
            values[name] = finite(value) if isinstance(value, float) else value
    return values


def row_as_json(row: TaskRow) -> dict[str, JsonValue]:
    """Return the same as JSON values: times become ISO 8601 texts."""
    return {name: cell_as_json(value) for name, value in row_values(row).items()}


def cell_as_json(value: Cell) -> JsonValue:
    """Return a value of a column for JSON."""
    return value.isoformat() if isinstance(value, datetime) else value


def _kinds(of: type) -> Iterator[tuple[str, Kind]]:
    """Yield the columns that the fields of a dataclass become."""
    for name, hint in get_type_hints(of).items():
        (kind,) = (each for each in get_args(hint) or (hint,) if each is not NoneType)
        if kind is GradedBy:
            yield from _kinds(kind)
        else:
            yield name, str if issubclass(kind, StrEnum) else kind


_FIELDS = tuple(field.name for field in fields(TaskRow))
_GRADER_FIELDS = tuple(field.name for field in fields(GradedBy))
#: The columns of :func:`row_values`, in their order, with the type of their values.
COLUMNS: dict[str, Kind] = dict(_kinds(TaskRow))


def make_row(task: TaskFiles, score: float | None) -> TaskRow:
    """Return the row of one repeat of a task, whose score is ``score``."""
    generation, result, earlier = task.generation, task.evaluation, task.earlier_generations
    costs = [cost for each in earlier if (cost := known_cost(each)) is not None]
    state = _state_of(task)
    if generation is None:
        return TaskRow(
            task_id=task.task_id,
            repeat=task.key.repeat,
            state=state,
            eval_status=result.status if result else None,
            cost_of_earlier_attempts=sum(costs) if costs else None,
            attempts=len(earlier),
            stale_eval=result is not None,
            unreadable=task.is_unreadable or task.has_unreadable_eval,
        )
    phase = _FAILED_IN.get(state)
    failed = {None: None, Phase.GENERATE: generation, Phase.EVALUATE: result}[phase]
    failure = failed.failure if failed else None
    tokens = known_tokens(generation)
    graded = result is not None and result.status is EvalStatus.EVALUATED
    return TaskRow(
        task_id=task.task_id,
        repeat=task.key.repeat,
        state=state,
        score=score,
        generation_status=generation.status,
        eval_status=result.status if result else None,
        phase=phase,
        kind=failure.kind if failure else None,
        error=failed.error if failed else generation.error,
        retryable=failure.retryable if failure else None,
        hint=failure.hint if failure else None,
        total_turns=known_count(generation.total_turns),
        input_tokens=tokens.get("input"),
        output_tokens=tokens.get("output"),
        reasoning_tokens=tokens.get("reasoning"),
        cache_read_tokens=tokens.get("cache_read"),
        cache_write_tokens=tokens.get("cache_write"),
        cost=known_cost(generation),
        cost_of_earlier_attempts=sum(costs) if costs else None,
        generation_seconds=known_amount(generation.duration),
        grading_seconds=known_amount(result.duration) if result else None,
        attempts=known_count(generation.attempts) or len(earlier) + 1,
        started_at=with_time_zone(generation.started_at),
        ended_at=with_time_zone(generation.ended_at),
        model=generation.model,
        graded_by=GradedBy.of(result) if graded and result is not None else None,
        stale_eval=reason_to_evaluate(task) is Reason.OTHER_GENERATION,
        unreadable=task.has_unreadable_eval,
        log_dir=generation.log_dir,
        imported=generation.imported,
    )


def _state_of(task: TaskFiles) -> TaskState:
    generation, result = task.generation, task.evaluation
    if generation is None:
        return TaskState.NOT_GENERATED
    if generation.status is GenerationStatus.ERROR:
        return TaskState.FAILED_GENERATING
    if result is not None and result.status is EvalStatus.ERROR:
        return TaskState.FAILED_GRADING
    if ran_out := _RAN_OUT.get(generation.status):
        return ran_out
    if result is None or reason_to_evaluate(task):
        return TaskState.NOT_GRADED
    graded = result.status is EvalStatus.EVALUATED
    return TaskState.SCORED if graded else TaskState.DID_NOT_COMPLETE


def with_time_zone(moment: datetime | None) -> datetime | None:
    """Return the time with a time zone, UTC if the author left it out.

    ``None`` for one so near the ends of the calendar that it has no equivalent in UTC.
    """
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment
