"""WebSocket connections over the network, by aiohttp."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from benchmark_runner.client.channel import (
    LARGEST_MESSAGE,
    Channel,
    ChannelClosedError,
    HandshakeRefusedError,
)
from benchmark_runner.client.response import Answer, UnreadableError

__all__ = ["Handshake", "open_websocket"]

#: Seconds between two pings, which keep a proxy from closing a silent connection. aiohttp's own
#: heartbeat closes it where a pong does not come, as while a grader blocks the service's loop.
_PING_EVERY = 30.0
#: Seconds for the service to close its side.
_CLOSE_WITHIN = 1.0
_TIMEOUT = aiohttp.ClientWSTimeout(ws_receive=None, ws_close=_CLOSE_WITHIN)  # pyright: ignore[reportCallIssue]
#: Bytes that are read of an answer that refuses the connection, and the seconds for it.
_WORDS_LIMIT = 56 * 1024
_WORDS_WITHIN = 5.0


class Handshake(aiohttp.ClientResponse):
    """The answer to a request for a WebSocket; any but 101 is raised, redirects too."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the answer.

        Raises:
            HandshakeRefusedError: the service refuses the connection.
        """
        await super().start(connection)
        if self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            raise HandshakeRefusedError(Answer(self.status, self.headers, await self._words()))
        return self

    async def _words(self) -> bytes:
        words = bytearray()
        with suppress(aiohttp.ClientError, OSError):  # a TimeoutError, too
            async with asyncio.timeout(_WORDS_WITHIN):
                while len(words) < _WORDS_LIMIT and (part := await self.content.readany()):
                    words += part
        return bytes(words[:_WORDS_LIMIT])


@asynccontextmanager
async def open_websocket(
    session: aiohttp.ClientSession,
    url: str,
    headers: Mapping[str, str],
    proxy: URL | None,
    proxy_headers: Mapping[str, str],
) -> AsyncGenerator[Channel]:
    """Open a connection with a session whose responses are of :class:`Handshake`."""
    socket = await session.ws_connect(
        URL(url, encoded=True),
        headers=headers,
        proxy=proxy,
        proxy_headers=proxy_headers or None,
        max_msg_size=LARGEST_MESSAGE + 1,
        timeout=_TIMEOUT,
    )
    pings = asyncio.create_task(_ping(socket))
    try:
        yield _NetworkChannel(socket)
    finally:
        pings.cancel()
        # As a whole: within close(), each message that still comes would begin the time again.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN):
                await socket.close()


class _NetworkChannel:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError):
            raise ChannelClosedError(None) from None

    async def receive(self) -> str:
        message = await self._socket.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                text: str = message.data
                return text
            case aiohttp.WSMsgType.BINARY:
                raise UnreadableError("a message is binary, not text")
            case aiohttp.WSMsgType.ERROR:
                raise UnreadableError(_problem(message.data))
            case aiohttp.WSMsgType.CLOSE:
                raise ChannelClosedError(message.data, message.extra or "")
            case _:
                raise ChannelClosedError(None)


async def _ping(socket: aiohttp.ClientWebSocketResponse) -> None:
    with suppress(aiohttp.ClientError, OSError):  # reading fails, too
        while True:
            await asyncio.sleep(_PING_EVERY)
            await socket.ping()


def _problem(error: object) -> str:
    if isinstance(error, aiohttp.WebSocketError):
        if error.code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
            return f"a message is larger than {LARGEST_MESSAGE // 1024**2} MiB"
        if error.code == aiohttp.WSCloseCode.INVALID_TEXT:
            return "a message is not valid UTF-8"
    return f"a message breaks the WebSocket protocol ({error})"
