"""What an HTTP status means to a client, and how long it keeps trying.

This is the status table of the service contract as code: which error a status becomes,
which ones are worth another try, and when a 429 is a used-up quota rather than a rate limit.
"""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from benchmark_runner._concurrency.slots import rest
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tenacity import RetryCallState

T = TypeVar("T")

#: A longer ``Retry-After`` (seconds) on a 429 means a used-up quota.
LONGEST_RETRY_AFTER = 120.0

#: 409: this task is being graded right now. 429: too fast, or no capacity. 5xx: trouble.
RETRIED_STATUSES = frozenset({409, 429, 500, 502, 503, 504})

_ERROR_OF_STATUS: dict[int, type[ServiceError]] = {
    HTTPStatus.UNAUTHORIZED: AuthenticationError,
    HTTPStatus.FORBIDDEN: PermissionDeniedError,
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.NOT_IMPLEMENTED: UnsupportedError,
    **dict.fromkeys(RETRIED_STATUSES, ServiceUnavailableError),
}
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and for how long, a call to the service is tried.

    Waits grow exponentially, each drawn at random from zero up to the bound (full jitter),
    so that many callers do not come back together.

    Attributes:
        attempts: The most tries of one call, the first one included; not counted while the
            service answers that the same task is being graded (409).
        total_time: Seconds after the first failure within which the last try must start.
        first_wait: The longest first wait in seconds; it doubles with each try.
        max_wait: The longest wait in seconds that the back-off grows to.
    """

    attempts: int = 8
    total_time: float = 300.0
    first_wait: float = 0.5
    max_wait: float = 30.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            message = f"a call to the service needs at least 1 attempt, not {self.attempts}"
            raise UsageError(message, hint="Give --service-attempts 1 or more.")
        if not all(seconds >= 0 for seconds in (self.total_time, self.first_wait, self.max_wait)):
            message = "the times of a call's retries must be 0 seconds or more"
            raise UsageError(message, hint="Give --service-retry-time 0 or more.")


@dataclass(frozen=True, slots=True)
class RetryNotice:
    """A try failed and another one follows.

    Attributes:
        attempt: The number of the try that failed, from 1.
        wait: Seconds until the next try.
        reason: Why it failed.
        status_code: The HTTP status, ``None`` where no answer came.
    """

    attempt: int
    wait: float
    reason: str
    status_code: int | None = None


class TransientError(Exception):
    """One try failed in a way that another one may heal.

    ``attempts`` is the number of tries made, once there are no more; ``timed_out`` tells that
    the answer, not the connection, took too long.
    """

    def __init__(
        self,
        reason: str,
        *,
        status_code: int | None = None,
        detail: str | None = None,
        retry_after: float | None = None,
        timed_out: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status_code = status_code
        self.detail = detail
        self.retry_after = retry_after
        self.timed_out = timed_out
        self.attempts = 1

    @property
    def lacks_capacity(self) -> bool:
        """Whether the service has no capacity: a 429 that does not say when to come back."""
        return self.status_code == HTTPStatus.TOO_MANY_REQUESTS and self.retry_after is None


async def call_with_retries(
    operation: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    on_retry: Callable[[RetryNotice], None] | None = None,
) -> T:
    """Await ``operation()`` until it succeeds or the policy ends it.

    A wait that would overrun the policy's total time ends the retrying at once.

    Raises:
        TransientError: of the last try.
        Exception: any other one that ``operation()`` raises, at once.
    """
    try:  # as nearly every call does, without what is only needed to do it again
        return await operation()
    except TransientError as failure:
        return await _go_on_after(failure, operation, policy, on_retry)


async def _go_on_after(
    first: TransientError,
    operation: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    on_retry: Callable[[RetryNotice], None] | None,
) -> T:
    back_off = wait_random_exponential(multiplier=policy.first_wait, max=policy.max_wait)
    failing_since: float | None = None

    def wait(state: RetryCallState) -> float:
        asked = _failure(state).retry_after
        if asked is None:
            return back_off(state)
        # Nobody comes earlier than asked, and not all at the same moment.
        return asked + random.uniform(0, policy.first_wait)  # noqa: S311 (no secret)

    def stop(state: RetryCallState) -> bool:
        nonlocal failing_since
        now = time.monotonic()
        failing_since = now if failing_since is None else failing_since
        _failure(state).attempts = state.attempt_number
        # A 409 means that somebody is at work on it: only time tells when they are done.
        being_graded = policy.attempts > 1 and _failure(state).status_code == HTTPStatus.CONFLICT
        return (
            state.attempt_number >= policy.attempts and not being_graded
        ) or now - failing_since + state.upcoming_sleep > policy.total_time

    def notify(state: RetryCallState) -> None:
        if on_retry is not None:
            failure = _failure(state)
            on_retry(
                RetryNotice(
                    attempt=state.attempt_number,
                    wait=state.upcoming_sleep,
                    reason=failure.reason,
                    status_code=failure.status_code,
                )
            )

    retrying = AsyncRetrying(
        sleep=rest,
        stop=stop,
        wait=wait,
        retry=retry_if_exception_type(TransientError),
        before_sleep=notify,
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            if attempt.retry_state.attempt_number == 1:
                raise first
            return await operation()
    message = "the retrying ended without an outcome"
    raise AssertionError(message)


def error_class(status_code: int) -> type[ServiceError]:
    """The error that an answer with this status (not 2xx, not a used-up quota) becomes."""
    known = _ERROR_OF_STATUS.get(status_code)
    if known is not None:
        return known
    unavailable = status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return ServiceUnavailableError if unavailable else RejectedRequestError


@dataclass(frozen=True, slots=True)
class RetryAdvice:
    """What an answer says about when to come back.

    Attributes:
        seconds: How long to wait; ``None`` if it does not say.
        at: The same as a time in UTC; ``None`` if it does not say, or is out of range.
    """

    seconds: float | None
    at: datetime | None

    def means_quota(self, status_code: int) -> bool:
        """Whether the quota is used up until a time too far away to wait for."""
        return (
            status_code == HTTPStatus.TOO_MANY_REQUESTS
            and self.seconds is not None
            and self.seconds > LONGEST_RETRY_AFTER
        )


def retry_advice(
    status_code: int, headers: Mapping[str, str], detail: str | None = None
) -> RetryAdvice:
    """Read ``Retry-After`` (seconds or an HTTP-date), else the time in a 429's ``detail``.

    Dates are measured against the answer's own ``Date``, as the clocks may differ.
    """
    now = _http_date(headers.get("date")) or datetime.now(UTC)
    said = _iso_time(detail) if status_code == HTTPStatus.TOO_MANY_REQUESTS else None
    asked = (headers.get("retry-after") or "").strip()
    seconds: float | None = None
    if _SECONDS.fullmatch(asked):
        seconds = float(asked)
    elif date := _http_date(asked):
        seconds = max(0.0, (date - now).total_seconds())
    elif said is not None:
        seconds = max(0.0, (said - now).total_seconds())
    return RetryAdvice(seconds=seconds, at=said or _later(now, seconds))


def _failure(state: RetryCallState) -> TransientError:
    error = state.outcome.exception() if state.outcome is not None else None
    if not isinstance(error, TransientError):
        message = "only a TransientError is retried"
        raise TypeError(message)
    return error


def _later(now: datetime, seconds: float | None) -> datetime | None:
    if seconds is None:
        return None
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _http_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except (ValueError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _iso_time(text: str | None) -> datetime | None:
    found = _ISO_TIME.search(text or "")
    try:
        return datetime.fromisoformat(found[0]) if found else None
    except ValueError:
        return None
