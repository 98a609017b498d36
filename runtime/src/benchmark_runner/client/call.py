"""What a failed call to the service is told as: one sentence, and the way out.

Nothing here talks to the network; the client hands over what it asked and what came back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, cast
from urllib.parse import urljoin, urlsplit

from pydantic_core import from_json

from benchmark_runner.client.retry import TransientError, error_class, retry_advice
from benchmark_runner.errors import (
    BadResponseError,
    QuotaExceededError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import JsonValue

_DETAIL_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Service:
    """Whom the client talks to, as far as a message may say it.

    Attributes:
        url: The base URL without user info.
        local: Whether it is the embedded service.
        auth_name: Where the key is from, never the key; ``None`` without one.
        bearer: Whether the key goes out as a legacy bearer token.
        secrets: Texts that no message may show.
    """

    url: str
    local: bool
    auth_name: str | None
    bearer: bool
    secrets: tuple[str, ...] = field(repr=False)

    def redact(self, text: str) -> str:
        """Replace every secret in ``text``."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def __str__(self) -> str:
        return "with the local service" if self.local else f"at {self.url}"


@dataclass(frozen=True, slots=True)
class Call:
    """One thing asked of the service.

    Attributes:
        what: What was asked, to follow "could not": ``grade task 't1'``.
        method: The HTTP method.
        path: The path below the base URL, with its query.
        dataset: The dataset it is about, where one was named.
        body: The JSON body, ready to be sent.
    """

    what: str
    method: str
    path: str
    dataset: str | None = None
    body: bytes | None = None

    @property
    def is_task_list(self) -> bool:
        """Whether the tasks of a dataset are asked for."""
        return self.path.startswith("/v1/datasets/")

    @property
    def is_work(self) -> bool:
        """Whether something is to be graded or scored, which may take long."""
        return self.method == "POST"

    @property
    def is_v1(self) -> bool:
        """Whether it is on the surface that takes no bearer key."""
        return self.path.startswith("/v1/")

    def failed(self, service: Service, cause: str) -> str:
        """The sentence that says that it did not work."""
        dataset = "" if self.dataset is None else f" of dataset {self.dataset!r}"
        return f"could not {self.what}{dataset} {service}: {cause}"


def refusal(
    call: Call,
    service: Service,
    status: int,
    headers: Mapping[str, str],
    content: bytes | bytearray,
) -> ServiceError | TransientError:
    """What an answer other than 2xx becomes; a :class:`TransientError` if it may heal."""
    detail = detail_of(content, service, whole=status == HTTPStatus.UNPROCESSABLE_ENTITY)
    advice = retry_advice(status, headers, detail)
    if advice.means_quota(status):
        until = advice.at.isoformat() if advice.at else "an unknown time"
        return QuotaExceededError(
            call.failed(service, f"the evaluation quota is used up until {until}{_said(detail)}"),
            hint=f"Run the same command again after {until}; what was generated is kept.",
            status_code=status,
            detail=detail,
            resets_at=advice.at,
        )
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return _redirected(call, service, status, headers)
    kind = error_class(status)
    reason = _status_line(status, detail)
    if kind is ServiceUnavailableError:
        return TransientError(reason, status_code=status, detail=detail, retry_after=advice.seconds)
    return kind(
        call.failed(service, _cause(call, service, status, reason)),
        hint=_hint(call, service, status),
        status_code=status,
        detail=detail,
    )


def unavailable(call: Call, service: Service, failure: TransientError) -> ServiceUnavailableError:
    """What the last try's failure becomes when there are no more tries."""
    # Not how many: tasks that failed for one reason are counted by this text.
    tries = " (after several tries)" if failure.attempts > 1 else ""
    error = ServiceUnavailableError(
        call.failed(service, f"{failure.reason}{tries}"),
        hint=_unavailable_hint(call, service, failure),
        status_code=failure.status_code,
        detail=failure.detail,
    )
    error.timed_out = failure.timed_out
    return error


def bad_response(call: Call, service: Service, problem: str, status: int) -> BadResponseError:
    """An answer that the service contract does not allow."""
    hint = (
        "Correct the grader."
        if service.local
        else "Check that SERVICE_URL or --service-url names a benchmark service."
    )
    cause = f"the answer is not what was asked for: {service.redact(problem)}"
    return BadResponseError(call.failed(service, cause), hint=hint, status_code=status)


def detail_of(content: bytes | bytearray, service: Service, *, whole: bool = False) -> str | None:
    """The service's own words on one line, without secrets; cut unless ``whole``."""
    try:
        document = cast("JsonValue", from_json(content))
    except ValueError:
        text = content.decode("utf-8", "replace")
        if text.lstrip().startswith("<"):  # a proxy's HTML page says nothing the status doesn't
            return None
    else:
        said = document.get("detail", document) if isinstance(document, dict) else document
        text = (
            said
            if isinstance(said, str)
            else json.dumps(said, ensure_ascii=False, separators=(",", ":"))
        )
    text = " ".join(service.redact(text).split())
    if not whole and len(text) > _DETAIL_LIMIT:
        # Between two words: half a key that only others know of could not be masked any more.
        space = text.rfind(" ", _DETAIL_LIMIT // 2, _DETAIL_LIMIT + 1)
        text = f"{text[: space if space > 0 else _DETAIL_LIMIT]}…"
    return text or None


def _redirected(
    call: Call, service: Service, status: int, headers: Mapping[str, str]
) -> RejectedRequestError:
    target = _origin(urljoin(service.url, headers.get("location", "")))
    elsewhere = target is not None and target != _origin(service.url)
    place = target if elsewhere else "another path of its own"
    hint = (
        f"If {target} is the service's address, set SERVICE_URL or --service-url to it"
        if elsewhere
        else "Check the path in SERVICE_URL or --service-url"
    )
    return RejectedRequestError(
        call.failed(service, f"it redirects to {place} (HTTP {status})"),
        hint=f"{hint}; redirects are not followed, so that no key goes astray.",
        status_code=status,
    )


def _origin(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return None
    host = parts.hostname
    if not host:
        return None
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _status_line(status: int, detail: str | None) -> str:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    words = detail or phrase
    return f"HTTP {status}: {words}" if words else f"HTTP {status}"


def _said(detail: str | None) -> str:
    return f" ({detail})" if detail else ""


def _cause(call: Call, service: Service, status: int, reason: str) -> str:
    key = f"the key in {service.auth_name}" if service.auth_name else "a call without a key"
    match status:
        case HTTPStatus.UNAUTHORIZED if service.auth_name is None:
            said = "it wants a key, and none is set"
        case HTTPStatus.UNAUTHORIZED:
            said = f"it does not accept {key}"
        case HTTPStatus.FORBIDDEN if call.is_v1 and service.bearer:
            said = f"its /v1 paths do not accept {key}, which is a bearer key"
        case HTTPStatus.FORBIDDEN:
            said = f"it does not allow this to {key}"
        case HTTPStatus.NOT_IMPLEMENTED if call.is_task_list:
            said = "it does not offer a task list"
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            said = "it does not understand the request, which is a bug here or there"
        case _:
            return reason
    return f"{said} ({reason})"


def _hint(call: Call, service: Service, status: int) -> str | None:
    hint: str | None = None
    match status:
        case HTTPStatus.UNAUTHORIZED:
            hint = _key_hint(service)
        case HTTPStatus.FORBIDDEN if call.is_v1 and service.bearer:
            hint = "/v1 wants VALS_AUTH_KEY: set it; BENCHMARK_API_KEY is for legacy paths only."
            if call.is_task_list:
                hint += (
                    " With tasks from a file (--dataset-file), it is enough for a runner with "
                    'EVALUATION_API = "legacy".'
                )
        case HTTPStatus.FORBIDDEN:
            hint = "Ask for access to the dataset, or choose another one with --dataset-name."
            if not call.is_v1:
                hint += ' A trial key reaches only /v1: set EVALUATION_API = "v1".'
        case HTTPStatus.NOT_FOUND if call.dataset is not None:
            hint = "Check the name in --dataset-name, or give a file with --dataset-file."
        case HTTPStatus.NOT_FOUND:
            hint = "Check SERVICE_URL or --service-url, and the dataset's name."
        case HTTPStatus.NOT_IMPLEMENTED if call.is_task_list:
            hint = "Give the tasks as a file with --dataset-file."
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            hint = "Make the response shorter; no retry heals this."
        case _:
            pass
    return hint


def _key_hint(service: Service) -> str:
    if service.auth_name is None:
        return "Set VALS_AUTH_KEY (or BENCHMARK_API_KEY for a service with legacy keys)."
    if service.bearer:
        return (
            f"Check the key in {service.auth_name}; a service that no longer takes bearer keys "
            "wants VALS_AUTH_KEY."
        )
    return f"Check the key in {service.auth_name}."


def _unavailable_hint(call: Call, service: Service, failure: TransientError) -> str:
    if failure.timed_out and call.is_work:
        otherwise = "make the grader faster" if service.local else "check that the service is up"
        return f"Give a longer --eval-timeout if grading is slow, or {otherwise}."
    if service.local:
        return "Correct what it names, then run the same command again: what was generated is kept."
    if failure.status_code is None:
        return "Check SERVICE_URL or --service-url, and that the service is up."
    if failure.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "The service is in trouble: run the same command again later."
    return "The service is busy: run the same command again later, or lower --eval-parallelism."
