"""Retries of a call to the service: how often, for how long, and with which waits."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar, cast

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random,
    wait_random_exponential,
)

from benchmark_runner._concurrency.slots import sleep_without_slot
from benchmark_runner.client.status import meaning_of
from benchmark_runner.errors import UsageError

__all__ = ["LONGER", "RetryNotice", "RetryPolicy", "TransientError", "call_with_retries"]

#: The time limit of an evaluation that is asked for once more, in times of the first one.
LONGER = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits of a call's retries.

    Waits grow exponentially, each drawn at random from zero up to the bound (full jitter),
    so that many callers do not come back together.

    Attributes:
        attempts: The most attempts of one call, the first one included; not counted while the
            service answers that the same task is being evaluated (409).
        total_time: Seconds after the first failure within which the last attempt must start;
            after a 409, as many as an evaluation may take if that is longer.
        first_wait: The longest first wait in seconds; it doubles with each attempt.
        max_wait: The longest wait in seconds that the back-off grows to.
        final_statuses: HTTP statuses after which there is no retry, as another request follows.
    """

    attempts: int = 8
    total_time: float = 300.0
    first_wait: float = 0.5
    max_wait: float = 30.0
    final_statuses: frozenset[int] = frozenset()

    def within(self, seconds: float) -> "RetryPolicy":
        """Return the policy of a call that is to end soon."""
        return RetryPolicy(
            attempts=min(self.attempts, 5),
            total_time=min(self.total_time, seconds),
            first_wait=min(self.first_wait, 0.25),
            max_wait=min(self.max_wait, 1.0),
        )

    def ending_at(self, statuses: frozenset[int]) -> "RetryPolicy":
        """Return the policy that does not retry after these HTTP statuses."""
        return replace(self, final_statuses=statuses)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            message = f"a call to the service needs at least 1 attempt, not {self.attempts}"
            raise UsageError(message, hint="Give --service-attempts 1 or more.")
        if not all(seconds >= 0 for seconds in (self.total_time, self.first_wait, self.max_wait)):
            message = "the times of a call's retries must be 0 seconds or more"
            raise UsageError(message, hint="Give --service-retry-time 0 or more.")


@dataclass(frozen=True, slots=True)
class RetryNotice:
    """A failed attempt that is followed by another one.

    Attributes:
        attempt: The number of the attempt that failed, from 1.
        wait: Seconds until the next attempt.
        reason: Why it failed.
        status_code: The HTTP status, ``None`` where no answer came.
    """

    attempt: int
    wait: float
    reason: str
    status_code: int | None = None


@dataclass(eq=False)
class TransientError(Exception):
    """The failure of one attempt where another one may succeed.

    Attributes:
        retry_after: Seconds that the service asks to wait.
        timed_out: Whether the answer, not the connection, took too long.
        attempts: The attempts made, once there are no more.
    """

    reason: str
    status_code: int | None = None
    detail: str | None = None
    retry_after: float | None = None
    timed_out: bool = False
    attempts: int = 1

    @property
    def lacks_capacity(self) -> bool:
        """True if the service has no capacity: a 429 that does not say when to come back."""
        return meaning_of(self.status_code).lacks_capacity(self.retry_after)


async def call_with_retries(
    operation: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    on_retry: Callable[[RetryNotice], None] | None = None,
    *,
    in_progress_time: float = 0.0,
) -> T:
    """Await ``operation()`` until it succeeds, or raise its last error.

    A wait that would overrun the policy's total time ends the retrying at once. Another
    evaluation of the same task, which a 409 tells of, may take ``in_progress_time`` seconds.
    """
    try:  # nearly every call succeeds, and needs nothing of tenacity
        return await operation()
    except TransientError as failure:
        return await _retry(failure, operation, policy, on_retry, in_progress_time)


async def _retry(
    first: TransientError,
    operation: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    on_retry: Callable[[RetryNotice], None] | None,
    in_progress_time: float,
) -> T:
    made = [first]

    async def attempt() -> T:
        if made:
            raise made.pop()
        return await operation()

    retrying = AsyncRetrying(
        sleep=sleep_without_slot,  # while an evaluation waits, others use its slot
        stop=_StopAfterAttempts(policy.attempts)
        | _StopBeforeDelay(policy.total_time, in_progress_time),
        wait=_wait_as_asked(policy),
        retry=retry_if_exception(partial(_is_retried, policy)),
        before_sleep=None if on_retry is None else lambda state: on_retry(_notice(state)),
        reraise=True,
    )
    try:
        return await retrying(attempt)
    except TransientError as last:
        last.attempts = retrying.statistics["attempt_number"]
        raise


def _is_retried(policy: RetryPolicy, error: BaseException) -> bool:
    return isinstance(error, TransientError) and error.status_code not in policy.final_statuses


class _StopAfterAttempts(stop_after_attempt):
    """Stops after so many attempts, but not while the task is being evaluated (409)."""

    def __call__(self, retry_state: RetryCallState) -> bool:
        waits = _is_in_progress(retry_state) and self.max_attempt_number > 1
        return super().__call__(retry_state) and not waits


class _StopBeforeDelay(stop_before_delay):
    """Stops before so many seconds have passed; later if the task is being evaluated (409)."""

    def __init__(self, total_time: float, in_progress_time: float) -> None:
        super().__init__(total_time)
        self._in_progress = stop_before_delay(max(total_time, in_progress_time))

    def __call__(self, retry_state: RetryCallState) -> bool:
        if _is_in_progress(retry_state):
            return self._in_progress(retry_state)
        return super().__call__(retry_state)


def _is_in_progress(state: RetryCallState) -> bool:
    return meaning_of(_failure(state).status_code).is_in_progress


def _wait_as_asked(policy: RetryPolicy) -> Callable[[RetryCallState], float]:
    back_off = wait_random_exponential(policy.first_wait, policy.max_wait)
    jitter = wait_random(max=policy.first_wait)

    def wait(state: RetryCallState) -> float:
        asked = _failure(state).retry_after
        # Nobody comes earlier than asked, and not all at the same moment.
        return back_off(state) if asked is None else asked + jitter(state)

    return wait


def _notice(state: RetryCallState) -> RetryNotice:
    failure = _failure(state)
    return RetryNotice(
        state.attempt_number, state.upcoming_sleep, failure.reason, failure.status_code
    )


def _failure(state: RetryCallState) -> TransientError:
    # Nothing else is retried.
    return cast("TransientError", state.outcome.exception() if state.outcome else None)
