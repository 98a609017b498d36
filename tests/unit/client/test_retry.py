from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from benchmark_runner.client.retry import (
    RetryNotice,
    RetryPolicy,
    TransientError,
    call_with_retries,
    error_class,
    retry_advice,
)
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceUnavailableError,
    UnsupportedError,
    UsageError,
)

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DATE = {"date": format_datetime(NOW, usegmt=True)}


class Failing:
    """An operation that fails some times, then succeeds."""

    def __init__(self, failures: int, **what: object) -> None:
        self.left = failures
        self.calls = 0
        self.what = what

    async def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise TransientError("busy", **self.what)
        return "done"


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for; none of them takes time."""
    asked: list[float] = []

    async def note(seconds: float) -> None:
        asked.append(seconds)

    # Only there: a server of another test may be asleep in a thread of its own.
    monkeypatch.setattr("benchmark_runner.client.retry.rest", note)
    return asked


class TestCallWithRetries:
    async def test_a_success_is_returned_without_a_wait(self, waits: list[float]) -> None:
        assert await call_with_retries(Failing(0), RetryPolicy()) == "done"
        assert waits == []

    async def test_a_failure_that_heals_is_tried_again(self, waits: list[float]) -> None:
        operation = Failing(2)
        assert await call_with_retries(operation, RetryPolicy()) == "done"
        assert operation.calls == 3
        assert len(waits) == 2

    async def test_the_attempts_are_bounded_and_counted(self, waits: list[float]) -> None:
        operation = Failing(99)
        with pytest.raises(TransientError) as caught:
            await call_with_retries(operation, RetryPolicy(attempts=4))
        assert operation.calls == caught.value.attempts == 4

    async def test_one_attempt_means_no_retry(self, waits: list[float]) -> None:
        with pytest.raises(TransientError):
            await call_with_retries(Failing(1), RetryPolicy(attempts=1))
        assert waits == []

    async def test_a_grading_that_is_under_way_is_waited_for_beyond_the_attempts(
        self, waits: list[float]
    ) -> None:
        operation = Failing(20, status_code=409)
        assert await call_with_retries(operation, RetryPolicy(attempts=4)) == "done"
        assert operation.calls == 21

    async def test_a_grading_that_stays_under_way_ends_with_the_total_time(self) -> None:
        operation = Failing(10**9, status_code=409)
        policy = RetryPolicy(attempts=4, first_wait=0.001, max_wait=0.001, total_time=0.05)
        with pytest.raises(TransientError):
            await call_with_retries(operation, policy)
        assert operation.calls > 4

    async def test_waits_are_drawn_from_zero_up_to_a_doubling_bound(
        self, waits: list[float]
    ) -> None:
        policy = RetryPolicy(attempts=8, first_wait=1, max_wait=10, total_time=1000)
        for _ in range(50):
            with pytest.raises(TransientError):
                await call_with_retries(Failing(99), policy)
        bounds = [1, 2, 4, 8, 10, 10, 10]
        for position, bound in enumerate(bounds):
            drawn = waits[position :: len(bounds)]
            assert all(0 <= wait <= bound for wait in drawn)
            assert max(drawn) > bound / 2 > min(drawn)

    async def test_a_wait_that_would_overrun_the_total_time_ends_the_retrying(
        self, waits: list[float]
    ) -> None:
        operation = Failing(99, retry_after=60)
        began = time.monotonic()
        with pytest.raises(TransientError):
            await call_with_retries(operation, RetryPolicy(total_time=30))
        assert operation.calls == 1
        assert waits == []
        assert time.monotonic() - began < 5

    async def test_the_total_time_counts_from_the_first_failure(self) -> None:
        slow = 0.2

        async def times_out_once() -> str:
            nonlocal slow
            if slow:
                await asyncio.sleep(slow)
                slow = 0
                raise TransientError("no answer")
            return "done"

        policy = RetryPolicy(total_time=0.1, first_wait=0.001)
        assert await call_with_retries(times_out_once, policy) == "done"

    async def test_what_the_service_asks_for_is_waited_for(self, waits: list[float]) -> None:
        await call_with_retries(Failing(1, retry_after=45), RetryPolicy(first_wait=0.5))
        assert 45 <= waits[0] <= 45.5

    async def test_another_error_is_not_retried(self, waits: list[float]) -> None:
        async def refused() -> str:
            raise AuthenticationError("no")

        with pytest.raises(AuthenticationError):
            await call_with_retries(refused, RetryPolicy())
        assert waits == []

    async def test_each_retry_is_announced_before_its_wait(self, waits: list[float]) -> None:
        notices: list[RetryNotice] = []
        await call_with_retries(Failing(2, status_code=429), RetryPolicy(), notices.append)
        assert [notice.attempt for notice in notices] == [1, 2]
        assert [notice.wait for notice in notices] == waits
        assert {(notice.reason, notice.status_code) for notice in notices} == {("busy", 429)}

    @pytest.mark.parametrize(
        "settings", [{"attempts": 0}, {"total_time": -1}, {"first_wait": float("nan")}]
    )
    def test_a_policy_that_makes_no_sense_is_refused(self, settings: dict[str, float]) -> None:
        with pytest.raises(UsageError) as caught:
            RetryPolicy(**settings)
        assert caught.value.hint


class TestStatusTable:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, RejectedRequestError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (405, RejectedRequestError),
            (409, ServiceUnavailableError),
            (413, RejectedRequestError),
            (422, RejectedRequestError),
            (429, ServiceUnavailableError),
            (500, ServiceUnavailableError),
            (501, UnsupportedError),
            (502, ServiceUnavailableError),
            (503, ServiceUnavailableError),
            (504, ServiceUnavailableError),
            (520, ServiceUnavailableError),
        ],
    )
    def test_each_status_has_its_error(self, status: int, error: type[Exception]) -> None:
        assert error_class(status) is error


class TestLackOfCapacity:
    @pytest.mark.parametrize(
        ("status", "retry_after", "lacks"),
        [(429, None, True), (429, 0, False), (429, 30, False), (503, None, False)],
    )
    def test_only_a_429_that_does_not_say_when_to_come_back_is_one(
        self, status: int, retry_after: float | None, lacks: bool
    ) -> None:
        failure = TransientError("busy", status_code=status, retry_after=retry_after)
        assert failure.lacks_capacity is lacks


class TestRetryAdvice:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            ("7", 7),
            (" 120 ", 120),
            ("1.5", 1.5),
            (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
            (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0),
            ("soon", None),
            ("-5", None),
            ("", None),
        ],
    )
    def test_retry_after_is_read_as_seconds_or_a_date(
        self, value: str, seconds: float | None
    ) -> None:
        advice = retry_advice(429, {**DATE, "retry-after": value})
        assert advice.seconds == seconds
        assert not advice.means_quota(429)

    @pytest.mark.parametrize(
        "value", ["121", format_datetime(NOW + timedelta(seconds=121), usegmt=True)]
    )
    def test_more_than_two_minutes_is_a_quota_on_a_429_only(self, value: str) -> None:
        advice = retry_advice(429, {**DATE, "retry-after": value})
        assert advice.means_quota(429)
        assert advice.at == NOW + timedelta(seconds=121)
        assert not retry_advice(503, {**DATE, "retry-after": value}).means_quota(503)

    def test_the_reset_time_in_the_detail_is_the_exact_one(self) -> None:
        detail = (
            "Evaluation request limit of 1 per week reached; try again after 2026-11-30T00:00:00Z."
        )
        expected = datetime(2026, 11, 30, tzinfo=UTC)
        assert retry_advice(429, {**DATE, "retry-after": "561600"}, detail).at == expected
        without_header = retry_advice(429, DATE, detail)
        assert without_header.means_quota(429)
        assert without_header.at == expected

    def test_a_reset_beyond_all_dates_is_a_quota_without_a_time(self) -> None:
        advice = retry_advice(429, {**DATE, "retry-after": "9" * 40})
        assert advice.means_quota(429)
        assert advice.at is None

    def test_a_429_without_advice_is_no_quota(self) -> None:
        advice = retry_advice(429, {}, "Too many requests")
        assert (advice.seconds, advice.at) == (None, None)
        assert not advice.means_quota(429)
