"""The evaluations of generations, as they are on disk."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, SerializeAsAny

from benchmark_runner.schemas.failure import Failure

__all__ = ["EvalResult", "EvalResultData", "EvalState", "EvalStatus"]


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


class EvalState(BaseModel):
    """The state of an evaluation that is under way: the content of ``eval_state.json``."""

    generation_hash: str
    """SHA-256 of the ``generation.json`` that is evaluated; the state counts for no other."""
    service_url: str | None
    dataset_version: str | None = None
    """The id of the dataset's version, where the run is pinned to one."""
    received_at: datetime
    state: dict[str, JsonValue]
    """The content that the service has sent."""

    def continues(self, other: EvalState) -> bool:
        """Return True if both are of one generation, service and version of the dataset."""
        return (self.generation_hash, self.service_url, self.dataset_version) == (
            other.generation_hash,
            other.service_url,
            other.dataset_version,
        )
