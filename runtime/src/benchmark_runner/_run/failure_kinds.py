"""The kinds of failures, told apart once, where an error is caught."""

import asyncio
import re
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus

from benchmark_runner._run.provider_status import provider_status
from benchmark_runner.client.status import is_final, meaning_of
from benchmark_runner.errors import (
    AuthenticationError,
    BenchmarkRunnerError,
    CommandError,
    DatasetError,
    GraderError,
    PermissionDeniedError,
    QuotaExceededError,
    RunnerDefinitionError,
    ServiceError,
    ServiceUnavailableError,
    UnusableArtifactError,
    describe,
)
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
)

#: Programming errors: a retry ends the same way.
_PROGRAMMING_ERRORS = (
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
    NotImplementedError,
    SyntaxError,
    TypeError,
)
_PROGRAMMING_ERROR_NAMES = frozenset(error.__name__ for error in _PROGRAMMING_ERRORS)


def classify(error: BaseException, phase: Phase) -> Failure:
    """Return the kind of failure that ``error`` is, and whether a retry may succeed."""
    kind = FailureKind.AUTHOR_CODE
    retryable = not isinstance(error, _PROGRAMMING_ERRORS)
    match error:
        case AuthenticationError() | PermissionDeniedError():
            kind, retryable = FailureKind.AUTH, False
        case QuotaExceededError():
            kind = FailureKind.QUOTA
        case ServiceUnavailableError(timed_out=True):
            kind = FailureKind.TIMEOUT
        case ServiceUnavailableError():
            kind = FailureKind.SERVICE_UNAVAILABLE
        case GraderError():
            retryable = (error.detail or "").partition(":")[0] not in _PROGRAMMING_ERROR_NAMES
        case ServiceError():
            kind, retryable = FailureKind.BAD_RESPONSE, not is_final(error)
        case BenchmarkRunnerError():  # another attempt of the agent makes another file
            is_of_agent = isinstance(error, (CommandError, UnusableArtifactError))
            retryable = is_of_agent and phase is Phase.GENERATE
        case asyncio.CancelledError():
            kind = FailureKind.CANCELLED
        # HTTP libraries have classes of their own for it.
        case _ if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
            kind, retryable = FailureKind.TIMEOUT, True
        case _:
            kind, retryable = _kind_of_provider(error) or (kind, retryable)
    hint = error.hint if isinstance(error, BenchmarkRunnerError) else None
    return Failure(phase=phase, kind=kind, retryable=retryable, hint=hint)


def _kind_of_provider(error: BaseException) -> tuple[FailureKind, bool] | None:
    """Return the kind of an answer of a model's provider; ``None`` for the author's own errors."""
    status = provider_status(error, describe(error))
    if status is None:
        return None
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return FailureKind.QUOTA, True
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT):
        return FailureKind.TIMEOUT, True
    kind = meaning_of(status).error
    if issubclass(kind, (AuthenticationError, PermissionDeniedError)):
        return FailureKind.AUTH, False
    if issubclass(kind, ServiceUnavailableError):
        return FailureKind.SERVICE_UNAVAILABLE, True
    return None


def failure_of(result: GenerationResult | EvalResult, phase: Phase) -> Failure | None:
    """Return the failure of a result: the one it has, or that of an author who returned an error.

    ``None`` for a result that is no error.
    """
    if result.status not in (GenerationStatus.ERROR, EvalStatus.ERROR):
        return None
    reported = Failure(phase=phase, kind=FailureKind.AUTHOR_CODE, retryable=True)
    return result.failure or reported


@contextmanager
def attributed_to(phase: Phase) -> Generator[None]:
    """Record the phase of the run in an error that ends the command."""
    try:
        yield
    except (ServiceError, DatasetError, RunnerDefinitionError) as error:
        error.phase = error.phase or phase
        raise


def common_reason(error: str, task_id: str) -> str:
    """Return ``error`` without the task's id, so that equal errors of many tasks compare equal."""
    # A bare short id may be any word.
    bare = rf"|(?<!\w){re.escape(task_id)}(?!\w)" if len(task_id) > 1 else ""
    return re.sub(re.escape(repr(task_id)) + bare, "…", error)
