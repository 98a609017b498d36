"""The meaning of the code with which the service closes a WebSocket, as that of an HTTP status."""

from http import HTTPStatus

from benchmark_runner.client.call import Call, Service
from benchmark_runner.client.channel import ChannelClosedError
from benchmark_runner.client.failure import refusal, shorten
from benchmark_runner.client.response import Answer
from benchmark_runner.client.retry import TransientError
from benchmark_runner.errors import ServiceError

__all__ = ["POLICY_VIOLATION", "REFUSED_DATA", "closed_early"]

#: The code for a client that may not do this; its reason says what.
POLICY_VIOLATION = 1008
#: The codes for a message that the service does not take.
REFUSED_DATA = frozenset({1003, 1007})
_STATUSES = {
    **dict.fromkeys(REFUSED_DATA, HTTPStatus.UNPROCESSABLE_ENTITY),
    1001: HTTPStatus.SERVICE_UNAVAILABLE,  # it shuts down
    1009: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    1011: HTTPStatus.SERVICE_UNAVAILABLE,  # an error of its own, such as no store of quotas
    1012: HTTPStatus.SERVICE_UNAVAILABLE,  # it restarts
    1013: HTTPStatus.SERVICE_UNAVAILABLE,  # it has too much to do
}
#: Words in the reason of a policy violation.
_VIOLATIONS = (
    ("unauthorized", HTTPStatus.UNAUTHORIZED),
    ("quota", HTTPStatus.TOO_MANY_REQUESTS),
    ("/v1", HTTPStatus.FORBIDDEN),
    ("not allowed", HTTPStatus.FORBIDDEN),
)


def closed_early(
    call: Call, service: Service, closed: ChannelClosedError
) -> ServiceError | TransientError:
    """Return the error of a connection that ended without a result."""
    status = _status_of(closed)
    if status is not None:
        answer = Answer(status, {}, closed.reason.encode(errors="replace"))
        return refusal(call, service, answer, source=f"close code {closed.code}")
    if closed.code is None:
        return TransientError("the connection broke off before the result")
    reason, code = shorten(closed.reason, service), f"code {closed.code or 'none'}"
    said = f"{code}: {reason}" if reason else code
    return TransientError(f"the service closed the connection before the result ({said})")


def _status_of(closed: ChannelClosedError) -> HTTPStatus | None:
    if closed.code != POLICY_VIOLATION:
        return None if closed.code is None else _STATUSES.get(closed.code)
    reason = closed.reason.lower()
    found = (status for words, status in _VIOLATIONS if words in reason)
    return next(found, HTTPStatus.BAD_REQUEST)
