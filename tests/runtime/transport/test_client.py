"""The client of httpx over this transport."""

from __future__ import annotations

import asyncio
import gc

import httpx
import pytest

from benchmark_runner.transport import AiohttpClient, AiohttpTransport
from tests.runtime.transport.servers import (
    serving,
)

pytestmark = pytest.mark.anyio


class TestClient:
    def test_it_carries_everything_over_our_transport(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "direct.test")
        client = AiohttpClient()
        for url in ("http://a.test", "https://a.test", "http://direct.test"):
            transport = client._transport_for_url(httpx.URL(url))
            assert type(transport) is AiohttpTransport, url

    async def test_a_transport_of_ones_own_takes_its_place(self) -> None:
        ready = httpx.MockTransport(lambda _: httpx.Response(200, text="ready"))
        async with AiohttpClient(transport=ready) as client:
            assert (await client.get("http://service.test/")).text == "ready"

    async def test_nothing_is_opened_before_the_first_request(self) -> None:
        async with AiohttpClient():
            pass
        gc.collect()  # a session that was left open would say so

    def test_it_can_be_made_without_a_loop(self) -> None:
        client = AiohttpClient()

        async def ask() -> str:
            async with serving() as server, client:
                return (await client.get(server.url)).text

        assert asyncio.run(ask()) == "ok"
