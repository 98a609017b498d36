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
        advice = read_retry_after(429, {**DATE, "retry-after": value})
        assert advice.seconds == seconds
        assert not meaning_of(429).means_quota(advice.seconds)

    @pytest.mark.parametrize(
        "value", ["121", format_datetime(NOW + timedelta(seconds=121), usegmt=True)]
    )
    def test_more_than_two_minutes_is_a_quota_on_a_429_only(self, value: str) -> None:
        advice = read_retry_after(429, {**DATE, "retry-after": value})
        assert meaning_of(429).means_quota(advice.seconds)
        assert advice.at == NOW + timedelta(seconds=121)
        advice = read_retry_after(503, {**DATE, "retry-after": value})
        assert not meaning_of(503).means_quota(advice.seconds)

    def test_the_reset_time_in_the_detail_is_the_exact_one(self) -> None:
        detail = (
            "Evaluation request limit of 1 per week reached; try again after 2026-11-30T00:00:00Z."
        )
        expected = datetime(2026, 11, 30, tzinfo=UTC)
        assert read_retry_after(429, {**DATE, "retry-after": "561600"}, detail).at == expected
        without_header = read_retry_after(429, DATE, detail)
        assert meaning_of(429).means_quota(without_header.seconds)
        assert without_header.at == expected

    def test_a_reset_beyond_all_dates_is_a_quota_without_a_time(self) -> None:
        advice = read_retry_after(429, {**DATE, "retry-after": "9" * 40})
        assert meaning_of(429).means_quota(advice.seconds)
        assert advice.at is None

    def test_a_429_without_advice_is_no_quota(self) -> None:
        advice = read_retry_after(429, {}, "Too many requests")
        assert (advice.seconds, advice.at) == (None, None)
        assert not meaning_of(429).means_quota(advice.seconds)
