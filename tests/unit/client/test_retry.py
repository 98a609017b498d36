from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from benchmark_runner.client import retry
from benchmark_runner.client.retry import (
    RetryNotice,
    RetryPolicy,
    TransientError,
    call_with_retries,
)
from benchmark_runner.errors import (
    AuthenticationError,
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


class Waits(list[float]):
    """The waits that were asked for; none of them takes time."""

    async def note(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    noted = Waits()
    monkeypatch.setattr(retry, "sleep_without_slot", noted.note)
    return noted


class TestCallWithRetries:
    async def test_success_needs_no_wait(self, waits: Waits) -> None:
        """A success is returned without a wait."""
        assert await call_with_retries(Failing(0), RetryPolicy()) == "done"
        assert waits == []

    async def test_transient_error_is_retried(self, waits: Waits) -> None:
        """A call that fails for a while is retried until it succeeds."""
        operation = Failing(2)
        assert await call_with_retries(operation, RetryPolicy()) == "done"
        assert operation.calls == 3
        assert len(waits) == 2

    async def test_the_attempts_are_bounded_and_counted(self, waits: Waits) -> None:
        """The number of attempts is limited and given in the error."""
        operation = Failing(99)
        with pytest.raises(TransientError) as caught:
            await call_with_retries(operation, RetryPolicy(attempts=4))
        assert operation.calls == caught.value.attempts == 4

    async def test_one_attempt_means_no_retry(self, waits: Waits) -> None:
        """One attempt means no retry."""
        with pytest.raises(TransientError):
            await call_with_retries(Failing(1), RetryPolicy(attempts=1))
        assert waits == []

    async def test_409_is_retried_beyond_the_attempts(self, waits: Waits) -> None:
        """An evaluation that is in progress is waited for beyond the attempts."""
        operation = Failing(20, status_code=409)
        assert await call_with_retries(operation, RetryPolicy(attempts=4)) == "done"
        assert operation.calls == 21

    async def test_409_ends_with_the_total_time(self) -> None:
        """An evaluation that stays in progress ends with the total time."""
        operation = Failing(10**9, status_code=409)
        policy = RetryPolicy(attempts=4, first_wait=0.001, max_wait=0.001, total_time=0.05)
        with pytest.raises(TransientError):
            await call_with_retries(operation, policy)
        assert operation.calls > 4

    async def test_waits_have_a_doubling_limit(self, waits: Waits) -> None:
        """Waits are random, from 0 to a limit that doubles."""
        policy = RetryPolicy(attempts=8, first_wait=1, max_wait=10, total_time=1000)
        for _ in range(50):
            with pytest.raises(TransientError):
                await call_with_retries(Failing(99), policy)
        bounds = [1, 2, 4, 8, 10, 10, 10]
        for position, bound in enumerate(bounds):
            drawn = waits[position :: len(bounds)]
            assert all(0 <= wait <= bound for wait in drawn)
            assert max(drawn) > bound / 2 > min(drawn)

    async def test_wait_beyond_the_total_time_ends_retries(self, waits: Waits) -> None:
        """A wait that would exceed the total time ends the retries at once."""
        operation = Failing(99, retry_after=60)
        began = time.monotonic()
        with pytest.raises(TransientError):
            await call_with_retries(operation, RetryPolicy(total_time=30))
        assert operation.calls == 1
        assert waits == []
        assert time.monotonic() - began < 5

    async def test_the_total_time_counts_from_the_first_failure(self) -> None:
        """The total time counts from the first failure."""
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

    async def test_retry_after_is_waited_for(self, waits: Waits) -> None:
        """The time that the service asks for is waited for."""
        await call_with_retries(Failing(1, retry_after=45), RetryPolicy(first_wait=0.5))
        assert 45 <= waits[0] <= 45.5

    async def test_another_error_is_not_retried(self, waits: Waits) -> None:
        """Other errors are not retried."""

        async def refused() -> str:
            raise AuthenticationError("no")

        with pytest.raises(AuthenticationError):
            await call_with_retries(refused, RetryPolicy())
        assert waits == []

    async def test_each_retry_is_announced_before_its_wait(self, waits: Waits) -> None:
        """Each retry is announced before its wait."""
        notices: list[RetryNotice] = []
        await call_with_retries(Failing(2, status_code=429), RetryPolicy(), notices.append)
        assert [notice.attempt for notice in notices] == [1, 2]
        assert [notice.wait for notice in notices] == waits
        assert {(notice.reason, notice.status_code) for notice in notices} == {("busy", 429)}

    @pytest.mark.parametrize(
        "settings", [{"attempts": 0}, {"total_time": -1}, {"first_wait": float("nan")}]
    )
    def test_invalid_policy_is_refused(self, settings: dict[str, float]) -> None:
        """A policy with impossible numbers is a usage error with a hint."""
        with pytest.raises(UsageError) as caught:
            RetryPolicy(**settings)
        assert caught.value.hint


class TestLackOfCapacity:
    @pytest.mark.parametrize(
        ("status", "retry_after", "lacks"),
        [(429, None, True), (429, 0, False), (429, 30, False), (503, None, False)],
    )
    def test_only_plain_429_lacks_capacity(
        self, status: int, retry_after: float | None, lacks: bool
    ) -> None:
        """Only a 429 without Retry-After means a lack of capacity."""
        failure = TransientError("busy", status_code=status, retry_after=retry_after)
        assert failure.lacks_capacity is lacks
