"""The client of the service over this transport."""

from __future__ import annotations

import asyncio
import gc
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.client.transport import AiohttpTransport
from tests.unit.client.transport.servers import serving

if TYPE_CHECKING:
    from tests.unit.client.transport.certificates import Certificate

pytestmark = pytest.mark.anyio

HEALTHY = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"status":"ok"}'


async def test_nothing_opens_before_a_request() -> None:
    """Nothing is opened before the first request."""
    async with BenchmarkServiceClient("http://service.test"):
        pass
    gc.collect()  # a session that was left open would say so


def test_transport_is_made_without_a_loop() -> None:
    """A transport can be made outside an event loop."""
    transport = AiohttpTransport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    async def ask() -> int:
        async with serving() as server, transport:
            request = httpx.Request("GET", server.url)
            return (await transport.handle_async_request(request)).status_code

    assert asyncio.run(ask()) == 200


@pytest.mark.parametrize("speaks_tls", [False, True])
async def test_http_goes_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, trusted: Certificate, speaks_tls: bool
) -> None:
    """A plain HTTP service is reached through a proxy, also one that uses TLS."""
    async with serving(HEALTHY, tls=trusted.server if speaks_tls else None) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with BenchmarkServiceClient("http://service.test") as client:
            await client.health()
    assert proxy.heard[0].line == "GET http://service.test/health HTTP/1.1"
