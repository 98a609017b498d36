"""The shapes on disk: tasks, generations and evals."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializeAsAny,
    computed_field,
    field_validator,
    model_validator,
)

from benchmark_runner.schemas.ids import SafeId

__all__ = [
    "EvalResult", "EvalResultData", "EvalStatus", "Failure", "FailureKind", "GenerationResult",
    "GenerationStatus", "Phase", "Task", "TokenUsage",
]  # fmt: skip


class Task(BaseModel):
    """One question for the agent.

    Subclass it and set ``TASK_MODEL`` to declare and validate fields of your own. Without
    that, extra fields of the dataset are kept as they are (``task.model_extra["category"]``).
    """

    model_config = ConfigDict(extra="allow")

    id: SafeId
    """Unique in its dataset and usable as a folder name; an integer becomes its digits."""
    question: str
    """The text that ``generate()`` answers."""
    timeout: float | None = None
    """Seconds for this task's generation; beats ``--timeout``; 0 or less means none."""

    @field_validator("id", mode="before")
    @classmethod
    def _number_to_digits(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class GenerationStatus(StrEnum):
    """The outcome of a generation. ``max_time`` and ``max_turns`` are no failures."""

    SUCCESS = "success"
    MAX_TIME = "max_time"
    MAX_TURNS = "max_turns"
    ERROR = "error"


class Phase(StrEnum):
    """The step of a run that a failure belongs to."""

    LOAD = "load"
    GENERATE = "generate"
    EVALUATE = "evaluate"
    SCORE = "score"


class FailureKind(StrEnum):
    """The cause of a failure."""

    AUTHOR_CODE = "author_code"
    """The author's agent, loader, grader or dataset."""
    TIMEOUT = "timeout"
    """Something did not answer in time (a generation at its own limit is ``max_time``)."""
    SERVICE_UNAVAILABLE = "service_unavailable"
    """The service, or in author's code the model's provider, did not answer, reported an internal
    error, or has no capacity."""
    AUTH = "auth"
    """The service, or the provider, rejects the key, or the key lacks permission."""
    QUOTA = "quota"
    """The evaluation quota is used up, or the provider's credit."""
    BAD_RESPONSE = "bad_response"
    """The service sent an unexpected answer."""
    CANCELLED = "cancelled"
    """The step was stopped before its end."""


class Failure(BaseModel):
    """The kind of a failure; the message is in the ``error`` field beside it."""

    phase: Phase
    kind: FailureKind
    retryable: bool
    """True if a retry may succeed."""
    hint: str | None = None
    """The next step for a person, where the framework knows one."""


class TokenUsage(BaseModel):
    """Numbers of tokens by class. ``None`` means unknown, which is not zero."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None


class GenerationResult(BaseModel):
    """The result of ``generate()`` for one task: the content of ``generation.json``.

    ``GenerationResult(answer="42")`` is enough: the framework fills in what it can measure.
    """

    model_config = ConfigDict(populate_by_name=True)

    task_id: str = ""
    status: GenerationStatus = GenerationStatus.SUCCESS
    data: str = ""
    """The response to evaluate; ``answer`` is another name for it on input."""
    question: str | None = None
    model: str | None = None
    total_turns: int | None = None
    error: str | None = None
    """``TypeName: message`` when ``status`` is ``error``."""
    failure: Failure | None = None
    """The kind of that error; filled in by the framework."""
    log_dir: str | None = None
    generation_version: str | None = None
    runner_commit: str | None = None
    """The git commit of the runner's project; filled in by the framework."""
    runner_dirty: bool | None = None
    """True if files of that commit were edited."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None
    """Seconds of wall-clock time spent in ``generate()``."""
    attempts: int | None = None
    """The number of attempts at this task, including this one."""
    usage: TokenUsage | None = None
    cost: float | None = None
    """US dollars; ``None`` means unknown, which is not zero."""
    stop_reason: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Anything else that the author wants to keep."""

    if TYPE_CHECKING:
        # Type checkers see one name for a field of pydantic; ``data`` has two.
        def __init__(
            self,
            *,
            answer: str = "",
            data: str = "",
            task_id: str = "",
            status: GenerationStatus | str = GenerationStatus.SUCCESS,
            question: str | None = None,
            model: str | None = None,
            total_turns: int | None = None,
            error: str | None = None,
            failure: Failure | None = None,
            log_dir: str | None = None,
            generation_version: str | None = None,
            runner_commit: str | None = None,
            runner_dirty: bool | None = None,
            started_at: datetime | None = None,
            ended_at: datetime | None = None,
            duration: float | None = None,
            attempts: int | None = None,
            usage: TokenUsage | None = None,
            cost: float | None = None,
            stop_reason: str | None = None,
            metadata: dict[str, JsonValue] = ...,
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _accept_answer(cls, value: Any) -> Any:  # pydantic hands over the raw input
        if isinstance(value, dict) and "answer" in value:
            fields: dict[str, Any] = {"data": value["answer"], **value}
            del fields["answer"]
            return fields
        return value  # pyright: ignore[reportUnknownVariableType]

    @computed_field
    @property
    def answer(self) -> str:
        """The same as ``data``, under the name in older runs."""
        return self.data


class EvalStatus(StrEnum):
    """The outcome of an evaluation. Only ``error`` and ``generation_error`` are redone."""

    EVALUATED = "evaluated"
    DID_NOT_COMPLETE = "did_not_complete"
    GENERATION_ERROR = "generation_error"
    ERROR = "error"


#: Fields that many graders have, and an older name of each.
_OF_A_GRADER = {
    "pass_percentage": None,
    "weighted_pass_percentage": "pass_percentage_with_weight",
    "eval_version": None,
}


class EvalResultData(BaseModel):
    """A grader's result that is an object: every field as it came, in its order.

    ``pass_percentage``, ``weighted_pass_percentage`` (also under its older name
    ``pass_percentage_with_weight``) and ``eval_version`` are ``None`` if missing. A subclass may
    declare fields of its own, which are then validated.
    """

    model_config = ConfigDict(extra="allow")

    if TYPE_CHECKING:
        pass_percentage: float | None = None
        weighted_pass_percentage: float | None = None
        eval_version: str | None = None
    else:
        # Declared as fields they would be converted, and moved to the front.
        def __getattr__(self, name: str) -> object:
            if name in _OF_A_GRADER and name not in self.model_extra:
                return self.model_extra.get(_OF_A_GRADER[name])
            return super().__getattr__(name)


class EvalResult(BaseModel):
    """The evaluation of one generation: the content of ``eval.json``."""

    task_id: str
    status: EvalStatus
    result: Annotated[
        SerializeAsAny[EvalResultData] | JsonValue, Field(union_mode="left_to_right")
    ] = None
    """The grader's JSON, whatever its type."""
    error: str | None = None
    failure: Failure | None = None
    """The kind of error, if ``status`` is ``error``."""
    errors: list[str] = Field(default_factory=list[str])
    """Errors that a ``/v1`` service reported beside the result."""
    evaluator_version: str | None = None
    service_url: str | None = None
    evaluation_api: str | None = None
    service_version: str | None = None
    """The version in the service's answer to ``/version`` at that time."""
    dataset_version: str | None = None
    """The version of the dataset there, at that time."""
    local: bool | None = None
    """True if the embedded service evaluated it."""
    generation_hash: str | None = None
    """SHA-256 of the ``generation.json`` that was evaluated."""
    duration: float | None = None
    """Seconds of wall-clock time spent in ``evaluate()``."""

    def result_json(self) -> JsonValue:
        """Return the grader's result as plain JSON."""
        if isinstance(self.result, EvalResultData):
            return self.result.model_dump(mode="json")
        return self.result
