from __future__ import annotations

import pytest

from benchmark_runner.client.status import meaning_of
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceUnavailableError,
    UnsupportedError,
)


class TestStatusTable:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (400, RejectedRequestError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (405, RejectedRequestError),
            (408, ServiceUnavailableError),
            (409, ServiceUnavailableError),
            (413, RejectedRequestError),
            (422, RejectedRequestError),
            (425, ServiceUnavailableError),
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
        """Each HTTP status has its error class."""
        assert meaning_of(status).error is error

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
    def test_only_429_tells_of_a_quota_or_capacity(self, status: int) -> None:
        """Only a 429 tells of a quota, by a long wait, or of no capacity, without one."""
        meaning = meaning_of(status)
        assert meaning.means_quota(121) is (status == 429)
        assert meaning.lacks_capacity(None) is (status == 429)
        assert not meaning.means_quota(120)
        assert not meaning.lacks_capacity(1)
