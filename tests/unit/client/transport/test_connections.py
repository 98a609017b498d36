"""Connections are kept, used again and closed as httpx does it."""

from __future__ import annotations

import asyncio
import gc
import resource
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.client.transport.clients import AiohttpClient
from tests.unit.client.transport.servers import (
    LARGE,
    OK,
    Heard,
    never,
    serving,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.client.transport.servers import Client, Heard

pytestmark = pytest.mark.anyio


class TestConnections:
    async def test_sequential_requests_use_one_connection(self, client_of: Client) -> None:
        """Requests one after the other use one connection."""
        async with serving() as server, client_of() as client:
            for _ in range(5):
                assert (await client.post(server.url, content=b"it")).text == "ok"
        assert server.used == [1] * 5

    async def test_parallel_connections_are_kept(self, client_of: Client) -> None:
        """Parallel requests open a connection each and use them again."""
        together = asyncio.Barrier(8)

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            async with asyncio.timeout(30):
                await together.wait()
            writer.write(OK)

        async with serving(answer) as server, client_of() as client:
            for _ in range(3):
                await asyncio.gather(*(client.get(server.url) for _ in range(8)))
            assert sorted(server.used) == sorted([*range(1, 9)] * 3)

    async def test_unread_answer_closes_its_connection(self, client_of: Client) -> None:
        """A connection whose answer was not read to the end is closed."""

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            if heard.connection == 1:
                await never(heard, writer)
            writer.write(b"-whole")

        async with serving(answer) as server, client_of() as client:
            async with client.stream("GET", server.url) as response:
                assert await anext(response.aiter_raw()) == b"half"
            assert (await client.get(server.url)).text == "half-whole"
            assert server.used == [1, 2]
            await server.until(lambda: 1 not in server.open)

    @pytest.mark.parametrize("code", [200, 404, 429, 503])
    async def test_connection_is_kept_after_any_answer(self, client_of: Client, code: int) -> None:
        """A connection is kept whatever the status of the answer."""
        async with serving(status(code)) as server, client_of() as client:
            for _ in range(2):
                assert (await client.post(server.url)).status_code == code
        assert server.used == [1, 1]

    async def test_connection_is_dropped_after_a_500(self) -> None:
        """A connection is not used again after a 500."""
        async with serving(status(500)) as server, AiohttpClient() as client:
            assert (await client.post(server.url)).text == "ok"
            assert (await client.post(server.url)).status_code == 500
            assert server.used == [1, 2]
            await server.until(lambda: not server.open)

    async def test_connection_is_dropped_after_a_late_500(self) -> None:
        """A connection is not used again after a 500 whose body comes later."""
        read = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nno")
            await read.wait()
            writer.write(b"no")

        async with serving(answer) as server, AiohttpClient() as client:
            async with client.stream("POST", server.url) as response:
                parts = response.aiter_raw()
                assert await anext(parts) == b"no"
                read.set()
                assert [part async for part in parts] == [b"no"]
            assert (await client.post(server.url)).text == "nono"
            assert server.used == [1, 2]
            await server.until(lambda: not server.open)

    async def test_closed_connection_is_replaced(self, client_of: Client) -> None:
        """A connection that the server closed while it was unused is replaced."""
        async with serving() as server, client_of() as client:
            await client.post(server.url)
            await server.close(1)
            assert (await client.post(server.url)).text == "ok"
        assert server.used == [1, 2]

    @pytest.mark.parametrize(("seconds", "used"), [(3, [1, 1]), (4.5, [1, 2])])
    async def test_old_connection_is_not_reused(
        self, monkeypatch: pytest.MonkeyPatch, seconds: float, used: list[int]
    ) -> None:
        """A connection that the server is about to close is not used again."""
        async with serving() as server, AiohttpClient() as client:
            await client.post(server.url)
            monkeypatch.setattr("aiohttp.connector.monotonic", lambda: monotonic() + seconds)
            await client.post(server.url)
        assert server.used == used

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
    async def test_lost_request_is_not_sent_again(self, client_of: Client, method: str) -> None:
        """A request that is lost on a kept connection is not sent again."""

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            if heard.target == "/lost":
                writer.close()
            else:
                writer.write(OK)

        async with serving(answer) as server, client_of() as client:
            await client.get(server.url)
            with pytest.raises(httpx.RemoteProtocolError, match="disconnected without"):
                await client.request(method, f"{server.url}/lost")
            assert [heard.target for heard in server.heard] == ["/", "/lost"]
            await client.get(server.url)
        assert server.used == [1, 1, 2]

    async def test_early_answer_closes_the_connection(self) -> None:
        """A connection is closed if the answer came before the request was read."""
        refused = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(status(429))
            if heard.all("x-unread"):
                await refused.wait()
                await never(heard, writer)

        async with serving(answer) as server, AiohttpClient() as client:
            response = await client.post(
                server.url, content=b"x" * LARGE, headers={"x-unread": "yes"}
            )
            assert response.status_code == 429
            refused.set()
            assert (await client.get(server.url)).status_code == 429
            assert server.used == [1, 2]
            await server.until(lambda: 1 not in server.open)

    async def test_500_connections_work_and_are_closed(self) -> None:
        """Five hundred parallel connections work, and all are closed at the end."""
        count = 500
        together = asyncio.Barrier(count)

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            async with asyncio.timeout(30):
                await together.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n%-6s" % heard.body)

        with many_files():
            async with serving(answer) as server:
                async with AiohttpClient(timeout=None) as client:
                    bodies = [f"{number}" for number in range(count)]
                    answers = await asyncio.gather(
                        *(client.post(server.url, content=body) for body in bodies)
                    )
                    assert [response.text.strip() for response in answers] == bodies
                    assert len(server.open) == count
                await server.until(lambda: not server.open)
        del client, answers
        gc.collect()  # what was left open would say so

    async def test_cancelled_request_is_closed(self, client_of: Client) -> None:
        """A connection in use is closed when its request is cancelled."""
        async with serving(never) as server:
            async with client_of(timeout=None) as client:
                request = asyncio.create_task(client.get(server.url))
                await server.until(lambda: len(server.heard) == 1)
                request.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await request
            await server.until(lambda: not server.open)


@contextmanager
def many_files() -> Iterator[None]:
    """Both ends of each connection are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = 2048
    if hard != resource.RLIM_INFINITY and hard < enough:
        pytest.skip(f"no more than {hard} files may be open here")
    if soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
