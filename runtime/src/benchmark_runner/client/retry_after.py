"""The time at which a service wants to be asked again: ``Retry-After``, or a 429's own words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from benchmark_runner.client.status import meaning_of

__all__ = ["RetryAfter", "read_retry_after"]

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)")


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """The wait that an answer asks for, and its end in UTC; ``None`` for what it does not say."""

    seconds: float | None
    at: datetime | None


def read_retry_after(
    status_code: int, headers: Mapping[str, str], detail: str | None = None
) -> RetryAfter:
    """Read ``Retry-After`` (seconds or an HTTP-date), else the time in a 429's ``detail``.

    Dates are measured against the answer's own ``Date``, as the clocks may differ.
    """
    now = _http_date(headers.get("date")) or datetime.now(UTC)
    named = _iso_time(detail) if meaning_of(status_code).is_rate_limit else None
    asked = (headers.get("retry-after") or "").strip()
    seconds: float | None = None
    if _SECONDS.fullmatch(asked):
        seconds = float(asked)
    elif (date := _http_date(asked) or named) is not None:
        seconds = max(0.0, (date - now).total_seconds())
    try:
        at = named or (None if seconds is None else now + timedelta(seconds=seconds))
    except OverflowError:
        at = None
    return RetryAfter(seconds, at)


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
