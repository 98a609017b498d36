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
        """Each HTTP status has its error class."""
        assert meaning_of(status).error is error
