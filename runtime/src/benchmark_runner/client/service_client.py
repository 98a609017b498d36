"""The only door to the network: a typed client of the benchmark service.

It authenticates, retries what another try may heal, and turns every failure into one of
the errors of :mod:`benchmark_runner.errors`. What it speaks is the service contract.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import aclosing
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Self, TypeVar, cast
from urllib.parse import quote, urlencode
from urllib.request import getproxies

import httpx
from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from benchmark_runner._concurrency.thread_pool import beside_loop
from benchmark_runner._json import filled
from benchmark_runner._redaction import forms_of
from benchmark_runner._scores import is_finite
from benchmark_runner._secrets import looks_like_a_key, secrets_of_environment
from benchmark_runner.client.adaptive_limit import AdaptiveLimit
from benchmark_runner.client.call import (
    Call,
    Service,
    bad_response,
    refusal,
    unavailable,
)
from benchmark_runner.client.endpoint import Endpoint, headers_from_environment
from benchmark_runner.client.response import (
    ACCEPTED_ENCODING,
    Answer,
    UnreadableError,
    read_answer,
)
from benchmark_runner.client.retry import (
    RetryNotice,
    RetryPolicy,
    TransientError,
    call_with_retries,
)
from benchmark_runner.client.transport import AiohttpClient
from benchmark_runner.errors import RejectedRequestError, UsageError, describe
from benchmark_runner.schemas import (
    EvaluateResponseRequest,
    FinalScoreRequest,
    FinalScoreResponse,
    TaskListResponse,
    V1EvaluateRequest,
    V1EvaluateResponse,
    V1ScoreRequest,
    V1ScoreResponse,
    VerifyTaskIdsResponse,
    VersionResponse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

ModelT = TypeVar("ModelT", bound=BaseModel)

_FINAL_SCORE = "/final-score/"
_V1_SCORE = "/v1/score"
_CONNECT_TIMEOUT = 10.0
_QUICK_CONNECT_TIMEOUT = 5.0
#: Seconds in which a service that is up has answered what needs no work, retries included.
_QUICK_TIMEOUT = 10.0
#: Seconds for one try of ``/health``.
_HEALTH_TIMEOUT = 5.0
#: Some gateways refuse request lines of more than 4,094 bytes.
_MAX_PATH_LENGTH = 4000
#: Bytes of an answer, decompressed; a grade of this size is a fault, a task list is not.
_LARGEST_ANSWER = 32 * 1024**2
_LARGEST_TASK_LIST = 1024**3


class BenchmarkServiceClient:
    """A client of one benchmark service; close it, or use it as a context manager.

    Every method raises a :class:`~benchmark_runner.errors.ServiceError` of the class that
    tells what went wrong, with a message that names the service, the dataset and the cause.

    Args:
        base_url: Where the service is; user info in it is sent as basic authentication and
            shown nowhere.
        headers: Sent with every request; their values are secrets.
        timeout: Seconds for one try of a grading or scoring call, all phases together, and
            for the task list with its retries.
        retry: How often and how long to retry.
        transport: Replaces the network, for an ASGI app in the same process.
        max_connections: The most requests at a time, fewer while the service says that it
            has no capacity; further calls wait for a free one, and that wait does not count
            as part of a try's ``timeout``.
        local: Whether this is the embedded service.
        allow_insecure_http: Send keys over plain http to a host that is not this machine.
        on_retry: Called before each wait for another try.
        auth_name: What messages call the key, for example its environment variable.

    Raises:
        UsageError: the URL, a key, or the environment's proxy or certificates are not
            usable, or a key would go over plain http.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 300.0,
        retry: RetryPolicy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        max_connections: int = 20,
        local: bool = False,
        allow_insecure_http: bool = False,
        on_retry: Callable[[RetryNotice], None] | None = None,
        auth_name: str | None = None,
    ) -> None:
        if not timeout > 0:
            message = f"the service's time-out must be more than 0 seconds, not {timeout:g}"
            raise UsageError(message, hint="Give --eval-timeout more than 0.")
        if max_connections < 1:
            message = f"the service needs at least 1 connection, not {max_connections}"
            raise UsageError(message, hint="Give --eval-parallelism 1 or more.")
        endpoint = Endpoint.of(base_url, headers or {}, auth_name, trusted=local)
        if not allow_insecure_http:
            endpoint.refuse_exposed_key()
        self.base_url = endpoint.url
        self.local = local
        self.timeout = timeout
        self.retry = retry or RetryPolicy()
        self.quick_retry = RetryPolicy(
            attempts=min(self.retry.attempts, 5),
            total_time=min(self.retry.total_time, _QUICK_TIMEOUT),
            first_wait=min(self.retry.first_wait, 0.25),
            max_wait=min(self.retry.max_wait, 1.0),
        )
        """For the calls made before anything runs: a service that is down is told at once."""
        self.on_retry = on_retry
        self._service = Service(
            url=endpoint.url,
            local=local,
            auth_name=endpoint.auth_name,
            bearer=endpoint.bearer,
            # Also the author's, as a message that is cut must not end in a part of one.
            secrets=forms_of(endpoint.secrets.union(_keys_of_environment())),
        )
        # The connections have no bound of their own: waiting for one would be part of a
        # request's time.
        self._limit = AdaptiveLimit(max_connections)
        self._http = _connections(endpoint, transport)
        self._headers = self._http.headers
        self._headers_of_json = httpx.Headers(self._headers)
        self._headers_of_json["host"] = httpx.URL(self.base_url).netloc.decode("ascii")
        self._headers_of_json["content-type"] = "application/json"

    @property
    def auth_name(self) -> str | None:
        """Where the key is from, for example ``VALS_AUTH_KEY``; never the key itself."""
        return self._service.auth_name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def health(self, *, retry: RetryPolicy | None = None) -> None:
        """Return if the service is up; needs no key, and ends within seconds."""
        call = Call("check the health of the service", "GET", "/health")
        response = await self._ask_quickly(call, retry, try_limit=_HEALTH_TIMEOUT)
        document = self._json(call, response)
        if not isinstance(document, dict) or not isinstance(document.get("status"), str):
            raise bad_response(call, self._service, "it holds no status", response.status)

    async def version(
        self, dataset: str | None = None, *, retry: RetryPolicy | None = None
    ) -> VersionResponse:
        """Ask for the versions of the service and of a dataset; needs no key."""
        path = "/version" + _query(dataset=dataset)
        call = Call("ask for the version of the service", "GET", path, dataset)
        return self._parsed(call, await self._ask_quickly(call, retry), VersionResponse)

    async def verify_task_ids(
        self,
        task_ids: Sequence[str],
        dataset: str | None = None,
        *,
        retry: RetryPolicy | None = None,
    ) -> list[str]:
        """Ask whether the service knows these tasks; costs no quota.

        Many ids become several requests, as one would overflow the URL.

        Returns:
            The ids as the service repeats them.
        """
        verified: list[str] = []
        for path in _verify_paths(task_ids, dataset):
            call = Call("verify task ids", "GET", path, dataset)
            response = await self._ask_quickly(call, retry)
            verified += self._parsed(call, response, VerifyTaskIdsResponse).task_ids
        return verified

    async def list_tasks(
        self, dataset: str, *, retry: RetryPolicy | None = None
    ) -> TaskListResponse:
        """Ask for the tasks of a dataset, without their reference answers."""
        path = f"/v1/datasets/{quote(dataset, safe='', errors='surrogatepass')}/tasks"
        call = Call("list the tasks", "GET", path, dataset)
        # It may be large, and slow to make.
        response = await self._ask_quickly(call, retry, limit=self.timeout)
        return self._parsed(call, response, TaskListResponse)

    async def evaluate_response(
        self, *, task_id: str, response: str, dataset: str | None = None
    ) -> JsonValue:
        """Have one response graded by the legacy API.

        Returns:
            The grader's JSON, whatever its type.
        """
        request = EvaluateResponseRequest(task_id=task_id, response=response, dataset=dataset)
        call = self._post(f"grade task {task_id!r}", "/evaluate-response/", request, dataset)
        return self._json(call, await self._ask(call))

    async def final_score(
        self, evaluation_results: Mapping[str, JsonValue], dataset: str | None = None
    ) -> FinalScoreResponse:
        """Have a run scored by the legacy API; a task without an eval is ``None``."""
        request = FinalScoreRequest(evaluation_results={**evaluation_results}, dataset=dataset)
        call = self._post("score the run", _FINAL_SCORE, request, dataset)
        return self._parsed(call, await self._ask(call), FinalScoreResponse)

    async def evaluate(self, request: V1EvaluateRequest) -> V1EvaluateResponse:
        """Have one response graded by ``/v1``; a grader's failure is ``status: error``."""
        what = f"grade task {request.task_id!r}"
        call = self._post(what, "/v1/evaluate", request, request.dataset)
        response = await self._ask(call)
        answer = self._parsed(call, response, V1EvaluateResponse)
        if answer.task_id not in (None, request.task_id):
            problem = f"it is about task {answer.task_id!r}"
            raise bad_response(call, self._service, problem, response.status)
        return answer

    async def score(self, request: V1ScoreRequest) -> V1ScoreResponse:
        """Have a run scored by ``/v1``; a task without an eval is ``None``."""
        what = f"score run {request.run_id!r}"
        call = self._post(what, _V1_SCORE, request, request.dataset)
        return self._parsed(call, await self._ask(call), V1ScoreResponse)

    async def score_each(
        self, request: FinalScoreRequest, results: Iterable[tuple[str, JsonValue]]
    ) -> FinalScoreResponse:
        """Have a run scored by the API that ``request`` is of, with one result in memory at a time.

        Args:
            request: What is sent, but for the results.
            results: The tasks with their results, taken in a thread.
        """
        is_v1 = isinstance(request, V1ScoreRequest)
        path = _V1_SCORE if is_v1 else _FINAL_SCORE
        what = f"score run {request.run_id!r}" if is_v1 else "score the run"
        call = await beside_loop(self._post, what, path, request, request.dataset, results)
        answer = await self._ask(call)
        call = replace(call, body=None)  # as large as the answer that is taken apart now
        return self._parsed(call, answer, FinalScoreResponse)

    def _post(
        self,
        what: str,
        path: str,
        request: BaseModel,
        dataset: str | None,
        results: Iterable[tuple[str, JsonValue]] = (),
    ) -> Call:
        # Only the dataset is left out when it is None: a null result means something.
        left_out = {"dataset"} if dataset is None else None
        try:
            body = to_json(request, by_alias=True, exclude=left_out)
            if results:
                text = BytesIO()
                text.writelines(filled(body, (b'"evaluation_results":{', map(_member, results))))
                body = text.getvalue()
        except PydanticSerializationError:
            call = Call(what, "POST", path, dataset)
            raise RejectedRequestError(
                call.failed(self._service, "the request holds text that is not valid Unicode"),
                hint="Remove lone surrogates from the response.",
            ) from None
        return Call(what, "POST", path, dataset, body)

    async def _ask(self, call: Call) -> Answer:
        try:
            return await call_with_retries(
                lambda: self._try(call, self.timeout), self.retry, self._notify
            )
        except TransientError as failure:
            raise unavailable(call, self._service, failure) from None

    async def _ask_quickly(
        self,
        call: Call,
        retry: RetryPolicy | None,
        *,
        limit: float | None = None,
        try_limit: float | None = None,
    ) -> Answer:
        policy = retry or self.quick_retry
        limit = _QUICK_TIMEOUT if limit is None else limit
        try:
            async with asyncio.timeout(limit):
                return await call_with_retries(
                    lambda: self._try(call, try_limit, quick=True), policy, self._notify
                )
        except TimeoutError:
            failure = TransientError(f"no answer within {limit:g} s", timed_out=True)
            raise unavailable(call, self._service, failure) from None
        except TransientError as failure:
            raise unavailable(call, self._service, failure) from None

    async def _try(self, call: Call, limit: float | None, *, quick: bool = False) -> Answer:
        # The place is free again while a retry waits.
        async with self._limit as began:
            response = await self._send(call, limit, quick=quick)
            if response.is_success:
                self._limit.grow()
                return response
            failure = refusal(
                call, self._service, response.status, response.headers, response.content
            )
            if isinstance(failure, TransientError) and failure.lacks_capacity:
                self._limit.cut(began)
            raise failure

    async def _send(self, call: Call, limit: float | None, *, quick: bool) -> Answer:
        connect = _QUICK_CONNECT_TIMEOUT if quick else _CONNECT_TIMEOUT
        most = _LARGEST_TASK_LIST if call.is_task_list else _LARGEST_ANSWER
        deadline = asyncio.timeout(limit)
        try:
            async with deadline:
                response = await self._http.exchange(self._request(call, connect))
                async with aclosing(response):
                    return await read_answer(response, most)
        except httpx.ConnectTimeout:
            failure = TransientError(f"no connection within {connect:g} s")
            if quick:  # the system has repeated its own tries all that time
                raise unavailable(call, self._service, failure) from None
            raise failure from None
        except (httpx.TransportError, OSError) as error:
            if deadline.expired():
                raise TransientError(f"no answer within {limit:g} s", timed_out=True) from None
            raise TransientError(self._service.redact(describe(error))) from None
        except UnreadableError as error:
            raise bad_response(call, self._service, str(error), HTTPStatus.OK) from None
        except (ValueError, ArithmeticError, httpx.InvalidURL, ExceptionGroup) as error:
            # What the libraries below make of an address that can't be; no retry heals it.
            failure = TransientError(self._service.redact(describe(_first(error))))
            raise unavailable(call, self._service, failure) from None

    def _request(self, call: Call, connect: float) -> httpx.Request:
        # What the client itself would build, without finding out for each what never differs.
        url = _url(self.base_url + call.path)
        extensions = {"timeout": {"connect": connect, "read": None, "write": None, "pool": None}}
        if call.body is None:
            return httpx.Request(call.method, url, headers=self._headers, extensions=extensions)
        request = httpx.Request(
            call.method,
            url,
            headers=self._headers_of_json,
            stream=httpx.ByteStream(call.body),
            extensions=extensions,
        )
        request.headers["content-length"] = f"{len(call.body)}"
        return request

    def _notify(self, notice: RetryNotice) -> None:
        if self.on_retry is not None:
            self.on_retry(notice)

    def _json(self, call: Call, response: Answer) -> JsonValue:
        try:
            document = cast("JsonValue", from_json(response.content, allow_inf_nan=False))
        except ValueError as error:
            problem = f"it is not valid JSON ({error})"
            raise bad_response(call, self._service, problem, response.status) from None
        if not is_finite(document):
            problem = "it holds a number that is not finite"
            raise bad_response(call, self._service, problem, response.status)
        return document

    def _parsed(self, call: Call, response: Answer, model: type[ModelT]) -> ModelT:
        document = self._json(call, response)
        if isinstance(document, dict):  # a null field is one that was left out
            document = {name: value for name, value in document.items() if value is not None}
        try:
            return model.model_validate(document)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, fault["loc"]))
            problem = f"field {field}: {fault['msg']}" if field else fault["msg"]
            raise bad_response(call, self._service, problem, response.status) from None


def build_client(
    service_url: str,
    timeout: float = 300.0,
    *,
    retry: RetryPolicy | None = None,
    allow_insecure_http: bool = False,
    max_connections: int = 20,
    on_retry: Callable[[RetryNotice], None] | None = None,
) -> BenchmarkServiceClient:
    """Make a client with the key that the environment holds.

    ``VALS_AUTH_KEY`` (or ``VALS_API_KEY``, its other name) wins; then no bearer key is sent.
    ``BENCHMARK_API_KEY`` is the legacy bearer key. Without any, no key is sent.

    Args:
        service_url: Where the service is.
        timeout: Seconds for one try of a grading or scoring call, and for the task list.
        retry: How often and how long to retry.
        allow_insecure_http: Send the key over plain http to another machine.
        max_connections: The most requests at a time.
        on_retry: Called before each wait for another try.

    Raises:
        UsageError: the URL, the key, or the environment's proxy or certificates are not
            usable, or the key would go over plain http.
    """
    headers, variable = headers_from_environment()
    return BenchmarkServiceClient(
        service_url,
        headers=headers,
        timeout=timeout,
        retry=retry,
        allow_insecure_http=allow_insecure_http,
        max_connections=max_connections,
        on_retry=on_retry,
        auth_name=variable,
    )


def _connections(endpoint: Endpoint, transport: httpx.AsyncBaseTransport | None) -> AiohttpClient:
    try:
        return AiohttpClient(
            headers={"accept-encoding": ACCEPTED_ENCODING, **endpoint.headers},
            timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT),
            transport=transport,
            # Loading the trusted certificates costs more than all else here.
            verify=_may_speak_tls(endpoint.url) or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # What is meant for this machine does not go through a proxy.
            mounts={f"all://{endpoint.host}": None} if endpoint.is_loopback else None,
            follow_redirects=False,
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        # Its text may hold the proxy's password.
        raise UsageError(
            "the environment's proxy or certificate settings are not usable "
            f"({type(error).__name__})",
            hint="Correct or unset HTTP_PROXY, HTTPS_PROXY, ALL_PROXY (http and https proxies "
            "only), NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from None


def _may_speak_tls(url: str) -> bool:
    """Whether the service, or a proxy of the environment, is to be asked over TLS."""
    return any(address.startswith("https:") for address in (url, *getproxies().values()))


@lru_cache(maxsize=8)
def _url(text: str) -> httpx.URL:
    return httpx.URL(text)  # nearly all are the same two: to grade, to score


def _member(named: tuple[str, JsonValue]) -> bytes:
    name, value = named
    return b"%b:%b" % (to_json(name), to_json(value, inf_nan_mode="null"))


def _keys_of_environment() -> Iterator[str]:
    return filter(looks_like_a_key, secrets_of_environment(os.environ))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def _query(**fields: str | None) -> str:
    given = {name: value for name, value in fields.items() if value is not None}
    return f"?{urlencode(given, errors='surrogatepass')}" if given else ""


def _verify_paths(task_ids: Sequence[str], dataset: str | None) -> Iterator[str]:
    start = "/verify-task-ids" + _query(dataset=dataset)
    mark = "&" if dataset is not None else "?"
    path = ""
    for task_id in task_ids:
        item = urlencode({"task_ids": task_id}, errors="surrogatepass")
        if path and len(path) + 1 + len(item) > _MAX_PATH_LENGTH:
            yield path
            path = ""
        path = f"{path}&{item}" if path else f"{start}{mark}{item}"
    if path:
        yield path
