"""WebSocket connections: encrypted, and through proxies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.client.transport import AiohttpTransport
from tests.unit.client.transport.servers import basic, serving, status, tunnel_to
from tests.unit.client.websocket_service import RESULT
from tests.unit.client.websocket_service import serving as serving_websockets

if TYPE_CHECKING:
    from tests.unit.client.transport.certificates import Certificate

pytestmark = pytest.mark.anyio

KEY = {"x-descope-api-key": "a-key-4711"}


async def asked(url: str, proxy: str | None = None) -> str:
    """Open a connection, send a message, and return the answer."""
    through = None if proxy is None else httpx.Proxy(proxy)
    transport = AiohttpTransport(httpx.create_ssl_context(), through)
    try:
        async with (
            asyncio.timeout(10),
            transport.open_channel(f"{url}/ws/evaluate-response", KEY) as channel,
        ):
            await channel.send("{}")
            return await channel.receive()
    finally:
        await transport.aclose()


async def test_connection_is_encrypted(trusted: Certificate) -> None:
    """A connection to an https URL is encrypted, with the certificates that are trusted."""
    async with serving_websockets([RESULT], tls=trusted.server) as service:
        assert "result" in await asked(service.url)


async def test_untrusted_certificate_is_refused(certificate: Certificate) -> None:
    """A certificate that nobody trusts is refused before a key is sent."""
    async with serving_websockets([RESULT], tls=certificate.server) as service:
        with pytest.raises(httpx.ConnectError, match="certificate"):
            await asked(service.url)
    assert service.headers == []


async def test_encrypted_connection_goes_through_a_tunnel(trusted: Certificate) -> None:
    """An encrypted connection goes through a proxy's tunnel, which does not see the key."""
    async with (
        serving_websockets([RESULT], tls=trusted.server) as service,
        serving(tunnel_to(service)) as proxy,
    ):
        assert "result" in await asked(service.url, proxy.url.replace("//", "//me:secret@"))
    assert proxy.heard[0].line == f"CONNECT 127.0.0.1:{service.port} HTTP/1.1"
    assert proxy.heard[0].all("proxy-authorization") == [basic("me:secret")]
    assert proxy.heard[0].all("x-descope-api-key") == []
    assert service.headers[0]["x-descope-api-key"] == "a-key-4711"
    assert "proxy-authorization" not in service.headers[0]


async def test_plain_connection_goes_to_the_proxy() -> None:
    """A plain connection is asked for at the proxy, whose refusal has its status."""
    async with serving(status(502)) as proxy:
        with pytest.raises(Exception, match="502"):
            await asked("http://service.test", proxy.url.replace("//", "//me:secret@"))
    assert proxy.heard[0].line == "GET http://service.test/ws/evaluate-response HTTP/1.1"
    assert proxy.heard[0].all("proxy-authorization") == [basic("me:secret")]
    assert proxy.heard[0].all("upgrade") == ["websocket"]
