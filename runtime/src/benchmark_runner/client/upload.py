"""The upload of an artifact: to the URL that the service gives, without anything else of ours."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin

import httpx

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._redaction import Redactor
from benchmark_runner.client.call import is_key_part, post
from benchmark_runner.client.endpoint import is_loopback_host
from benchmark_runner.client.failure import bad_response, detail_of, status_line, unavailable
from benchmark_runner.client.response import Answer, UnreadableError, read_answer
from benchmark_runner.client.retry import RetryPolicy, TransientError, call_with_retries
from benchmark_runner.client.status import is_about_dataset, meaning_of
from benchmark_runner.errors import (
    RejectedRequestError,
    ServiceError,
    UnusableArtifactError,
    describe,
)
from benchmark_runner.schemas import UploadUrlResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from benchmark_runner.artifacts.kept_file import KeptFile
    from benchmark_runner.client.call import Call
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import UploadUrlRequest

__all__ = ["ask_upload_url", "time_limit", "upload"]

_UPLOAD_URL_PATH = "/v1/submissions/upload-url"
#: Times that a fresh URL is asked for at once, as the one before has expired.
_FRESH_URLS = 2
#: Seconds for a connection, for any upload, and for each byte of it: 128 KiB a second.
_CONNECT_TIMEOUT = 10.0
_LEAST_TIME = 60.0
_TIME_PER_BYTE = 1 / (128 * 1024)
#: Bytes of an answer of the storage that are read.
_LARGEST_ANSWER = 64 * 1024
_EXPIRED = re.compile(r"expir|time frame|skew", re.IGNORECASE)
_OF_A_SIGNATURE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_XML_WORDS = re.compile(r"<(Code|Message)>([^<]*)<")
_OF_STORAGE = (
    "The storage of the service's artifacts refused it: run the same command again later, or tell "
    "those who run the service."
)
_UNREACHABLE = (
    "Check that this machine, or its proxy, reaches the storage of the service's artifacts; then "
    "run the same command again."
)


@dataclass(frozen=True, slots=True)
class _Target:
    """A place to upload to; ``origin`` may be shown, the rest of the URL is a secret."""

    key: str
    url: httpx.URL
    origin: str
    good_until: float

    def clean(self, text: str) -> str:
        """Return a text without what is secret in the URL."""
        query = self.url.query.decode("ascii", "replace")
        values = [value for _, value in parse_qsl(query)]
        values += [item.partition("=")[2] for item in query.split("&")]
        return Redactor([str(self.url), self.url.path, query, *values]).clean_text(text)


async def upload(client: BenchmarkServiceClient, request: UploadUrlRequest, file: KeptFile) -> str:
    """Upload a file, and return the key by which it can be evaluated.

    Raises:
        ServiceError: the service gives no URL, or its storage does not take the file.
        UnusableArtifactError: the file was changed meanwhile.
    """
    calls = client.calls
    call = _call(client, request)
    fresh = _FRESH_URLS

    async def attempt() -> str:
        nonlocal fresh
        while True:
            target = await _target(client, call)
            failure = await _put(client, call, target, file)
            if failure is None:
                return target.key
            if isinstance(failure, _Expired) and fresh:
                fresh -= 1
                continue
            raise failure.error if isinstance(failure, _Expired) else failure

    try:
        return await call_with_retries(attempt, calls.retry, calls.on_retry)
    except TransientError as last:
        error = unavailable(call, calls.service, last)
    error.hint = _UNREACHABLE
    raise error


async def ask_upload_url(
    client: BenchmarkServiceClient, request: UploadUrlRequest, *, retry: RetryPolicy | None = None
) -> None:
    """Ask for the URL of an upload that is not made, which costs no quota.

    Raises:
        ServiceError: the service gives none.
    """
    await _ask(client, _call(client, request), retry)


def time_limit(size: int) -> float:
    """Return the seconds that an upload of so many bytes may take."""
    return _LEAST_TIME + size * _TIME_PER_BYTE


def _call(client: BenchmarkServiceClient, request: UploadUrlRequest) -> Call:
    service = client.calls.service
    what = f"upload the artifact of task {request.task_id!r}"
    call = post(service, what, _UPLOAD_URL_PATH, request)
    for name, part in (("run", request.run_id), ("task", request.task_id)):
        if not is_key_part(part):
            raise RejectedRequestError(
                call.failed(service, f"the {name} id {part!r} can't be part of an upload's key"),
                hint=f"A {name} whose answers are files needs an id of letters, digits, '.', '_' "
                "and '-', up to 128, that begins with a letter or a digit.",
            )
    return call


async def _ask(
    client: BenchmarkServiceClient, call: Call, retry: RetryPolicy | None = None
) -> UploadUrlResponse:
    try:
        answer = await client.calls.ask(call, retry)
    except ServiceError as error:
        _explain(error, bearer=client.calls.service.bearer)
        raise
    return client.calls.parsed(call, answer, UploadUrlResponse)


def _explain(error: ServiceError, *, bearer: bool) -> None:
    if error.status_code == HTTPStatus.FORBIDDEN and not (is_about_dataset(error) or bearer):
        error.hint = (
            "The key may not upload files, as those of trial tenants may not: ask for a full key."
        )
    elif error.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        if error.detail in (None, HTTPStatus(error.status_code).phrase):
            error.hint = (
                "The service takes no artifacts: set SERVICE_URL or --service-url to one that "
                'does, or PAYLOAD_TYPE = "text" in runner/benchmark.py.'
            )
    elif error.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        error.hint = (
            "If it is not configured for artifacts, set up its storage of submissions (those who "
            "run the service can); else run the same command again later."
        )


async def _target(client: BenchmarkServiceClient, call: Call) -> _Target:
    asked_at = monotonic()
    found = await _ask(client, call)
    service = client.calls.service
    try:
        # That of the embedded service may be a path.
        url = httpx.URL(urljoin(f"{service.url}/", found.url) if service.local else found.url)
        is_usable = url.scheme in ("http", "https") and bool(url.host)
    except (httpx.InvalidURL, ValueError):
        url, is_usable = httpx.URL(), False
    if not is_usable or not found.key:
        problem = "its upload URL is no http or https URL" if found.key else "it gives no key"
        raise bad_response(call, service, problem, HTTPStatus.OK)
    origin = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
    private = url.scheme == "https" or service.local or is_loopback_host(url.host)
    if not private and not client.calls.allow_insecure_http:
        raise RejectedRequestError(
            call.failed(service, f"the artifact would go unencrypted to {origin}"),
            hint="Have the service give https URLs, or allow this with --allow-insecure-http.",
        )
    lasts = found.expires_in if found.expires_in and found.expires_in > 0 else float("inf")
    return _Target(found.key, url, origin, asked_at + lasts)


class _Expired(Exception):  # noqa: N818 (it is returned)
    """The URL is not good any more; ``error`` is what says so if no fresh one is."""

    def __init__(self, error: ServiceError) -> None:
        super().__init__()
        self.error = error


async def _put(
    client: BenchmarkServiceClient, call: Call, target: _Target, file: KeptFile
) -> ServiceError | TransientError | _Expired | None:
    """Send the file; return what failed, or ``None``."""
    limit = time_limit(file.artifact.size)
    request = _request(target.url, file)
    deadline = asyncio.timeout(limit)
    try:
        async with deadline:
            transport = client.calls.http.transport_to(target.url)
            response = await transport.handle_async_request(request)
            async with aclosing(response):
                answer = await read_answer(response, _LARGEST_ANSWER)
    except UnreadableError:  # of a success, of which only the status matters
        return None
    except (httpx.TransportError, OSError) as error:
        if isinstance(request.stream, _Pieces) and request.stream.changed is not None:
            raise request.stream.changed from None
        if deadline.expired():
            return TransientError(f"{target.origin} did not take it within {limit:g} s")
        words = _masked(client, target, describe(error))
        return TransientError(f"{target.origin}: {words}")
    return None if answer.is_success else _refusal(client, call, target, answer)


def _request(url: httpx.URL, file: KeptFile) -> httpx.Request:
    # Signed without any other header.
    headers = {"content-length": f"{file.artifact.size}"}
    extensions = {
        "timeout": {"connect": _CONNECT_TIMEOUT, "read": None, "write": None, "pool": None}
    }
    stream = _Pieces(file) if file.content is None else httpx.ByteStream(file.content)
    return httpx.Request("PUT", url, headers=headers, stream=stream, extensions=extensions)


class _Pieces(httpx.AsyncByteStream):
    """The content of a file, read as it is sent."""

    def __init__(self, file: KeptFile) -> None:
        self._file = file
        self.changed: UnusableArtifactError | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._file.pieces()
        try:
            while piece := await run_in_thread(lambda: next(pieces, b"")):
                yield piece
        except UnusableArtifactError as error:  # the network would show it as an error of its own
            self.changed = error
            raise


def _refusal(
    client: BenchmarkServiceClient, call: Call, target: _Target, answer: Answer
) -> ServiceError | TransientError | _Expired:
    status, said = answer.status, _words_of(client, target, answer)
    reason = f"{target.origin} answers {status_line(status, said)}"
    meaning = meaning_of(status)
    if meaning.is_retried:
        return TransientError(reason, status_code=status, detail=said)
    hint = _OF_STORAGE
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        hint = "Make the artifact smaller; retrying will not help."
    elif HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        hint = "It redirects, which is not followed: have the service give the URL itself."
    # Not by the status: a storage that refuses says nothing of our key.
    error = RejectedRequestError(
        call.failed(client.calls.service, reason), hint=hint, status_code=status, detail=said
    )
    is_expired = monotonic() > target.good_until or _EXPIRED.search(said or "")
    return _Expired(error) if is_expired and status in _OF_A_SIGNATURE else error


def _words_of(client: BenchmarkServiceClient, target: _Target, answer: Answer) -> str | None:
    text = answer.content.decode("utf-8", "replace")
    found = [words for _, words in _XML_WORDS.findall(text)]
    words = target.clean(": ".join(found) if found else text)
    return detail_of(words.encode(), client.calls.service)


def _masked(client: BenchmarkServiceClient, target: _Target, text: str) -> str:
    return client.calls.service.redactor.clean_text(target.clean(text))
