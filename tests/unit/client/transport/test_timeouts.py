"""What is waited for, and for how long."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.client.transport.servers import (
    OK,
    Heard,
    never,
    serving,
    then_never,
    turn_the_loop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.client.transport.servers import Client, Heard

pytestmark = pytest.mark.anyio


class TestTimeouts:
    async def test_connect_timeout(self, client_of: Client) -> None:
        """A connection that does not come about in time is a ConnectTimeout."""
        with full_backlog() as port:
            async with client_of(timeout=httpx.Timeout(None, connect=0.05)) as client:
                with pytest.raises(httpx.ConnectTimeout):
                    async with asyncio.timeout(30):
                        await client.get(f"http://127.0.0.1:{port}/")

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
    async def test_read_timeout(self, client_of: Client, said: bytes) -> None:
        """An answer, or the rest of it, that does not come in time is a ReadTimeout."""
        timeout = httpx.Timeout(None, read=0.05)
        async with serving(then_never(said)) as server, client_of(timeout=timeout) as client:
            with pytest.raises(httpx.ReadTimeout):
                async with asyncio.timeout(30):
                    await client.post(server.url)
            await server.until(lambda: not server.open)
        assert len(server.heard) == 1

    @pytest.mark.parametrize(
        ("limits", "ends"),
        [
            (httpx.Timeout(None), False),
            (httpx.Timeout(None, connect=10), False),
            (httpx.Timeout(None, read=1800), True),
        ],
    )
    async def test_no_timeout_waits_for_hours(
        self, client_of: Client, limits: httpx.Timeout, ends: bool
    ) -> None:
        """Without a read timeout an answer may take hours."""
        answered = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            await answered.wait()
            writer.write(OK)

        async with serving(answer) as server, client_of(timeout=limits) as client:
            request = asyncio.create_task(client.post(server.url))
            await server.until(lambda: len(server.heard) == 1)
            with pytest.MonkeyPatch.context() as patch:
                loop = asyncio.get_running_loop()
                now = loop.time
                patch.setattr(loop, "time", lambda: now() + 7200)
                await turn_the_loop()
            answered.set()
            if ends:
                with pytest.raises(httpx.ReadTimeout):
                    await request
            else:
                assert (await request).text == "ok"

    @pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
    async def test_deadline_closes_the_connection(self, client_of: Client, said: bytes) -> None:
        """A deadline around a request closes its connection."""

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(OK if heard.target == "/next" else said)
            if heard.target != "/next":
                await never(heard, writer)

        async with serving(answer) as server, client_of(timeout=None) as client:
            deadline = asyncio.timeout(None)

            async def post() -> None:
                async with deadline:
                    await client.post(server.url)

            request = asyncio.create_task(post())
            await server.until(lambda: len(server.heard) == 1)
            await turn_the_loop()
            deadline.reschedule(asyncio.get_running_loop().time())
            with pytest.raises(TimeoutError):
                await request
            assert (await client.get(f"{server.url}/next")).text == "ok"
            assert server.used == [1, 2]
            await server.until(lambda: 1 not in server.open)

    async def test_deadline_ends_a_connection_attempt(self, client_of: Client) -> None:
        """A deadline ends an attempt to connect."""
        with full_backlog() as port:
            async with client_of(timeout=None) as client:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await client.get(f"http://127.0.0.1:{port}/")


@contextmanager
def full_backlog() -> Iterator[int]:
    """Yield a port that answers no further attempt to connect."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting: list[socket.socket] = []
        try:
            while True:
                another = socket.socket()
                waiting.append(another)
                another.settimeout(0.2)
                another.connect(listener.getsockname())
        except TimeoutError:
            yield listener.getsockname()[1]
        finally:
            for each in waiting:
                each.close()
