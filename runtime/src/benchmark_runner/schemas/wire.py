"""The shapes on the wire: requests to the benchmark service, and its answers."""

import json
from typing import Annotated, cast

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from benchmark_runner._scores import finite
from benchmark_runner.schemas.evaluation import EvalStatus

__all__ = [
    "DATASET_VERSION_ID", "LONGEST_SELECTOR", "DatasetVersion", "EvaluateResponseRequest",
    "FinalScoreRequest", "FinalScoreResponse", "HealthResponse", "Payload",
    "ResolveDatasetRequest", "ResolveDatasetResponse", "TaskInput", "TaskInputsResponse",
    "TaskListResponse", "UploadUrlRequest", "UploadUrlResponse", "V1EvaluateRequest",
    "V1EvaluateResponse", "V1ScoreRequest", "V1ScoreResponse", "VerifyTaskIdsResponse",
    "VersionResponse",
]  # fmt: skip


def _as_text(value: object) -> object:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)


#: An id, a version or a message: other JSON becomes text, as a grade beside it is paid for.
_Text = Annotated[str, BeforeValidator(_as_text)]

#: The id of a version of a dataset, which a header carries.
DATASET_VERSION_ID = r"^[ -~]{1,1024}$"
#: Characters of what names a version to be found.
LONGEST_SELECTOR = 1024
#: Fields in which a list says that it goes on elsewhere.
_NEXT_PAGE = ("next", "next_page", "next_cursor", "next_page_token", "has_more")
#: The words of a service that is well.
_WELL = frozenset({"ok", "healthy", "up", "pass"})


class EvaluateResponseRequest(BaseModel):
    """Body of ``POST /evaluate-response/``."""

    task_id: str
    response: str
    dataset: str | None = None


class FinalScoreRequest(BaseModel):
    """Body of ``POST /final-score/``; a task without an eval is ``None``, never missing."""

    evaluation_results: dict[str, JsonValue]
    dataset: str | None = None


class FinalScoreResponse(BaseModel):
    """Answer of ``POST /final-score/``."""

    tasks_evaluated: list[_Text] = Field(default_factory=list[str])
    final_score: float
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])

    @field_validator("final_score", mode="before")
    @classmethod
    def _no_bool(cls, value: object) -> object:
        if isinstance(value, bool):
            msg = f"it is {json.dumps(value)}, not a number"
            raise ValueError(msg)  # noqa: TRY004 (which pydantic lets through)
        return value

    @field_validator("final_score")
    @classmethod
    def _finite(cls, value: float) -> float:
        if finite(value) is None:
            msg = f"it is {value}, not a finite number below 1e100"
            raise ValueError(msg)
        return value


class Payload(BaseModel):
    """The response to evaluate, in ``POST /v1/evaluate``."""

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

    run_id: _Text | None = None
    task_id: _Text | None = None
    status: EvalStatus
    evaluator_version: _Text | None = None
    result: JsonValue = None
    errors: list[_Text] = Field(default_factory=list[str])

    @field_validator("errors", mode="before")
    @classmethod
    def _one_error_is_a_list(cls, value: object) -> object:
        errors = cast("list[object]", value) if isinstance(value, list) else [value]
        return [error for error in errors if error is not None]


class V1ScoreRequest(FinalScoreRequest):
    """Body of ``POST /v1/score``."""

    run_id: str


class V1ScoreResponse(FinalScoreResponse):
    """Answer of ``POST /v1/score``."""

    run_id: _Text | None = None


class TaskListResponse(BaseModel):
    """Answer of ``GET /v1/datasets/{dataset}/tasks``."""

    dataset: str | None = None
    dataset_version: _Text | None = None
    tasks: list[dict[str, JsonValue]]

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, answer: dict[str, object]) -> dict[str, object]:
        """Refuse a part of the tasks: its score would pass for that of the dataset."""
        if found := next(filter(answer.get, _NEXT_PAGE), None):
            msg = f"it is one page of a longer list ({found!r}), of which the others are not read"
            raise ValueError(msg)
        return answer


class VerifyTaskIdsResponse(BaseModel):
    """Answer of ``GET /verify-task-ids``."""

    task_ids: list[str]


class HealthResponse(BaseModel):
    """Answer of ``GET /health``."""

    status: str

    @property
    def is_well(self) -> bool:
        """True if the status is one of the usual words of a service that is well."""
        return self.status.strip().lower() in _WELL


class VersionResponse(BaseModel):
    """Answer of ``GET /version``; any field may be null."""

    framework_version: _Text | None = None
    service_name: _Text | None = None
    service_version: _Text | None = None
    dataset_version: _Text | None = None
    eval_mode: _Text | None = None
    dataset_version_selection: JsonValue = Field(
        default=None,
        validation_alias=AliasChoices("dataset_version_selection", "dataset_version_pinning"),
    )
    """True if the service keeps versions of the dataset, of which a run may choose one."""

    @property
    def keeps_versions(self) -> bool:
        """True if a run may choose a version of the dataset."""
        return self.dataset_version_selection is True


class UploadUrlRequest(BaseModel):
    """Body of ``POST /v1/submissions/upload-url``."""

    run_id: str
    task_id: str
    dataset: str | None = None
    filename: str


class UploadUrlResponse(BaseModel):
    """Answer of ``POST /v1/submissions/upload-url``."""

    key: str
    """The name of the file in ``POST /v1/evaluate``."""
    url: str
    """The address to ``PUT`` the file to; whoever has it may write there, so it is a secret."""
    expires_in: float | None = None
    """Seconds for which the address is good."""


class TaskInput(BaseModel):
    """A file that the service has for a task."""

    filename: str
    """The name to ask the service for."""
    dest: str
    """The place of the file, relative to the workspace of the task."""


class TaskInputsResponse(BaseModel):
    """Answer of ``GET /v1/datasets/{dataset}/tasks/{id}/inputs``."""

    inputs: list[TaskInput]


class DatasetVersion(BaseModel):
    """One version of a dataset at the service."""

    id: Annotated[str, Field(pattern=DATASET_VERSION_ID)]
    """The name that the service knows it by."""
    label: Annotated[str, Field(max_length=256)] | None = None
    """The name that people know it by, such as ``1.2.0``."""

    @property
    def name(self) -> str:
        """The label, or the id of a version without one."""
        return self.label or self.id


class ResolveDatasetRequest(BaseModel):
    """Body of ``POST /resolve-dataset``; without a ``version``, the default one is asked for."""

    dataset: str
    version: Annotated[str, Field(max_length=LONGEST_SELECTOR)] | None = None


class ResolveDatasetResponse(BaseModel):
    """Answer of ``POST /resolve-dataset``."""

    dataset: str | None = None
    version: DatasetVersion
