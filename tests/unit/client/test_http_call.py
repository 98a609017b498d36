from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import JSONResponse

from benchmark_runner.client import service_client as client_module
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import NotFoundError, ServiceUnavailableError
from tests.unit.client.scripted_server import (
    GRADE,
    KEY,
    QUICK,
    Script,
    fails,
    failure,
    grade,
    never_answers,
    stalls_in_the_body,
    v1_request,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.types import Receive, Send

    from tests.unit.client.scripted_server import Answer

pytestmark = pytest.mark.anyio


class TestTransport:
    async def test_down_service_is_reported_in_seconds(self) -> None:
        """A service that is down is reported within seconds, with its address."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        began = time.monotonic()
        error = await fails(
            f"http://127.0.0.1:{port}",
            ServiceUnavailableError,
            BenchmarkServiceClient.health,
            retry=None,
        )
        assert time.monotonic() - began < 5
        assert f"127.0.0.1:{port}" in error.message
        assert "ConnectError" in error.message
        assert "--service-url" in (error.hint or "")
        assert "--eval-timeout" not in (error.hint or "")
        assert error.status_code is None

    async def test_silent_service_is_noticed_in_seconds(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A service that never answers quick requests is noticed within seconds."""
        assert client_module._HEALTH_TIMEOUT * 2 <= client_module._QUICK_TIMEOUT <= 10
        monkeypatch.setattr(client_module, "_HEALTH_TIMEOUT", 0.1)
        monkeypatch.setattr(client_module, "_QUICK_TIMEOUT", 0.3)
        script.answer(never_answers)
        for ask, tries in (
            (BenchmarkServiceClient.health, 2),
            (BenchmarkServiceClient.version, 1),
            (lambda client: client.verify_task_ids(["t1"]), 1),
        ):
            script.seen.clear()
            error = await fails(url, ServiceUnavailableError, ask)
            assert len(script.seen) >= tries
            assert "no answer within" in error.message
            assert "--service-url" in (error.hint or "")
            assert "--eval-timeout" not in (error.hint or "")

    async def test_task_list_has_the_evaluation_timeout(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A task list may take as long as an evaluation."""
        monkeypatch.setattr(client_module, "_QUICK_TIMEOUT", 0.01)

        async def takes_a_while(receive: Receive, send: Send) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.1)
            answer = JSONResponse({"dataset": "d", "tasks": []})
            await answer({"type": "http", "method": "GET"}, receive, send)

        script.answer(takes_a_while)
        async with BenchmarkServiceClient(url, timeout=10) as client:
            assert (await client.list_tasks("d")).tasks == []
        script.answer(never_answers)
        error = await fails(
            url, ServiceUnavailableError, lambda client: client.list_tasks("d"), timeout=0.1
        )
        assert "no answer within 0.1 s" in error.message

    async def test_only_a_timeout_suggests_a_longer_one(self, script: Script, url: str) -> None:
        """Only an answer that took too long suggests a longer timeout."""
        with closing_server(closes=99) as (closing, _):
            error = await fails(closing, ServiceUnavailableError)
        assert "--eval-timeout" not in (error.hint or "")

    @pytest.mark.parametrize(
        ("raised", "tries"),
        [
            (OSError("odd"), 2),
            (OverflowError("odd"), 1),
            (UnicodeError("odd"), 1),
            (ValueError("odd"), 1),
            (httpx.InvalidURL("odd"), 1),
            (ExceptionGroup("g", [ExceptionGroup("g", [OverflowError("odd")])]), 1),
        ],
    )
    async def test_any_network_error_is_one_sentence(self, raised: Exception, tries: int) -> None:
        """Any error of the network becomes a ServiceUnavailableError of one line."""
        asked: list[httpx.Request] = []

        class Odd(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                asked.append(request)
                raise raised

        retry = RetryPolicy(attempts=2, first_wait=0)
        error = await fails("https://host", ServiceUnavailableError, transport=Odd(), retry=retry)
        assert "Error: odd" in error.message or "InvalidURL: odd" in error.message
        assert len(asked) == tries

    async def test_name_that_is_not_unicode_is_sent(self, script: Script, url: str) -> None:
        """A name that is not valid Unicode is sent, and the error can be printed."""
        script.answer(failure(404, "Dataset not found"))
        for ask in (
            lambda client: client.list_tasks("\udcff"),
            lambda client: client.version("\udcff"),
            lambda client: client.verify_task_ids(["\udcff"], "d"),
        ):
            error = await fails(url, NotFoundError, ask)
            error.message.encode()

    async def test_closed_connection_is_retried(self) -> None:
        """A connection that closes without an answer is retried."""
        with closing_server(closes=2) as (url, accepted):
            async with BenchmarkServiceClient(url, retry=QUICK) as client:
                assert await grade(client) == GRADE
        assert len(accepted) == 3

    async def test_always_closed_connection_is_reported(self) -> None:
        """A connection that always closes is reported after the attempts."""
        with closing_server(closes=99) as (url, accepted):
            error = await fails(url, ServiceUnavailableError)
        assert len(accepted) == QUICK.attempts
        assert "RemoteProtocolError" in error.message or "ReadError" in error.message

    @pytest.mark.parametrize("slow", [never_answers, stalls_in_the_body])
    async def test_timeout_covers_all_phases(self, script: Script, url: str, slow: Answer) -> None:
        """The timeout covers all phases of one attempt, which is retried."""
        script.answer(slow, GRADE)
        async with BenchmarkServiceClient(url, retry=QUICK, timeout=0.2) as client:
            assert await grade(client) == GRADE
        script.answer(slow)
        error = await fails(
            url, ServiceUnavailableError, timeout=0.05, retry=RetryPolicy(2, first_wait=0.001)
        )
        assert "no answer within 0.2 s, and before that none within 0.05 s" in error.message
        assert "--eval-timeout" in (error.hint or "")

    @pytest.mark.parametrize(
        "ask", [grade, lambda client: client.evaluate(v1_request())], ids=["legacy", "v1"]
    )
    async def test_slow_evaluation_is_asked_for_twice(
        self, script: Script, url: str, ask: Callable[[BenchmarkServiceClient], Awaitable[object]]
    ) -> None:
        """An evaluation that takes too long is asked for once more only: each one is paid."""
        script.answer(never_answers)
        error = await fails(url, ServiceUnavailableError, ask, timeout=0.05)
        assert error.timed_out
        assert len(script.seen) == 2

    async def test_second_request_may_take_longer(self, script: Script, url: str) -> None:
        """The second request for an evaluation has more time than the first one."""

        async def takes_a_while(receive: Receive, send: Send) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.5)
            await JSONResponse(GRADE)({"type": "http", "method": "POST"}, receive, send)

        script.answer(takes_a_while)
        async with BenchmarkServiceClient(url, retry=QUICK, timeout=0.3) as client:
            assert await grade(client) == GRADE
        assert len(script.seen) == 2

    async def test_other_evaluation_is_waited_for(self, script: Script, url: str) -> None:
        """After a 409 it is asked for again as long as an evaluation may take."""
        busy = failure(409, "is being evaluated")
        script.answer(never_answers, *[busy] * 5, GRADE)
        none = RetryPolicy(total_time=0.1, first_wait=0.05, max_wait=0.05)
        async with BenchmarkServiceClient(url, retry=none, timeout=1) as client:
            assert await grade(client) == GRADE
        assert len(script.seen) == 7

    async def test_scoring_may_be_asked_for_again(self, script: Script, url: str) -> None:
        """A score costs nothing: it is asked for as often as the policy says."""
        script.answer(never_answers)
        three = RetryPolicy(3, first_wait=0.001)
        await fails(
            url,
            ServiceUnavailableError,
            lambda client: client.final_score({}),
            timeout=0.05,
            retry=three,
        )
        assert len(script.seen) == 3

    async def test_only_our_timeout_ends_an_evaluation(self) -> None:
        """No timeout of the HTTP library ends an evaluation."""
        limits: list[object] = []

        def answer(request: httpx.Request) -> httpx.Response:
            limits.append(request.extensions["timeout"])
            return httpx.Response(200, json={"status": "evaluated", "final_score": 1.0})

        async with BenchmarkServiceClient(
            "https://host", timeout=600, transport=httpx.MockTransport(answer)
        ) as client:
            await grade(client)
            await client.evaluate(v1_request())
            await client.final_score({"t1": None})
        assert limits == [{"connect": 10.0, "read": None, "write": None, "pool": None}] * 3

    async def test_slow_result_is_waited_for(self, script: Script, url: str) -> None:
        """A slow result is waited for longer than the HTTP library would."""

        async def slow(receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for part in (b'{"pass_percent', b'age": 1.0}'):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(receive(), 0.2)
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        script.answer(slow)
        async with BenchmarkServiceClient(url, retry=RetryPolicy(attempts=1)) as client:
            client._http._http.timeout = httpx.Timeout(0.1)
            assert await grade(client) == GRADE

    async def test_waiting_for_a_connection_is_not_counted(self, script: Script, url: str) -> None:
        """Waiting for a free connection does not count against the timeout."""

        async def takes_a_while(receive: Receive, send: Send) -> None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.1)
            await JSONResponse(GRADE)({"type": "http", "method": "POST"}, receive, send)

        script.answer(takes_a_while)
        once = RetryPolicy(attempts=1)
        settings = {"retry": once, "timeout": 0.5, "max_connections": 2}
        async with BenchmarkServiceClient(url, **settings) as client:
            grades = await asyncio.gather(*(grade(client) for _ in range(14)))
        assert grades == [GRADE] * 14
        assert script.most_at_once == 2

    async def test_a_waiting_retry_holds_no_connection(self, script: Script, url: str) -> None:
        """A request that waits for its retry holds no connection."""
        script.answer(failure(429, "busy", retry_after="1"), GRADE)
        waiting = asyncio.Event()
        async with BenchmarkServiceClient(
            url, retry=QUICK, max_connections=1, on_retry=lambda _notice: waiting.set()
        ) as client:
            first = asyncio.create_task(grade(client))
            await waiting.wait()
            assert await grade(client) == GRADE
            assert not first.done()
            assert await first == GRADE

    async def test_call_may_have_its_own_policy(self, script: Script, url: str) -> None:
        """A call may have a retry policy of its own."""
        script.answer(failure(503, "down"))
        await fails(
            url,
            ServiceUnavailableError,
            lambda client: client.list_tasks("d", retry=RetryPolicy(attempts=1)),
        )
        assert len(script.seen) == 1

    async def test_proxy_is_not_used_for_this_machine(
        self, script: Script, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A proxy of the environment is not used for this machine."""
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        script.answer(GRADE)
        async with BenchmarkServiceClient(url, retry=RetryPolicy(attempts=1)) as client:
            assert await grade(client) == GRADE

    async def test_transport_error_shows_no_key(self) -> None:
        """An error of the transport shows no key."""

        class Faulty(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                raise httpx.ReadError(f"lost with {request.headers['x-descope-api-key']}")

        error = await fails(
            "https://host",
            ServiceUnavailableError,
            transport=Faulty(),
            headers={"x-descope-api-key": KEY},
        )
        assert "ReadError: lost with ***" in error.message


class TestCapacity:
    """A 429 without ``Retry-After`` lowers the number of requests at a time."""

    def refuse(self, together: int, **headers: str) -> Answer:
        met = asyncio.Barrier(together)

        async def answer(receive: Receive, send: Send) -> None:
            await met.wait()
            refusal = failure(429, "no capacity", **headers)
            await refusal({"type": "http", "method": "POST"}, receive, send)

        return answer

    def accept(self, together: int) -> Answer:
        met = asyncio.Barrier(together)

        async def answer(receive: Receive, send: Send) -> None:
            await met.wait()
            await JSONResponse(GRADE)({"type": "http", "method": "POST"}, receive, send)

        return answer

    async def test_refused_burst_halves_the_limit_once(self, script: Script, url: str) -> None:
        """A refused burst halves the number of requests once; successes restore it."""
        busy: list[int] = []
        seen: list[int] = []

        async def takes_a_while(receive: Receive, send: Send) -> None:
            busy.append(1)
            seen.append(len(busy))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(receive(), 0.1)
            busy.pop()
            await JSONResponse(GRADE)({"type": "http", "method": "POST"}, receive, send)

        script.answer(*[self.refuse(4)] * 4, takes_a_while)
        async with (
            asyncio.timeout(10),
            BenchmarkServiceClient(url, retry=QUICK, max_connections=4) as client,
        ):
            await asyncio.gather(*(grade(client) for _ in range(4)))
            assert max(seen) == 2
            script.answer(GRADE)
            for _ in range(8):
                await grade(client)
            script.answer(self.accept(4))
            await asyncio.gather(*(grade(client) for _ in range(4)))

    async def test_retry_after_does_not_lower_the_limit(self, script: Script, url: str) -> None:
        """A 429 with Retry-After does not lower the number of requests."""
        refused = self.refuse(4, retry_after="0")
        script.answer(*[refused] * 4, self.accept(4))
        async with (
            asyncio.timeout(10),
            BenchmarkServiceClient(url, retry=QUICK, max_connections=4) as client,
        ):
            await asyncio.gather(*(grade(client) for _ in range(4)))
        assert len(script.seen) == 8


@contextlib.contextmanager
def closing_server(closes: int) -> Iterator[tuple[str, list[int]]]:
    """Close that many connections after reading a request, then grade."""
    accepted: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                accepted.append(1)
                connection.recv(65536)
                if len(accepted) > closes:
                    body = json.dumps(GRADE).encode()
                    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n"
                    connection.sendall(head.encode() + b"connection: close\r\n\r\n" + body)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", accepted
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
