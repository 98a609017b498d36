"""The causes and hints that the errors of refused and unanswered calls carry."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

if TYPE_CHECKING:
    from benchmark_runner.client.call import Call, Service

__all__ = ["UNEXPLAINED", "Explanation"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A status in words, unless the service's own words do, and the way out if one is known."""

    cause: str | None = None
    hint: str | None = None


#: The service's own words say it all.
UNEXPLAINED = Explanation()


def explain_unauthorized(_call: Call, service: Service) -> Explanation:
    """Explain a 401."""
    if service.auth_name is None:
        return Explanation(
            "the service requires a key, but none is set",
            "Set VALS_AUTH_KEY (or BENCHMARK_API_KEY for a service with legacy keys).",
        )
    hint = f"Check the key in {service.auth_name}"
    if service.bearer:
        hint += "; a service that no longer takes bearer keys requires VALS_AUTH_KEY"
    return Explanation(f"it does not accept {_key(service)}", f"{hint}.")


def explain_forbidden(call: Call, service: Service) -> Explanation:
    """Explain a 403."""
    if call.is_v1 and service.bearer:
        hint = "/v1 requires VALS_AUTH_KEY: set it; BENCHMARK_API_KEY is for legacy paths only."
        if call.is_task_list:
            hint += (
                " With tasks from a file (--dataset-file), it is enough for a runner with "
                'EVALUATION_API = "legacy".'
            )
        cause = f"its /v1 paths do not accept {_key(service)}, which is a bearer key"
        return Explanation(cause, hint)
    hint = "Ask for access to the dataset, or choose another one with --dataset-name."
    if not call.is_v1:
        hint += ' A trial key reaches only /v1: set EVALUATION_API = "v1".'
    return Explanation(f"it does not allow this to {_key(service)}", hint)


def explain_not_found(call: Call, _service: Service) -> Explanation:
    """Explain a 404."""
    if call.dataset is None:
        hint = "Check SERVICE_URL or --service-url, and the dataset's name."
    else:
        hint = "Check the name in --dataset-name, or give a file with --dataset-file."
    return Explanation(hint=hint)


def explain_not_implemented(call: Call, _service: Service) -> Explanation:
    """Explain a 501."""
    if not call.is_task_list:
        return UNEXPLAINED
    return Explanation(
        "it does not offer a task list", "Give the tasks as a file with --dataset-file."
    )


def explain_redirect(service: Service, location: str) -> Explanation:
    """Explain an answer that points to ``location``."""
    target = _origin(urljoin(service.url, location))
    if target is not None and target != _origin(service.url):
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
        return "The service is in trouble: run the same command again later."
    return "The service is busy: run the same command again later, or lower --eval-parallelism."


def _key(service: Service) -> str:
    return f"the key in {service.auth_name}" if service.auth_name else "a call without a key"


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
