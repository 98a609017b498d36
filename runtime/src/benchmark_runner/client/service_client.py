"""The typed client of the benchmark service: every request of the service contract."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Self

import httpx
from pydantic import JsonValue

from benchmark_runner import schemas
from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._redaction import Redactor
from benchmark_runner._secrets import keys_in, looks_like_a_key, secrets_of_environment
from benchmark_runner.client.call import Call, Service, post, task_list_path, verify_paths
from benchmark_runner.client.channel import Channel
from benchmark_runner.client.dataset_version import ask_versions, resolve_dataset
from benchmark_runner.client.endpoint import Endpoint, headers_from_environment
from benchmark_runner.client.failure import unavailable
from benchmark_runner.client.http_call import HttpCalls
from benchmark_runner.client.own_headers import own_headers
from benchmark_runner.client.response import Answer
from benchmark_runner.client.retry import RetryNotice, RetryPolicy, TransientError
from benchmark_runner.client.typed_calls import TypedCalls
from benchmark_runner.errors import UsageError

__all__ = ["BenchmarkServiceClient", "build_client"]

_V1_SCORE = "/v1/score"
#: Seconds for one attempt of ``/health``.
_HEALTH_TIMEOUT = 5.0


class BenchmarkServiceClient:
    """A client of one benchmark service; close it, or use it as a context manager.

    Every method raises a :class:`~benchmark_runner.errors.ServiceError` of the class that
    tells what went wrong, with a message that names the service, the dataset and the cause.

    Args:
        base_url: The service's URL; user info in it is sent as basic authentication and shown
            nowhere.
        headers: Sent with every request; their values are secrets.
        own_headers: Likewise, for the deployment's own use: none of them is the service's key.
        timeout: Seconds for one attempt of an evaluation or scoring call, all phases together,
            and for the task list with its retries.
        retry: How often and how long to retry.
        transport: Replaces the network, for an ASGI app in the same process.
        max_connections: The most requests at a time, fewer while the service says that it
            has no capacity; further calls wait for a free one, and that wait does not count
            as part of an attempt's ``timeout``.
        local: Whether this is the embedded service.
        allow_insecure_http: Send keys over plain http to a host that is not this machine.
        on_retry: Called before each wait for another attempt.
        auth_name: The key's name in messages, for example its environment variable.

    Attributes:
        base_url: The service's URL without user info.
        local: As given.
        calls: The calls that the methods are made of.
        versions: What the service has last said of its versions; ``None`` if it was not asked,
            or not about the version of the dataset that it depends on.

    Raises:
        UsageError: the URL, a key, or the environment's proxy or certificates are not
            usable, or a key would go over plain http.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        own_headers: Mapping[str, str] | None = None,
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
        endpoint = Endpoint.of(
            base_url, headers or {}, auth_name, trusted=local, own_headers=own_headers
        )
        if not allow_insecure_http:
            endpoint.refuse_exposed_key()
        self.base_url = endpoint.url
        self.local = local
        self.versions: schemas.VersionResponse | None = None
        known = (key for text in secrets_of_environment(os.environ) for key in keys_in(text))
        service = Service(
            url=endpoint.url,
            local=local,
            auth_name=endpoint.auth_name,
            bearer=endpoint.bearer,
            # Also the author's, as a message that is cut must not end in a part of one.
            redactor=Redactor([*endpoint.secrets, *filter(looks_like_a_key, known)]),
        )
        http = HttpCalls(endpoint, service, max_connections=max_connections, transport=transport)
        self.calls = TypedCalls(
            service, http, timeout, retry or RetryPolicy(), on_retry, allow_insecure_http
        )

    @property
    def auth_name(self) -> str | None:
        """The source of the key, for example ``VALS_AUTH_KEY``; never the key itself."""
        return self._service.auth_name

    @property
    def _service(self) -> Service:
        return self.calls.service

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self.calls.http.aclose()

    async def health(self, *, retry: RetryPolicy | None = None) -> None:
        """Return if the service says that it is well; needs no key, and ends within seconds."""
        call = Call("check the health of the service", "GET", "/health")
        answer = await self.calls.ask_quickly(call, retry, attempt_limit=_HEALTH_TIMEOUT)
        health = self.calls.parsed(call, answer, schemas.HealthResponse)
        if not health.is_well:
            failure = TransientError(f"it says that it is not well: {health.status!r}")
            raise unavailable(call, self._service, failure)

    async def version(
        self, dataset: str | None = None, *, retry: RetryPolicy | None = None
    ) -> schemas.VersionResponse:
        """Return the versions of the service and of a dataset; needs no key."""
        self.versions = await ask_versions(self.calls, dataset, retry)
        return self.versions

    def pin(self, version: schemas.DatasetVersion) -> None:
        """Ask for this version of the dataset from now on, and refuse answers of another one."""
        self.calls.http.pinned = version
        if self.versions is not None and self.versions.eval_mode == "local":
            self.versions = None  # an embedded service's own is another one for each version

    @property
    def pinned(self) -> schemas.DatasetVersion | None:
        """The version of the dataset that the client is pinned to."""
        return self.calls.http.pinned

    async def resolve_dataset(
        self, dataset: str | None = None, selector: str | None = None
    ) -> schemas.DatasetVersion:
        """Return the version of a dataset that ``selector`` means; the default one without."""
        return await resolve_dataset(self.calls, dataset, selector)

    async def verify_task_ids(
        self,
        task_ids: Sequence[str],
        dataset: str | None = None,
        *,
        retry: RetryPolicy | None = None,
    ) -> list[str]:
        """Check that the service knows these tasks, and return their ids; costs no quota.

        Many ids become several requests, as one would overflow the URL.
        """
        verified: list[str] = []
        for path in verify_paths(task_ids, dataset):
            call = Call("verify task ids", "GET", path, dataset)
            answer = await self.calls.ask_quickly(call, retry)
            verified += self.calls.parsed(call, answer, schemas.VerifyTaskIdsResponse).task_ids
        return verified

    async def list_tasks(
        self, dataset: str, *, retry: RetryPolicy | None = None
    ) -> schemas.TaskListResponse:
        """Return the tasks of a dataset, without their reference answers."""
        call = Call("list the tasks", "GET", task_list_path(dataset), dataset)
        # It may be large, and slow to make.
        answer = await self.calls.ask_quickly(call, retry, limit=self.calls.timeout)
        return self.calls.parsed(call, answer, schemas.TaskListResponse)

    async def find_v1(self, dataset: str) -> None:
        """Return if the service has the ``/v1`` API, by its list of the dataset's tasks.

        The list itself is not read.
        """
        call = Call("find the /v1 API", "GET", task_list_path(dataset), dataset, reads_answer=False)
        await self.calls.ask_quickly(call, None)

    def open_channel(self, call: Call) -> AbstractAsyncContextManager[Channel]:
        """Open a WebSocket connection for a call, and close it at the end of the block."""
        return self.calls.http.channels.open(call, self.pinned)

    async def evaluate_response(
        self, *, task_id: str, response: str, dataset: str | None = None
    ) -> JsonValue:
        """Evaluate one response by the legacy API, and return the grader's JSON."""
        request = schemas.EvaluateResponseRequest(
            task_id=task_id, response=response, dataset=dataset
        )
        call = post(self._service, f"evaluate task {task_id!r}", "/evaluate-response/", request)
        return self.calls.read(call, await self.calls.ask(call), Answer.json)

    async def final_score(
        self, evaluation_results: Mapping[str, JsonValue], dataset: str | None = None
    ) -> schemas.FinalScoreResponse:
        """Score a run by the legacy API; a task without an evaluation is ``None``."""
        request = schemas.FinalScoreRequest(evaluation_results={}, dataset=dataset)
        return await self.score_each(request, evaluation_results.items())

    async def evaluate(self, request: schemas.V1EvaluateRequest) -> schemas.V1EvaluateResponse:
        """Evaluate one response by ``/v1``; a grader's failure is ``status: error``."""
        call = post(self._service, f"evaluate task {request.task_id!r}", "/v1/evaluate", request)
        answer = await self.calls.ask(call)
        evaluation = self.calls.parsed(call, answer, schemas.V1EvaluateResponse)
        self.calls.refuse_another(call, answer, "task", evaluation.task_id, request.task_id)
        self.calls.refuse_another(call, answer, "run", evaluation.run_id, request.run_id)
        return evaluation

    async def score(self, request: schemas.V1ScoreRequest) -> schemas.V1ScoreResponse:
        """Score a run by ``/v1``; a task without an evaluation is ``None``."""
        call = post(self._service, f"score run {request.run_id!r}", _V1_SCORE, request)
        return self._parsed_v1_score(call, await self.calls.ask(call), request)

    async def score_each(
        self,
        request: schemas.FinalScoreRequest,
        results: Iterable[tuple[str, JsonValue]],
        *,
        retry: RetryPolicy | None = None,
    ) -> schemas.FinalScoreResponse:
        """Score a run by the API that ``request`` is of, with one result in memory at a time.

        Args:
            request: What is sent, but for the results.
            results: The tasks with their results, iterated in a thread.
            retry: How often and how long to retry, if not as the client does.
        """
        what, path = "score the run", "/final-score/"
        if isinstance(request, schemas.V1ScoreRequest):
            what, path = f"score run {request.run_id!r}", _V1_SCORE
        call = await run_in_thread(post, self._service, what, path, request, results)
        try:
            answer = await self.calls.ask(call, retry)
        finally:
            call.close()
        if isinstance(request, schemas.V1ScoreRequest):
            return self._parsed_v1_score(call, answer, request)
        return self.calls.parsed(call, answer, schemas.FinalScoreResponse)

    def _parsed_v1_score(
        self, call: Call, answer: Answer, request: schemas.V1ScoreRequest
    ) -> schemas.V1ScoreResponse:
        score = self.calls.parsed(call, answer, schemas.V1ScoreResponse)
        self.calls.refuse_another(call, answer, "run", score.run_id, request.run_id)
        return score


def build_client(
    service_url: str,
    timeout: float = 300.0,
    *,
    retry: RetryPolicy | None = None,
    allow_insecure_http: bool = False,
    max_connections: int = 20,
    on_retry: Callable[[RetryNotice], None] | None = None,
    header_flags: Sequence[str] = (),
) -> BenchmarkServiceClient:
    """Make a client with the key and the headers that the environment holds.

    ``VALS_AUTH_KEY`` (or ``VALS_API_KEY``, its other name) wins; then no bearer key is sent.
    ``BENCHMARK_API_KEY`` is the legacy bearer key. Without any, no key is sent. ``SERVICE_HEADERS``
    holds headers of the deployment's own, over which those in ``header_flags`` go: ``NAME=VALUE``.
    The other arguments, and the errors, are those of :class:`BenchmarkServiceClient`.
    """
    headers, variable = headers_from_environment()
    return BenchmarkServiceClient(
        service_url,
        headers=headers,
        own_headers=own_headers(header_flags),
        timeout=timeout,
        retry=retry,
        allow_insecure_http=allow_insecure_http,
        max_connections=max_connections,
        on_retry=on_retry,
        auth_name=variable,
    )
