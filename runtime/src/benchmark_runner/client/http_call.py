"""Calls over HTTP: their retries, their place among others, their deadlines and errors."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import lru_cache
from http import HTTPStatus
from os import SEEK_END
from typing import IO

import httpx

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.client.adaptive_limit import AdaptiveLimit
from benchmark_runner.client.call import PART, Call, Service
from benchmark_runner.client.channel_opener import ChannelOpener
from benchmark_runner.client.endpoint import Endpoint, is_loopback_host
from benchmark_runner.client.failure import (
    bad_response,
    connection_failure,
    refusal,
    unavailable,
)
from benchmark_runner.client.proxy import proxy_for
from benchmark_runner.client.response import ACCEPTED_ENCODING, Answer, UnreadableError, read_answer
from benchmark_runner.client.retry import (
    LONGER,
    RetryNotice,
    RetryPolicy,
    TransientError,
    call_with_retries,
)
from benchmark_runner.client.status import is_about_version
from benchmark_runner.client.version_header import (
    VERSION_HEADER,
    lost_version_hint,
    refuse_other_version,
)
from benchmark_runner.errors import UsageError
from benchmark_runner.schemas import DatasetVersion

__all__ = ["HttpCalls"]

_CONNECT_TIMEOUT = 10.0
_QUICK_CONNECT_TIMEOUT = 5.0
#: Requests for inputs of tasks at a time.
_INPUTS_AT_ONCE = 8
#: Seconds without a part of a file.
_LONGEST_SILENCE = 60.0
#: Bytes of an answer, decompressed: no evaluation is that large, but a task list may be.
_LARGEST_ANSWER = 32 * 1024**2
_LARGEST_TASK_LIST = 1024**3


class HttpCalls:
    """The calls to one service, at most ``max_connections`` at a time.

    Those for inputs of tasks, and whether the service is well, do not count towards these.
    ``pinned`` is the version of the dataset that every answer has to be of.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        service: Service,
        *,
        max_connections: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._service = service
        # The connections have no bound of their own: waiting for one would be part of a
        # request's time.
        self._limit = AdaptiveLimit(max_connections)
        # A large file must not keep an evaluation waiting, nor a long evaluation an agent.
        self._limit_of_inputs = AdaptiveLimit(_INPUTS_AT_ONCE)
        # It is asked about what holds the places, too.
        self._limit_of_health = AdaptiveLimit(max_connections)
        self._origin = httpx.URL(endpoint.url).netloc
        self._transport = transport or _network(httpx.URL(endpoint.url))
        self._in_process = transport is not None
        self._elsewhere: dict[str, httpx.AsyncBaseTransport] = {}
        own = {"user-agent": f"python-httpx/{httpx.__version__}", **endpoint.headers}
        self.channels = ChannelOpener(service, self._limit, self._transport, own)
        self._headers = httpx.Headers(
            {
                "accept": "*/*",
                "accept-encoding": ACCEPTED_ENCODING,
                "connection": "keep-alive",
                **own,
            }
        )
        self._headers_of_json = httpx.Headers(self._headers)
        self._headers_of_json["host"] = httpx.URL(endpoint.url).netloc.decode("ascii")
        self._headers_of_json["content-type"] = "application/json"
        self.pinned: DatasetVersion | None = None

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in (self._transport, *self._elsewhere.values()):
            await transport.aclose()

    def transport_to(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        """Return what reaches an address that may be another server's, with no header of ours."""
        if self._in_process and url.netloc == self._origin:
            return self._transport
        origin = f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
        if origin not in self._elsewhere:
            self._elsewhere[origin] = _network(url)
        return self._elsewhere[origin]

    async def ask(
        self,
        call: Call,
        policy: RetryPolicy,
        on_retry: Callable[[RetryNotice], None] | None,
        *,
        limit: float | None = None,
        attempt_limit: float | None = None,
        quick: bool = False,
    ) -> Answer:
        """Send a call until it succeeds, or raise the ``ServiceError`` that ends it.

        The limits are the seconds of all attempts and of one, without the waiting for a place. A
        ``quick`` call is not retried where no connection can be made for some seconds.
        """
        try:
            async with asyncio.timeout(limit):
                if call.is_evaluation and attempt_limit is not None:
                    return await self._evaluate(call, policy, on_retry, attempt_limit)
                return await call_with_retries(
                    lambda: self._attempt(call, attempt_limit, quick=quick), policy, on_retry
                )
        except TimeoutError:
            failure = TransientError(f"no answer within {limit:g} s", timed_out=True)
        except TransientError as last:
            failure = last
        raise unavailable(call, self._service, failure)

    async def _evaluate(
        self,
        call: Call,
        policy: RetryPolicy,
        on_retry: Callable[[RetryNotice], None] | None,
        limit: float,
    ) -> Answer:
        """Ask for an evaluation that took too long once more only: each request is paid."""
        seconds = limit

        async def attempt() -> Answer:
            nonlocal seconds
            try:
                return await self._attempt(call, seconds, quick=False)
            except TransientError as failure:
                if not failure.timed_out:
                    raise
                if seconds > limit:
                    failure.reason += f", and before that none within {limit:g} s"
                    raise unavailable(call, self._service, failure) from None
                seconds = LONGER * limit
                raise

        return await call_with_retries(attempt, policy, on_retry, in_progress_time=limit)

    async def _attempt(self, call: Call, limit: float | None, *, quick: bool) -> Answer:
        places = self._limit_of(call)
        async with places as began:  # which is free again while a retry waits
            answer = await self._send(call, limit, quick=quick)
            if answer.is_success:
                places.grow()
                return answer
            failure = refusal(call, self._service, answer)
            if isinstance(failure, TransientError):
                if failure.lacks_capacity:
                    places.cut(began)
            elif self.pinned is not None and call.is_of_version and is_about_version(failure):
                failure.hint = lost_version_hint(self.pinned)
            raise failure

    def _limit_of(self, call: Call) -> AdaptiveLimit:
        if call.is_health:
            return self._limit_of_health
        return self._limit_of_inputs if call.is_input else self._limit

    async def _send(self, call: Call, limit: float | None, *, quick: bool) -> Answer:
        connect = _QUICK_CONNECT_TIMEOUT if quick else _CONNECT_TIMEOUT
        most = _LARGEST_TASK_LIST if call.is_task_list else _LARGEST_ANSWER
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                request = self._request(call, connect)
                # A client of httpx costs as much as the exchange, for what is not used here:
                # redirects, cookies, authentication, a log line.
                response = await self._transport.handle_async_request(request)
                response.request = request
                async with aclosing(response):
                    if response.is_success and self.pinned is not None and call.is_of_version:
                        refuse_other_version(call, self._service, self.pinned, response)
                    if response.is_success and call.save is not None:
                        await call.save(response)
                    elif not response.is_success or call.reads_answer:
                        return await read_answer(response, most)
                    return Answer(response.status_code, response.headers, b"")
        except httpx.ConnectTimeout:
            failure = TransientError(f"no connection within {connect:g} s")
            # If quick, the system has retried by itself all that time.
            raise (unavailable(call, self._service, failure) if quick else failure) from None
        except (httpx.TransportError, OSError) as error:
            if deadline.expired():
                raise TransientError(f"no answer within {limit:g} s", timed_out=True) from None
            raise connection_failure(self._service, error) from None
        except UnreadableError as error:
            raise bad_response(call, self._service, str(error), HTTPStatus.OK) from None
        except (ValueError, ArithmeticError, httpx.InvalidURL, ExceptionGroup) as error:
            # The libraries below can't use the address; retrying will not help.
            raise unavailable(
                call, self._service, connection_failure(self._service, error)
            ) from None

    def _request(self, call: Call, connect: float) -> httpx.Request:
        # As the client itself would build it, without finding out each time what never differs.
        url = _url(self._service.url + call.path)
        silence = None if call.save is None else _LONGEST_SILENCE
        extensions = {"timeout": {"connect": connect, "read": silence, "write": None, "pool": None}}
        if call.body is None:
            return self._with_headers_of(
                call, httpx.Request(call.method, url, headers=self._headers, extensions=extensions)
            )
        if isinstance(call.body, bytes):
            body, length = httpx.ByteStream(call.body), len(call.body)
        else:
            body, length = _FileStream(call.body), call.body.seek(0, SEEK_END)
        request = httpx.Request(
            call.method, url, headers=self._headers_of_json, stream=body, extensions=extensions
        )
        request.headers["content-length"] = f"{length}"
        return self._with_headers_of(call, request)

    def _with_headers_of(self, call: Call, request: httpx.Request) -> httpx.Request:
        if self.pinned is not None and call.is_of_version:
            request.headers[VERSION_HEADER] = self.pinned.id
        if call.save is not None:  # as it is: it may be compressed already
            request.headers["accept-encoding"] = "identity"
        return request


class _FileStream(httpx.AsyncByteStream):
    """A large body, read from its file as it is sent."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await run_in_thread(self._file.seek, 0)
        while part := await run_in_thread(self._file.read, PART):
            yield part


def _network(url: httpx.URL) -> httpx.AsyncBaseTransport:
    # aiohttp takes long to import, and a grader in this process needs none.
    from benchmark_runner.client.transport import AiohttpTransport

    # Requests to this machine do not go through a proxy.
    proxy = None if is_loopback_host(url.host) else proxy_for(url)
    speaks_tls = "https" in (url.scheme, proxy.url.scheme if proxy else "")
    # Loading the trusted certificates costs more than all else here.
    verify = _certificates() if speaks_tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return AiohttpTransport(verify, proxy)


def _certificates() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        variable = next(filter(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")), "SSL_CERT_FILE")
        raise UsageError(
            f"the trusted certificates in {variable} can't be read: {error.strerror or error}",
            hint=f"Correct or unset {variable}.",
        ) from None


@lru_cache(maxsize=8)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)  # nearly all are the same two: to evaluate, to score
