"""What fails is the error that httpx raises."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.client.transport.clients import AiohttpClient
from tests.unit.client.transport.servers import (
    always,
    free_port,
    serving,
    then_closes,
    then_resets,
)

if TYPE_CHECKING:
    from tests.unit.client.transport.servers import Client, Handler

pytestmark = pytest.mark.anyio


class TestFailures:
    async def test_refused_connection(self, client_of: Client) -> None:
        """A port at which nobody listens is a ConnectError."""
        async with client_of() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://127.0.0.1:{free_port()}/")

    async def test_unknown_host(self, client_of: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        """An unknown host is a ConnectError with the reason."""

        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        async with client_of() as client:
            with pytest.raises(httpx.ConnectError, match="Name or service not known"):
                await client.get("http://service.test/")

    @pytest.mark.parametrize(
        ("handler", "error"),
        [
            pytest.param(then_closes(b""), httpx.RemoteProtocolError, id="no answer"),
            pytest.param(
                then_closes(b"HTTP/1.1 200 OK\r\nX-A"), httpx.RemoteProtocolError, id="half a head"
            ),
            pytest.param(then_resets(b""), httpx.ReadError, id="a reset"),
            pytest.param(
                always(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), httpx.RemoteProtocolError, id="not http"
            ),
            pytest.param(
                always(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
                httpx.RemoteProtocolError,
                id="a length that is none",
            ),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    async def test_failure_instead_of_an_answer(
        self, client_of: Client, handler: Handler, error: type[Exception], method: str
    ) -> None:
        """A failure instead of an answer is the error of httpx, without a second request."""
        async with serving(handler) as server, client_of() as client:
            with pytest.raises(error) as caught:
                await client.request(method, server.url, content=b"it")
            await server.until(lambda: not server.open)
        assert type(caught.value) is error
        assert len(server.heard) == 1
        if client_of is AiohttpClient:  # some errors of httpx's own have no words
            assert str(caught.value).splitlines() == [str(caught.value)]

    @pytest.mark.parametrize(
        "handler",
        [
            pytest.param(
                then_closes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), id="too short"
            ),
            pytest.param(
                then_closes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
                id="half a chunk",
            ),
            pytest.param(
                always(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"),
                id="a chunk that is none",
            ),
        ],
    )
    async def test_failure_within_a_body(self, client_of: Client, handler: Handler) -> None:
        """A body that breaks off is a RemoteProtocolError, without a second request."""
        async with serving(handler) as server, client_of() as client:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await client.post(server.url)
            await server.until(lambda: not server.open)
        assert str(caught.value)
        assert len(server.heard) == 1

    async def test_reset_within_a_body(self, client_of: Client) -> None:
        """A reset within a body is a read or protocol error."""
        half = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
        async with serving(then_resets(half)) as server, client_of() as client:
            # Which of them depends on whether what came before the reset had been read.
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                await client.post(server.url)
        assert len(server.heard) == 1

    async def test_an_error_names_the_request(self, client_of: Client) -> None:
        """An error carries its request."""
        async with serving(then_closes(b"")) as server, client_of() as client:
            with pytest.raises(httpx.RemoteProtocolError) as caught:
                await client.post(server.url)
        assert caught.value.request.method == "POST"
