"""The meaning of each HTTP status of the service contract, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from benchmark_runner.client import hints
from benchmark_runner.client.hints import UNEXPLAINED, Explanation
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner.client.call import Call, Service

__all__ = ["LONGEST_RETRY_AFTER", "StatusMeaning", "is_final", "meaning_of"]

#: A longer ``Retry-After`` (seconds) on a 429 means a used-up quota.
LONGEST_RETRY_AFTER = 120.0


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """The meaning of an HTTP status other than 2xx.

    Attributes:
        words: The cause and the hint of the error, or a function that returns them.
        is_in_progress: Whether the same task is being evaluated right now. Only time tells
            when that is over, so retries are not counted.
        is_rate_limit: Whether the service wants fewer requests.
    """

    error: type[ServiceError]
    words: Explanation | Callable[[Call, Service], Explanation] = UNEXPLAINED
    is_in_progress: bool = False
    is_rate_limit: bool = False

    @property
    def is_retried(self) -> bool:
        """True if another attempt of the same call may succeed."""
        return self.error is ServiceUnavailableError

    def explain(self, call: Call, service: Service) -> Explanation:
        """Return the words of an error about ``call``."""
        return self.words if isinstance(self.words, Explanation) else self.words(call, service)

    def means_quota(self, retry_after: float | None) -> bool:
        """Return True if the quota is used up, until a time too far away to wait for."""
        return self.is_rate_limit and retry_after is not None and retry_after > LONGEST_RETRY_AFTER

    def lacks_capacity(self, retry_after: float | None) -> bool:
        """Return True if there are too many requests at a time, for as long as there are."""
        return self.is_rate_limit and retry_after is None


_MEANINGS: dict[int, StatusMeaning] = {
    HTTPStatus.UNAUTHORIZED: StatusMeaning(AuthenticationError, hints.explain_unauthorized),
    HTTPStatus.FORBIDDEN: StatusMeaning(PermissionDeniedError, hints.explain_forbidden),
    HTTPStatus.NOT_FOUND: StatusMeaning(NotFoundError, hints.explain_not_found),
    HTTPStatus.CONFLICT: StatusMeaning(ServiceUnavailableError, is_in_progress=True),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: StatusMeaning(
        RejectedRequestError,
        Explanation(hint="Make the response shorter; retrying will not help."),
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: StatusMeaning(
        RejectedRequestError,
        Explanation("it does not understand the request, which is a bug here or there"),
    ),
    HTTPStatus.TOO_MANY_REQUESTS: StatusMeaning(ServiceUnavailableError, is_rate_limit=True),
    HTTPStatus.NOT_IMPLEMENTED: StatusMeaning(UnsupportedError, hints.explain_not_implemented),
}
_OTHER_BELOW_500 = StatusMeaning(RejectedRequestError)
_OTHER_FROM_500 = StatusMeaning(ServiceUnavailableError)


def meaning_of(status_code: int | None) -> StatusMeaning:
    """Return the meaning of a status other than 2xx; ``None`` is no answer at all."""
    if status_code is None:
        return _OTHER_FROM_500
    is_server_error = status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _MEANINGS.get(status_code, _OTHER_FROM_500 if is_server_error else _OTHER_BELOW_500)


def is_final(error: ServiceError) -> bool:
    """Return True if the service would answer the same request like this again."""
    return isinstance(error, _FINAL_ERRORS)


_FINAL_ERRORS = tuple(
    {meaning.error for meaning in (*_MEANINGS.values(), _OTHER_BELOW_500) if not meaning.is_retried}
)
