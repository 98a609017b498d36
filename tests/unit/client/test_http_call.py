"""Calls over HTTP: connections that fail, and what is told about them."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

import httpx
import pytest

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
)

if TYPE_CHECKING:
    from collections.abc import Iterator

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
