"""The kinds of failures."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel

__all__ = ["Failure", "FailureKind", "Phase"]


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
