"""The meaning of each HTTP status of the service contract, and the hint that goes with it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from benchmark_runner import errors
from benchmark_runner.client.call import WEBSOCKET_PATH, Call, Service

__all__ = [
    "StatusMeaning", "explain_redirect", "hint_for_unavailable", "is_about_dataset",
    "is_about_path", "is_about_task", "is_about_version", "is_final", "is_settled",
    "leaves_only_v1", "meaning_of", "wants_another_upload",
]  # fmt: skip

#: Refusals of a version that a service does not have.
_ABOUT_VERSION = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)
#: The words of a 404 for a path that a service does not have.
_NO_SUCH_PATH = HTTPStatus.NOT_FOUND.phrase
#: The words of a 409 for an artifact that is not what was uploaded any more; not parts of an id.
_HAS_CHANGED = re.compile(
    r"(?<![\w.-])(?:changed|modified|overwritten|replaced)(?![\w-]|\.\w)", re.IGNORECASE
)
#: The words of a 404 for an artifact, not for its task.
_ABOUT_FILE = re.compile(r"\b(?:artifacts?|objects?|submissions?|uploads?)\b", re.IGNORECASE)
#: The words of a 503 that a retry does not change.
_NOT_CONFIGURED = re.compile(
    r"\bnot\s(?:\w+\s)?configured|\bno\s.*\bconfigured|\bno\sgrading\sprovider", re.IGNORECASE
)
#: A longer ``Retry-After`` (seconds) on a 429 means a used-up quota.
_LONGEST_RETRY_AFTER = 120.0
_NO_WEBSOCKET = (
    'If the service has no WebSocket, set EVALUATION_API to "legacy" or "v1" in '
    "runner/benchmark.py."
)
#: A path that services which evaluate over the WebSocket only answer with a 500 or 501.
_LEGACY_PATH = "/evaluate-response/"
_ONLY_WEBSOCKET = (
    'If the service evaluates over the WebSocket only, set EVALUATION_API = "websocket" in '
    "runner/benchmark.py."
)


@dataclass(frozen=True, slots=True)
class Explanation:
    """A status in words, unless the service's own words do, and the way out if one is known."""

    cause: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class StatusMeaning:
    """The meaning of an HTTP status other than 2xx, with the words of its error.

    Attributes:
        is_in_progress: Whether the same task is being evaluated right now. Only time tells
            when that is over, so retries are not counted.
        is_rate_limit: Whether the service wants fewer requests.
    """

    error: type[errors.ServiceError]
    words: Explanation | Callable[[Call, Service], Explanation] = Explanation()
    is_in_progress: bool = False
    is_rate_limit: bool = False

    @property
    def is_retried(self) -> bool:
        """True if another attempt of the same call may succeed."""
        return self.error is errors.ServiceUnavailableError

    def explain(self, call: Call, service: Service) -> Explanation:
        """Return the words of an error about ``call``."""
        return self.words if isinstance(self.words, Explanation) else self.words(call, service)

    def means_quota(self, retry_after: float | None) -> bool:
        """Return True if the quota is used up, until a time too far away to wait for."""
        return self.is_rate_limit and retry_after is not None and retry_after > _LONGEST_RETRY_AFTER

    def lacks_capacity(self, retry_after: float | None) -> bool:
        """Return True if there are too many requests at a time, for as long as there are."""
        return self.is_rate_limit and retry_after is None


def _explain_unauthorized(_call: Call, service: Service) -> Explanation:
    if service.auth_name is None:
        return Explanation(
            "the service requires a key, but none is set",
            "Set VALS_AUTH_KEY (or BENCHMARK_API_KEY for a service with legacy keys).",
        )
    hint = f"Check the key in {service.auth_name}"
    if service.bearer:
        hint += "; a service that no longer takes bearer keys requires VALS_AUTH_KEY"
    return Explanation(f"it does not accept {_key(service)}", f"{hint}.")


def _explain_forbidden(call: Call, service: Service) -> Explanation:
    if call.is_v1 and service.bearer:
        hint = "/v1 requires VALS_AUTH_KEY: set it; BENCHMARK_API_KEY is for legacy paths only."
        if call.is_task_list:
            hint += " With tasks from a file (--dataset-file), it is enough for a runner with "
            hint += 'EVALUATION_API = "legacy".'
        cause = f"its /v1 paths do not accept {_key(service)}, which is a bearer key"
        return Explanation(cause, hint)
    hint = "Ask for access to the dataset, or choose another one with --dataset-name."
    if not call.is_v1:
        hint += ' A trial key reaches only /v1: set EVALUATION_API = "v1".'
    if call.path == WEBSOCKET_PATH:  # a path that an ASGI server does not know is a 403
        hint += f" {_NO_WEBSOCKET}"
    return Explanation(f"it does not allow this to {_key(service)}", hint)


def _explain_not_found(call: Call, _service: Service) -> Explanation:
    if call.path == WEBSOCKET_PATH:
        return Explanation(hint=_NO_WEBSOCKET)
    if call.save is not None:
        return Explanation(hint="Correct the inputs of the task at the service.")
    if call.dataset is None:
        return Explanation(hint="Check SERVICE_URL or --service-url, and the dataset's name.")
    return Explanation(hint="Check the name in --dataset-name, or give a file with --dataset-file.")


def _explain_not_implemented(call: Call, _service: Service) -> Explanation:
    if call.path == _LEGACY_PATH:
        return Explanation(hint=_ONLY_WEBSOCKET)
    if not call.is_task_list:
        return Explanation()
    return Explanation(
        "it does not offer a task list", "Give the tasks as a file with --dataset-file."
    )


_MEANINGS: dict[int, StatusMeaning] = {
    HTTPStatus.UNAUTHORIZED: StatusMeaning(errors.AuthenticationError, _explain_unauthorized),
    HTTPStatus.FORBIDDEN: StatusMeaning(errors.PermissionDeniedError, _explain_forbidden),
    HTTPStatus.NOT_FOUND: StatusMeaning(errors.NotFoundError, _explain_not_found),
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: StatusMeaning(
        errors.RejectedRequestError,
        Explanation(hint="Check the user name and the password in HTTP_PROXY or HTTPS_PROXY."),
    ),
    HTTPStatus.REQUEST_TIMEOUT: StatusMeaning(errors.ServiceUnavailableError),
    HTTPStatus.CONFLICT: StatusMeaning(errors.ServiceUnavailableError, is_in_progress=True),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: StatusMeaning(
        errors.RejectedRequestError,
        Explanation(hint="Make the response shorter; retrying will not help."),
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: StatusMeaning(
        errors.RejectedRequestError,
        Explanation("it does not understand the request, which is a bug here or there"),
    ),
    HTTPStatus.TOO_EARLY: StatusMeaning(errors.ServiceUnavailableError),
    HTTPStatus.TOO_MANY_REQUESTS: StatusMeaning(errors.ServiceUnavailableError, is_rate_limit=True),
    HTTPStatus.NOT_IMPLEMENTED: StatusMeaning(errors.UnsupportedError, _explain_not_implemented),
}
_OTHER_BELOW_500 = StatusMeaning(errors.RejectedRequestError)
_OTHER_FROM_500 = StatusMeaning(errors.ServiceUnavailableError)


def meaning_of(status_code: int | None) -> StatusMeaning:
    """Return the meaning of a status other than 2xx; ``None`` is no answer at all."""
    if status_code is None:
        return _OTHER_FROM_500
    is_server_error = status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return _MEANINGS.get(status_code, _OTHER_FROM_500 if is_server_error else _OTHER_BELOW_500)


def is_final(error: errors.ServiceError) -> bool:
    """Return True if the service would answer the same request like this again."""
    return isinstance(error, _FINAL_ERRORS)


def is_settled(status_code: int, detail: str | None) -> bool:
    """Return True if the words of a status that is retried tell that this would be in vain."""
    if status_code == HTTPStatus.CONFLICT:  # or the same task is being evaluated
        return _HAS_CHANGED.search(detail or "") is not None
    is_unavailable = status_code == HTTPStatus.SERVICE_UNAVAILABLE
    return is_unavailable and _NOT_CONFIGURED.search(detail or "") is not None


def wants_another_upload(error: errors.ServiceError, task_id: str, key: str) -> bool:
    """Return True if an evaluation failed as the service has nothing of this key any more."""
    detail = error.detail or ""
    if error.status_code == HTTPStatus.NOT_FOUND:
        # The key holds the id of the task.
        about_file = key in detail or _ABOUT_FILE.search(_named(task_id).sub("", detail))
        is_about_other = is_about_task(error, task_id) and not about_file
        return not (is_about_other or detail.lower().startswith("dataset"))
    return error.status_code == HTTPStatus.CONFLICT and is_settled(error.status_code, detail)


_FINAL_ERRORS = tuple(
    {meaning.error for meaning in (*_MEANINGS.values(), _OTHER_BELOW_500) if not meaning.is_retried}
)


def is_about_dataset(error: errors.ServiceError) -> bool:
    """Return True if a refusal is about the dataset, not about the path."""
    return "dataset" in (error.detail or "").lower()


def leaves_only_v1(error: errors.ServiceError) -> bool:
    """Return True if a refused key may use the ``/v1`` API only."""
    return error.status_code == HTTPStatus.FORBIDDEN and "/v1" in (error.detail or "")


def is_about_task(error: errors.ServiceError, task_id: str) -> bool:
    """Return True if the service does not know a task, which its refusal names."""
    if error.status_code not in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND):
        return False
    said = error.detail or ""
    return said != _NO_SUCH_PATH and _named(task_id).search(said) is not None


def _named(task_id: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(task_id)}(?![\w-])")


def is_about_version(error: errors.ServiceError) -> bool:
    """Return True if a service does not have, or keep to, the version of its dataset."""
    said = (error.detail or "").lower()
    return isinstance(error, errors.BadResponseError) or (
        error.status_code in _ABOUT_VERSION and "version" in said
    )


def is_about_path(error: errors.NotFoundError, dataset: str) -> bool:
    """Return True if the service does not know the path; a 404 may also be about the dataset."""
    said = error.detail or _NO_SUCH_PATH
    return said == _NO_SUCH_PATH or not (is_about_dataset(error) or dataset in said)


def explain_redirect(service: Service, location: str) -> Explanation:
    """Explain an answer that points to ``location``."""
    target = _origin(service.url, location)
    if target not in (None, _origin(service.url)):
        place, hint = target, f"If {target} is the service's address, set SERVICE_URL or "
        hint += "--service-url to it"
    else:
        place, hint = "another path of its own", "Check the path in SERVICE_URL or --service-url"
    return Explanation(
        f"it redirects to {place}",
        f"{hint}; redirects are not followed, so that no key goes astray.",
    )


def hint_for_unavailable(
    call: Call, service: Service, status_code: int | None, *, timed_out: bool
) -> str:
    """Return the hint of a call that had no usable answer in any attempt."""
    if timed_out and call.is_work:
        otherwise = "make the grader faster" if service.local else "check that the service is up"
        return f"Give a longer --eval-timeout if evaluating is slow, or {otherwise}."
    if service.local:
        return "Correct what it names, then run the same command again: what was generated is kept."
    if status_code is None:
        return "Check SERVICE_URL or --service-url, and that the service is up."
    if status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        hint = "The service is in trouble: run the same command again later."
        is_unknown = (call.path, status_code) == (_LEGACY_PATH, HTTPStatus.INTERNAL_SERVER_ERROR)
        return f"{hint} {_ONLY_WEBSOCKET}" if is_unknown else hint
    return "The service is busy: run the same command again later, or lower --eval-parallelism."


def _key(service: Service) -> str:
    return f"the key in {service.auth_name}" if service.auth_name else "a call without a key"


def _origin(url: str, location: str = "") -> str | None:
    try:
        parts = urlsplit(urljoin(url, location))
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return None
    host = parts.hostname
    if not host:
        return None
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
