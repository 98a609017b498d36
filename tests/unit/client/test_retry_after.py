from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from benchmark_runner.client.retry_after import read_retry_after
from benchmark_runner.client.status import meaning_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DATE = {"date": format_datetime(NOW, usegmt=True)}


class TestReadRetryAfter:
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
        """Retry-After is read as seconds or as a date."""
        advice = read_retry_after(429, {**DATE, "retry-after": value})
        assert advice.seconds == seconds
        assert not meaning_of(429).means_quota(advice.seconds)

    @pytest.mark.parametrize(
        "value", ["121", format_datetime(NOW + timedelta(seconds=121), usegmt=True)]
    )
    def test_long_retry_after_on_429_is_a_quota(self, value: str) -> None:
        """More than two minutes on a 429 means a quota; on a 503 it does not."""
        advice = read_retry_after(429, {**DATE, "retry-after": value})
        assert meaning_of(429).means_quota(advice.seconds)
        assert advice.at == NOW + timedelta(seconds=121)
        advice = read_retry_after(503, {**DATE, "retry-after": value})
        assert not meaning_of(503).means_quota(advice.seconds)

    def test_reset_time_in_the_detail_is_used(self) -> None:
        """A reset time in the detail is the exact one."""
        detail = (
            "Evaluation request limit of 1 per week reached; try again after 2026-11-30T00:00:00Z."
        )
        expected = datetime(2026, 11, 30, tzinfo=UTC)
        assert read_retry_after(429, {**DATE, "retry-after": "561600"}, detail).at == expected
        without_header = read_retry_after(429, DATE, detail)
        assert meaning_of(429).means_quota(without_header.seconds)
        assert without_header.at == expected

    def test_reset_beyond_all_dates(self) -> None:
        """A reset time beyond all dates is a quota without a time."""
        advice = read_retry_after(429, {**DATE, "retry-after": "9" * 40})
        assert meaning_of(429).means_quota(advice.seconds)
        assert advice.at is None

    def test_a_429_without_advice_is_no_quota(self) -> None:
        """A 429 without advice is no quota."""
        advice = read_retry_after(429, {}, "Too many requests")
        assert (advice.seconds, advice.at) == (None, None)
        assert not meaning_of(429).means_quota(advice.seconds)
