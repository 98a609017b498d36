"""Errors of failed calls: each with a message that names the cause, and a hint."""

import json
from http import HTTPStatus
from typing import cast

from benchmark_runner._json import read_json
from benchmark_runner.client.call import Call, Service
from benchmark_runner.client.response import Answer
from benchmark_runner.client.retry import TransientError
from benchmark_runner.client.retry_after import read_retry_after
from benchmark_runner.client.status import (
    explain_redirect,
    hint_for_unavailable,
    is_settled,
    meaning_of,
)
from benchmark_runner.errors import (
    BadResponseError,
    GraderError,
    QuotaExceededError,
    ServiceError,
    ServiceUnavailableError,
    describe,
)

__all__ = [
    "bad_response", "connection_failure", "detail_of", "refusal", "shorten", "status_line",
    "unavailable",
]  # fmt: skip

_DETAIL_LIMIT = 500
#: Characters of a text that are looked at, where only its beginning is shown.
_READ = 16 * 1024


def refusal(
    call: Call, service: Service, answer: Answer, *, source: str | None = None
) -> ServiceError | TransientError:
    """Return the error of an answer other than 2xx: a :class:`TransientError` if it is retried.

    ``source`` is where its status was read, if it is not that of an HTTP answer.
    """
    status = answer.status
    meaning = meaning_of(status)
    detail = detail_of(answer.content, service, whole=status == HTTPStatus.UNPROCESSABLE_ENTITY)
    retry_after = read_retry_after(status, answer.headers, detail)
    if meaning.means_quota(retry_after.seconds):
        until = retry_after.at.isoformat() if retry_after.at else "an unknown time"
        words = f" ({detail})" if detail else ""
        used_up = QuotaExceededError(
            call.failed(service, f"the evaluation quota is used up until {until}{words}"),
            hint=f"Run the same command again after {until}; what was generated is kept.",
            status_code=status,
            detail=detail,
        )
        used_up.resets_at = retry_after.at
        return used_up
    if service.local and status == HTTPStatus.INTERNAL_SERVER_ERROR:
        hint = hint_for_unavailable(call, service, status, timed_out=False)
        cause = detail or "the grader failed"
        return GraderError(
            call.failed(service, cause), hint=hint, status_code=status, detail=detail
        )
    reason = status_line(status, detail, source)
    if meaning.is_retried and not is_settled(status, detail):
        return TransientError(
            reason, status_code=status, detail=detail, retry_after=retry_after.seconds
        )
    location = answer.headers.get("location", "")
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST and location:
        explanation = explain_redirect(service, location)
    else:
        explanation = meaning.explain(call, service)
    cause = reason if explanation.cause is None else f"{explanation.cause} ({reason})"
    return meaning.error(
        call.failed(service, cause), hint=explanation.hint, status_code=status, detail=detail
    )


def unavailable(call: Call, service: Service, failure: TransientError) -> ServiceUnavailableError:
    """Return the error of a call whose last attempt failed like this."""
    # Not how many: tasks that failed for one reason are counted by this text.
    attempts = " (after several attempts)" if failure.attempts > 1 else ""
    error = ServiceUnavailableError(
        call.failed(service, f"{failure.reason}{attempts}"),
        hint=hint_for_unavailable(call, service, failure.status_code, timed_out=failure.timed_out),
        status_code=failure.status_code,
        detail=failure.detail,
    )
    error.timed_out = failure.timed_out
    return error


def connection_failure(service: Service, error: BaseException) -> TransientError:
    """Return the failure of an attempt whose connection raised an error."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return TransientError(service.redactor.clean_text(describe(error)))


def bad_response(call: Call, service: Service, problem: str, status: int) -> BadResponseError:
    """Return the error of an answer that the service contract does not allow."""
    hint = (
        "Correct the grader."
        if service.local
        else "Check that SERVICE_URL or --service-url names a benchmark service."
    )
    cause = f"unexpected response: {service.redactor.clean_text(problem)}"
    return BadResponseError(call.failed(service, cause), hint=hint, status_code=status)


def detail_of(content: bytes | bytearray, service: Service, *, whole: bool = False) -> str | None:
    """Return the service's own words on one line, without secrets; cut unless ``whole``."""
    try:
        document = read_json(content)
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
    if whole:
        return _in_one_line(text, service) or None
    return shorten(text, service) or None


def shorten(text: str, service: Service, most: int = _DETAIL_LIMIT) -> str:
    """Return the beginning of a service's text, on one line and without secrets."""
    if len(text) > _READ:  # the last word may be half a key
        text = text[:_READ].rpartition(" ")[0] or text[:_READ]
    text = _in_one_line(text, service)
    if len(text) > most:
        # Between two words: half a key that only others know of could not be masked any more.
        space = text.rfind(" ", most // 2, most + 1)
        text = f"{text[: space if space > 0 else most]}…"
    return text


def _in_one_line(text: str, service: Service) -> str:
    return " ".join(service.redactor.clean_text(text).split())


def status_line(status: int, detail: str | None, source: str | None = None) -> str:
    """Return a status in words: the service's own, or the usual ones."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"{source or f'HTTP {status}'}: {detail or phrase}".removesuffix(": ")
