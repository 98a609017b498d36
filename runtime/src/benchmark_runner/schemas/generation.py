"""The results of ``generate()``, as they are on disk."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from operator import not_
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    computed_field,
    field_validator,
    model_validator,
)

from benchmark_runner.schemas.failure import Failure

__all__ = ["Artifact", "GenerationResult", "GenerationStatus", "TokenUsage"]


class GenerationStatus(StrEnum):
    """The outcome of a generation. ``max_time`` and ``max_turns`` are no failures."""

    SUCCESS = "success"
    MAX_TIME = "max_time"
    MAX_TURNS = "max_turns"
    ERROR = "error"


class TokenUsage(BaseModel):
    """Numbers of tokens by class. ``None`` means unknown, which is not zero."""

    input: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None


class Artifact(BaseModel):
    """The record of a file that is an answer, which is kept in the task's ``submission/``."""

    filename: str
    size: int
    """Bytes."""
    sha256: str


def _is_no_record(artifact: object) -> bool:
    return not isinstance(artifact, Artifact)


class GenerationResult(BaseModel):
    """The result of ``generate()`` for one task: the content of ``generation.json``.

    ``GenerationResult(answer="42")`` is enough: the framework fills in what it can measure.
    """

    model_config = ConfigDict(populate_by_name=True)

    task_id: str = ""
    status: GenerationStatus = GenerationStatus.SUCCESS
    data: str = ""
    """The response to evaluate; ``answer`` is another name for it on input."""
    # On disk it is a record, and not there at all where an answer is text.
    artifact: Artifact | Path | bytes | None = Field(default=None, exclude_if=_is_no_record)
    """The file to evaluate, where ``PAYLOAD_TYPE`` is ``artifact``: its path or its content."""
    filename: str | None = Field(default=None, exclude=True)
    """The name to keep the file under; that of its path if left out."""
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
    imported: bool = Field(default=False, exclude_if=not_)
    """True if the answer was made elsewhere; filled in by the framework."""
    metadata: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Anything else that the author wants to keep."""

    if TYPE_CHECKING:
        # Type checkers see one name for a field of pydantic; ``data`` has two.
        def __init__(
            self,
            *,
            answer: str = "",
            data: str = "",
            artifact: Artifact | Path | bytes | None = None,
            filename: str | None = None,
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

    @field_validator("artifact", mode="before")
    @classmethod
    def _refuse_what_is_no_file(cls, value: object) -> object:
        if isinstance(value, PathLike):
            return Path(cast("PathLike[str]", value))
        if value is None or isinstance(value, (Artifact, bytes, dict)):
            return value  # pyright: ignore[reportUnknownVariableType]
        msg = f"an artifact is a Path or bytes, not {type(value).__name__}"
        raise ValueError(msg)

    @computed_field
    @property
    def answer(self) -> str:
        """The same as ``data``, under the name in older runs."""
        return self.data
