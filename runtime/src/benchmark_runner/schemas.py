"""The shapes on the wire and on disk.

Everything here is plain data: it imports nothing of ours, and every field beyond the
minimum is optional, because services and older runs leave fields out.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializeAsAny,
    computed_field,
    field_validator,
    model_validator,
)

from benchmark_runner._scores import finite

#: File systems allow 255 bytes a name; the rest is room for what we append to it.
MAX_ID_BYTES = 200

#: Names that the framework uses itself inside a run folder.
RESERVED_IDS = frozenset(
    {
        ".",
        "..",
        ".lock",
        ".config.lock",
        "run_config.json",
        "final_score.json",
        "events.jsonl",
        "report.html",
    }
)


#: What else the framework makes beside a task's folder: temporary files, files set aside.
_RESERVED_NAME = re.compile(r"\..*\.tmp|[a-z_]+\.json\.corrupt-\d+", re.IGNORECASE)


def safe_path_segment(value: str) -> str:
    """Return ``value`` unchanged if it can name a folder inside the results folder.

    Raises:
        ValueError: it is empty, too long, reserved, or holds a separator, a control
            character or surrounding white space.
    """
    if not value:
        msg = "an id can't be empty"
    elif value.casefold() in RESERVED_IDS or _RESERVED_NAME.fullmatch(value):
        msg = f"the id {value!r} is a name that the framework uses itself"
    elif "/" in value or "\\" in value:
        msg = f"the id {value!r} holds a path separator"
    elif not value.isprintable() or value != value.strip():
        msg = f"the id {value!r} holds a control character or surrounding white space"
    elif len(value.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        msg = f"the id {value[:40]!r}… is longer than {MAX_ID_BYTES} bytes"
    else:
        return value
    raise ValueError(msg)


SafeId = Annotated[str, AfterValidator(safe_path_segment)]


class Task(BaseModel):
    """One question for the agent.

    Subclass it and set ``TASK_MODEL`` to declare and validate fields of your own;
    without that, extra fields of the dataset are kept as they are
    (``task.model_extra["category"]``).
    """

    model_config = ConfigDict(extra="allow")

    id: SafeId
    """Unique in its dataset, and a safe folder name; a whole number becomes its digits."""
    question: str
    """What ``generate()`` is asked."""
    timeout: float | None = None
    """Seconds for this task's generation; beats ``--timeout``; 0 or less means none."""

    @field_validator("id", mode="before")
    @classmethod
    def _number_to_digits(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class GenerationStatus(StrEnum):
    """How a generation ended. ``max_time`` and ``max_turns`` are outcomes, not failures."""

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
    """Whose failure it was, as far as it can be told; each failure has one."""

    AUTHOR_CODE = "author_code"
    """The author's agent, loader, grader or dataset."""
    TIMEOUT = "timeout"
    """Something did not answer in time (a generation's own limit is ``max_time``, no failure)."""
    SERVICE_UNAVAILABLE = "service_unavailable"
    """The service did not answer, or said that it is in trouble or has no capacity."""
    AUTH = "auth"
    """The service does not accept the key, or not for this."""
    QUOTA = "quota"
    """The evaluation quota is used up."""
    BAD_RESPONSE = "bad_response"
    """The service answered, but not with what was asked for."""
    CANCELLED = "cancelled"
    """It was stopped before it was done."""


class Failure(BaseModel):
    """What kind of failure it was; its text is in ``error`` beside it."""

    phase: Phase
    kind: FailureKind
    retryable: bool
    """Whether doing the same again may well succeed."""
    hint: str | None = None
    """What to do next, where the framework knows."""


class TokenUsage(BaseModel):
    """Tokens by class. ``None`` means not known, which is not zero."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None


class GenerationResult(BaseModel):
    """What the agent made of one task: the content of ``generation.json``.

    ``GenerationResult(answer="42")`` is enough: the framework fills what it can measure.
    """

    model_config = ConfigDict(populate_by_name=True)

    task_id: str = ""
    """Filled by the framework when left out."""
    status: GenerationStatus = GenerationStatus.SUCCESS
    data: str = ""
    """The response to be graded; ``answer`` is another name for it on input."""
    question: str | None = None
    model: str | None = None
    total_turns: int | None = None
    error: str | None = None
    """``TypeName: message`` when ``status`` is ``error``."""
    failure: Failure | None = None
    """What kind of failure that was; filled by the framework."""
    log_dir: str | None = None
    generation_version: str | None = None
    runner_commit: str | None = None
    """The git commit of the runner's project; filled by the framework."""
    runner_dirty: bool | None = None
    """Whether files of that commit had been edited."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None
    """Seconds of wall-clock time spent in ``generate()``."""
    attempts: int | None = None
    """How many times this task was generated, this one included."""
    usage: TokenUsage | None = None
    cost: float | None = None
    """US dollars; ``None`` means not known, which is not zero."""
    stop_reason: str | None = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Anything else the author wants to keep."""

    if TYPE_CHECKING:
        # Pydantic tells type checkers of one name a field; this one has two.
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
            fields: dict[str, Any] = {**value}
            answer = fields.pop("answer")
            fields.setdefault("data", answer)
            return fields
        return value  # pyright: ignore[reportUnknownVariableType]

    @computed_field
    @property
    def answer(self) -> str:
        """The same as ``data``, under the name that readers of older runs know."""
        return self.data


class EvalStatus(StrEnum):
    """How a grading ended. Only ``error`` and ``generation_error`` are redone."""

    EVALUATED = "evaluated"
    DID_NOT_COMPLETE = "did_not_complete"
    GENERATION_ERROR = "generation_error"
    ERROR = "error"


class EvalResultData(BaseModel):
    """A grader's result where it is an object: every field as it came, in its order.

    ``pass_percentage`` and ``eval_version`` are ``None`` where the grader gave none. A
    subclass may declare fields of its own, which are then validated.
    """

    model_config = ConfigDict(extra="allow")

    if TYPE_CHECKING:
        pass_percentage: float | None = None
        eval_version: str | None = None
    else:
        # Declared as fields they would be converted, and moved to the front.
        def __getattr__(self, name: str) -> object:
            if name in {"pass_percentage", "eval_version"} and name not in self.model_extra:
                return None
            return super().__getattr__(name)


class EvalResult(BaseModel):
    """The grade of one generation: the content of ``eval.json``."""

    task_id: str
    status: EvalStatus
    result: Annotated[
        SerializeAsAny[EvalResultData] | JsonValue, Field(union_mode="left_to_right")
    ] = None
    """The grader's JSON, whatever its type."""
    error: str | None = None
    failure: Failure | None = None
    """What kind of failure ``status: error`` was."""
    errors: list[str] = Field(default_factory=list[str])
    """What a ``/v1`` service reported beside the result."""
    evaluator_version: str | None = None
    service_url: str | None = None
    evaluation_api: str | None = None
    service_version: str | None = None
    """What the service's ``/version`` said when it graded this."""
    local: bool | None = None
    """Whether the embedded service graded it."""
    generation_hash: str | None = None
    """SHA-256 of the ``generation.json`` that was graded."""
    duration: float | None = None
    """Seconds of wall-clock time spent in ``evaluate()``."""

    def result_json(self) -> JsonValue:
        """The grader's result as plain JSON."""
        if isinstance(self.result, EvalResultData):
            return self.result.model_dump(mode="json")
        return self.result


class ScoreCounts(BaseModel):
    """How the tasks of a run ended. ``attempted`` have a generation of any status."""

    total: int = 0
    attempted: int = 0
    scored: int = 0
    error: int = 0
    max_time: int = 0
    max_turns: int = 0


class ScoreBounds(BaseModel):
    """The mean of all tasks if those without a grade had counted 0, and if they had counted 1."""

    errors_as_0: float
    errors_as_1: float


class ScoreResult(BaseModel):
    """The content of ``final_score.json``."""

    tasks_evaluated: list[str]
    final_score: float
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    complete: bool = False
    """Whether every task of the frozen list has a grade or ran out of time or turns."""
    local: bool | None = None
    """Whether the embedded service made this score."""
    service_url: str | None = None
    mean: float | None = None
    """Mean of the tasks' scores, where tasks have one (see ``BenchmarkRunner.task_score``)."""
    stderr: float | None = None
    """Standard error of ``mean``; ``None`` with fewer than two scored tasks."""
    counts: ScoreCounts | None = None
    bounds: ScoreBounds | None = None
    """Where the mean lies, whatever became of the tasks without a grade; ``None`` where a
    graded task has no score."""
    evals_hash: str | None = None
    """SHA-256 over the evals that were summed: another value on disk makes this score stale."""


class EvaluateResponseRequest(BaseModel):
    """Body of ``POST /evaluate-response/``."""

    task_id: str
    response: str
    dataset: str | None = None


class FinalScoreRequest(BaseModel):
    """Body of ``POST /final-score/``; a task without an eval is ``None``, never left out."""

    evaluation_results: dict[str, JsonValue]
    dataset: str | None = None


class FinalScoreResponse(BaseModel):
    """Answer of ``POST /final-score/``."""

    tasks_evaluated: list[str] = Field(default_factory=list[str])
    final_score: float
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])

    @model_validator(mode="after")
    def _finite(self) -> Self:
        if finite(self.final_score) is None:
            msg = f"final_score is {self.final_score}, not a finite number"
            raise ValueError(msg)
        return self


class Payload(BaseModel):
    """The graded response in ``POST /v1/evaluate``."""

    type: str = "text"
    schema_id: str = Field(alias="schema")
    data: str

    model_config = ConfigDict(populate_by_name=True)


class V1EvaluateRequest(BaseModel):
    """Body of ``POST /v1/evaluate``."""

    run_id: str
    task_id: str
    dataset: str | None = None
    payload: Payload
    versions: dict[str, str] = Field(default_factory=dict[str, str])


class V1EvaluateResponse(BaseModel):
    """Answer of ``POST /v1/evaluate``; a trial tenant gets a reduced one."""

    run_id: str | None = None
    task_id: str | None = None
    status: EvalStatus
    evaluator_version: str | None = None
    result: JsonValue = None
    errors: list[str] = Field(default_factory=list[str])

    @field_validator("errors", mode="before")
    @classmethod
    def _one_error_is_a_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


class V1ScoreRequest(FinalScoreRequest):
    """Body of ``POST /v1/score``."""

    run_id: str


class V1ScoreResponse(FinalScoreResponse):
    """Answer of ``POST /v1/score``."""

    run_id: str | None = None


class TaskListResponse(BaseModel):
    """Answer of ``GET /v1/datasets/{dataset}/tasks``."""

    dataset: str | None = None
    dataset_version: str | None = None
    tasks: list[dict[str, JsonValue]]


class VerifyTaskIdsResponse(BaseModel):
    """Answer of ``GET /verify-task-ids``."""

    task_ids: list[str]


class VersionResponse(BaseModel):
    """Answer of ``GET /version``; any field may be null."""

    framework_version: str | None = None
    service_name: str | None = None
    service_version: str | None = None
    dataset_version: str | None = None
    eval_mode: str | None = None
    dataset_version_selection: bool | None = None
