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
    def test_each_error_has_its_kind_in_every_phase(
        self, error: BaseException, kind: FailureKind, retryable: bool, phase: Phase
    ) -> None:
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
    def test_each_answer_of_the_service_has_its_kind(
        self, status_code: int, kind: FailureKind, retryable: bool
    ) -> None:
        failure = classify(answered(status_code), Phase.EVALUATE)
        assert (failure.kind, failure.retryable) == (kind, retryable)

    def test_an_error_of_the_frameworks_own_is_never_worth_another_try_as_it_is(self) -> None:
        assert not classify(RunIdentityError("no"), Phase.SCORE).retryable


class TestAttributedTo:
    @pytest.mark.parametrize("kind", [ServiceError, DatasetError, RunnerDefinitionError])
    def test_an_error_of_a_step_says_which(self, kind: type[BenchmarkRunnerError]) -> None:
        with pytest.raises(kind) as caught, attributed_to(Phase.LOAD):
            raise kind("no")
        assert caught.value.phase is Phase.LOAD

    def test_the_innermost_step_is_the_one(self) -> None:
        outer, inner = attributed_to(Phase.SCORE), attributed_to(Phase.LOAD)
        with pytest.raises(DatasetError) as caught, outer, inner:
            raise DatasetError("no")
        assert caught.value.phase is Phase.LOAD

    @pytest.mark.parametrize("kind", [UsageError, RunIdentityError])
    def test_a_command_that_can_not_be_given_so_is_no_failure_of_a_step(
        self, kind: type[BenchmarkRunnerError]
    ) -> None:
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
    def test_it_is_without_the_tasks_own_name(self, error: str, task_id: str, reason: str) -> None:
        assert common_reason(error, task_id) == reason
