"""What kind of failure each error is, and whether another try may help."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner._run.failure_kinds import attributed_to, classify, common_reason
from benchmark_runner.client.status import meaning_of
from benchmark_runner.errors import (
    AuthenticationError,
    BadResponseError,
    DatasetError,
    NotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RejectedRequestError,
    RunIdentityError,
    RunnerDefinitionError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
    UsageError,
)
from benchmark_runner.schemas import Failure, FailureKind, Phase

if TYPE_CHECKING:
    from benchmark_runner.errors import BenchmarkRunnerError


def unavailable(*, timed_out: bool) -> ServiceUnavailableError:
    error = ServiceUnavailableError("no answer", status_code=503)
    error.timed_out = timed_out
    return error


def answered(status_code: int) -> ServiceError:
    return meaning_of(status_code).error("no", status_code=status_code)


class TestClassify:
    @pytest.mark.parametrize("phase", [*Phase])
    @pytest.mark.parametrize(
        ("error", "kind", "retryable"),
        [
            # The author's own code.
            (ValueError("no luck"), FailureKind.AUTHOR_CODE, True),
            (RuntimeError("no luck"), FailureKind.AUTHOR_CODE, True),
            (KeyError("x"), FailureKind.AUTHOR_CODE, True),
            (ConnectionResetError("gone"), FailureKind.AUTHOR_CODE, True),
            (OSError("disk"), FailureKind.AUTHOR_CODE, True),
            (NotImplementedError(), FailureKind.AUTHOR_CODE, False),
            (TypeError("no"), FailureKind.AUTHOR_CODE, False),
            (AttributeError("no"), FailureKind.AUTHOR_CODE, False),
            (NameError("no"), FailureKind.AUTHOR_CODE, False),
            (ModuleNotFoundError("no"), FailureKind.AUTHOR_CODE, False),
            (AssertionError(), FailureKind.AUTHOR_CODE, False),
            (SyntaxError("no"), FailureKind.AUTHOR_CODE, False),
            (DatasetError("no"), FailureKind.AUTHOR_CODE, False),
            (RunnerDefinitionError("no"), FailureKind.AUTHOR_CODE, False),
            (UsageError("no"), FailureKind.AUTHOR_CODE, False),
            # What did not answer in time.
            (TimeoutError(), FailureKind.TIMEOUT, True),
            (TimeoutError("slow model"), FailureKind.TIMEOUT, True),
            (httpx.ReadTimeout("slow"), FailureKind.TIMEOUT, True),
            (httpx.ConnectTimeout("slow"), FailureKind.TIMEOUT, True),
            (type("APITimeoutError", (Exception,), {})(), FailureKind.TIMEOUT, True),
            (type("Slow", (TimeoutError,), {})(), FailureKind.TIMEOUT, True),
            (unavailable(timed_out=True), FailureKind.TIMEOUT, True),
            # The service.
            (unavailable(timed_out=False), FailureKind.SERVICE_UNAVAILABLE, True),
            (AuthenticationError("no"), FailureKind.AUTH, False),
            (PermissionDeniedError("no"), FailureKind.AUTH, False),
            (QuotaExceededError("used"), FailureKind.QUOTA, True),
            (BadResponseError("odd"), FailureKind.BAD_RESPONSE, True),
            (RejectedRequestError("odd"), FailureKind.BAD_RESPONSE, False),
            (NotFoundError("no"), FailureKind.BAD_RESPONSE, False),
            (UnsupportedError("no"), FailureKind.BAD_RESPONSE, False),
            # What was stopped.
            (asyncio.CancelledError(), FailureKind.CANCELLED, True),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
    )
    def test_each_error_has_its_kind(
        self, error: BaseException, kind: FailureKind, retryable: bool, phase: Phase
    ) -> None:
        """Each error has its kind, and may be retried or not, in every phase."""
        assert classify(error, phase) == Failure(phase=phase, kind=kind, retryable=retryable)

    @pytest.mark.parametrize(
        ("status_code", "kind", "retryable"),
        [
            (400, FailureKind.BAD_RESPONSE, False),
            (401, FailureKind.AUTH, False),
            (403, FailureKind.AUTH, False),
            (404, FailureKind.BAD_RESPONSE, False),
            (405, FailureKind.BAD_RESPONSE, False),
            (409, FailureKind.SERVICE_UNAVAILABLE, True),
            (413, FailureKind.BAD_RESPONSE, False),
            (422, FailureKind.BAD_RESPONSE, False),
            (429, FailureKind.SERVICE_UNAVAILABLE, True),
            (500, FailureKind.SERVICE_UNAVAILABLE, True),
            (501, FailureKind.BAD_RESPONSE, False),
            (503, FailureKind.SERVICE_UNAVAILABLE, True),
            (507, FailureKind.SERVICE_UNAVAILABLE, True),
        ],
    )
    def test_each_status_has_its_kind(
        self, status_code: int, kind: FailureKind, retryable: bool
    ) -> None:
        """Each HTTP status of the service has its kind."""
        failure = classify(answered(status_code), Phase.EVALUATE)
        assert (failure.kind, failure.retryable) == (kind, retryable)

    def test_own_error_is_never_retryable(self) -> None:
        """An error of the framework's own is never worth a retry."""
        assert not classify(RunIdentityError("no"), Phase.SCORE).retryable


class TestAttributedTo:
    @pytest.mark.parametrize("kind", [ServiceError, DatasetError, RunnerDefinitionError])
    def test_error_of_a_step_names_it(self, kind: type[BenchmarkRunnerError]) -> None:
        """An error within a step gets its phase."""
        with pytest.raises(kind) as caught, attributed_to(Phase.LOAD):
            raise kind("no")
        assert caught.value.phase is Phase.LOAD

    def test_innermost_step_wins(self) -> None:
        """An error within several steps gets the innermost phase."""
        outer, inner = attributed_to(Phase.SCORE), attributed_to(Phase.LOAD)
        with pytest.raises(DatasetError) as caught, outer, inner:
            raise DatasetError("no")
        assert caught.value.phase is Phase.LOAD

    @pytest.mark.parametrize("kind", [UsageError, RunIdentityError])
    def test_usage_errors_have_no_phase(self, kind: type[BenchmarkRunnerError]) -> None:
        """A usage or identity error gets no phase."""
        with pytest.raises(kind) as caught, attributed_to(Phase.LOAD):
            raise kind("no")
        assert caught.value.phase is None


class TestCommonReason:
    @pytest.mark.parametrize(
        ("error", "task_id", "reason"),
        [
            ("ValueError: no luck", "t1", "ValueError: no luck"),
            ("KeyError: 't1'", "t1", "KeyError: …"),
            ("ValueError: t1 (t1)", "t1", "ValueError: … (…)"),
            ("ValueError: port1 at11", "t1", "ValueError: port1 at11"),
            ("ValueError: a b", "a", "ValueError: a b"),
            ("ValueError: 'a' b", "a", "ValueError: … b"),
            ("ValueError: a.b a-b", "a.b", "ValueError: … a-b"),
            ("", "t1", ""),
        ],
    )
    def test_common_reason_hides_the_task_id(self, error: str, task_id: str, reason: str) -> None:
        """The common reason replaces the task's own id, but not inside a word."""
        assert common_reason(error, task_id) == reason
