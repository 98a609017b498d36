"""WebSocket connections to an app in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import WebSocketRoute

from benchmark_runner.client.channel import ChannelClosedError, HandshakeRefusedError
from benchmark_runner.client.response import UnreadableError
from benchmark_runner.local.app_channel import open_app_channel

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from starlette.websockets import WebSocket

    from benchmark_runner.client.channel import Channel

pytestmark = pytest.mark.anyio

#: Seconds; reaching it fails the test.
TOO_LONG = 10.0


#: Whether the app ``echo`` has heard of the end of its last connection.
HEARD = [False]


async def echo(socket: WebSocket) -> None:
    HEARD[0] = False
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(f"{socket.headers['x-key']} {text}")
    HEARD[0] = True


async def close(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close(1008, "Unauthorized")


async def refuse(socket: WebSocket) -> None:
    await socket.close()


async def deny(socket: WebSocket) -> None:
    await socket.send_denial_response(JSONResponse({"detail": "no"}, 401))


async def fail(socket: WebSocket) -> None:
    await socket.accept()
    raise ValueError("of the app")


async def end(socket: WebSocket) -> None:
    await socket.accept()


async def send_bytes(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_bytes(b"{}")


async def send_much(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("x" * 11 * 1024**2)


async def flood(socket: WebSocket) -> None:
    await socket.accept()
    while True:
        await socket.send_text("more")


APPS = (echo, close, refuse, deny, fail, end, send_bytes, send_much, flood)


def opened(name: str) -> AbstractAsyncContextManager[Channel]:
    routes = [WebSocketRoute(f"/{app.__name__}", app) for app in APPS]
    return open_app_channel(Starlette(routes=routes), f"http://local/{name}", {"X-Key": "k"})


async def test_messages_go_both_ways() -> None:
    """Messages go both ways, and the app hears of the end."""
    async with asyncio.timeout(TOO_LONG), opened("echo") as channel:
        for text in ("one", "two"):
            await channel.send(text)
            assert await channel.receive() == f"k {text}"
    assert HEARD == [True]


async def test_cancelled_wait_loses_no_message() -> None:
    """A wait for a message that is cancelled loses none."""
    async with asyncio.timeout(TOO_LONG), opened("echo") as channel:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await channel.receive()
        await channel.send("one")
        assert await channel.receive() == "k one"


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [("close", 1008, "Unauthorized"), ("fail", 1011, ""), ("end", 1000, "")],
)
async def test_end_has_its_code(name: str, code: int, reason: str) -> None:
    """The end of a connection has its code, also where the app fails or just returns."""
    async with asyncio.timeout(TOO_LONG), opened(name) as channel:
        with pytest.raises(ChannelClosedError) as closed:
            await channel.receive()
    assert (closed.value.code, closed.value.reason) == (code, reason)


@pytest.mark.parametrize(("name", "status"), [("refuse", 403), ("deny", 401), ("missing", 403)])
async def test_refused_connection_has_its_status(name: str, status: int) -> None:
    """A connection that the app refuses has the status of its answer."""
    with pytest.raises(HandshakeRefusedError) as refused:
        async with asyncio.timeout(TOO_LONG), opened(name):
            pass
    assert refused.value.answer.status == status
    if name == "deny":
        assert refused.value.answer.content == b'{"detail":"no"}'


@pytest.mark.parametrize(("name", "said"), [("send_bytes", "binary"), ("send_much", "10 MiB")])
async def test_bad_message_is_refused(name: str, said: str) -> None:
    """A message that is binary or too large is refused, as over the network."""
    async with asyncio.timeout(TOO_LONG), opened(name) as channel:
        with pytest.raises(UnreadableError, match=said):
            await channel.receive()


async def test_flood_waits_for_its_reader() -> None:
    """An app can't send faster than its client reads, and ends with it."""
    before = len(asyncio.all_tasks())
    async with asyncio.timeout(TOO_LONG), opened("flood") as channel:
        for _ in range(100):
            assert await channel.receive() == "more"
            await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before
