"""The client of httpx over this transport."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.client.transport import AiohttpClient, AiohttpTransport
from tests.unit.client.transport.servers import serving, status

if TYPE_CHECKING:
    from tests.unit.client.transport.certificates import Certificate

pytestmark = pytest.mark.anyio


class TestClient:
    def test_all_urls_use_our_transport(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every URL goes over our transport, with or without proxies."""
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "direct.test")
        client = AiohttpClient()
        for url in ("http://a.test", "https://a.test", "http://direct.test"):
            transport = client._transport_for_url(httpx.URL(url))
            assert type(transport) is AiohttpTransport, url

    async def test_given_transport_is_used(self) -> None:
        """A transport that is passed in is used instead of ours."""
        ready = httpx.MockTransport(lambda _: httpx.Response(200, text="ready"))
        async with AiohttpClient(transport=ready) as client:
            assert (await client.get("http://service.test/")).text == "ready"

    async def test_nothing_opens_before_a_request(self) -> None:
        """Nothing is opened before the first request."""
        async with AiohttpClient():
            pass
        gc.collect()  # a session that was left open would say so

    def test_client_is_made_without_a_loop(self) -> None:
        """A client can be made outside an event loop."""
        client = AiohttpClient()

        async def ask() -> str:
            async with serving() as server, client:
                return (await client.get(server.url)).text

        assert asyncio.run(ask()) == "ok"


class TestExchange:
    async def test_exchange_uses_the_proxy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """exchange() sends a request through the proxy of the environment."""
        request = httpx.Request("GET", "http://service.test/a")
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with AiohttpClient() as client:
                response = await client.exchange(request)
                assert await response.aread() == b"ok"
        assert response.request is request
        assert [heard.line for heard in proxy.heard] == ["GET http://service.test/a HTTP/1.1"]

    async def test_exchange_never_follows_redirects(self) -> None:
        """exchange() returns a redirect even if the client follows them."""
        async with serving(status(307)) as server, AiohttpClient(follow_redirects=True) as client:
            response = await client.exchange(httpx.Request("GET", server.url))
            await response.aread()
        assert response.status_code == 307
        assert len(server.heard) == 1


async def test_http_goes_through_a_tls_proxy(
    monkeypatch: pytest.MonkeyPatch, trusted: Certificate
) -> None:
    """A plain HTTP service is reached through a proxy that uses TLS."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}'
    async with serving(answer, tls=trusted.server) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with BenchmarkServiceClient("http://service.test") as client:
            await client.health()
    assert proxy.heard[0].line == "GET http://service.test/health HTTP/1.1"
