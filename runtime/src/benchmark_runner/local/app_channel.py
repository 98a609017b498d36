"""A WebSocket connection to an ASGI app in this process."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message, Scope

from benchmark_runner.client.channel import (
    LARGEST_MESSAGE,
    Channel,
    ChannelClosedError,
    HandshakeRefusedError,
)
from benchmark_runner.client.response import Answer, UnreadableError

__all__ = ["open_app_channel"]

#: Close codes: of an end as intended, and of an app that fails.
_NORMAL, _FAILED = 1000, 1011
#: Seconds for the app to end once its client has gone.
_END_WITHIN = 1.0


@asynccontextmanager
async def open_app_channel(
    app: ASGIApp, url: str, headers: Mapping[str, str]
) -> AsyncGenerator[Channel]:
    """Open a connection to an app, and close it at the end of the block."""
    channel = _AppChannel()
    serving = asyncio.create_task(channel.serve(app, _scope(url, headers)))
    try:
        await channel.handshake()
        yield channel
    finally:
        channel.leave()
        await asyncio.wait({serving}, timeout=_END_WITHIN)
        serving.cancel()


class _AppChannel:
    """Both ends of a connection, with one message on its way in each direction."""

    def __init__(self) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        self._is_left = False
        self._to_app.put_nowait({"type": "websocket.connect"})

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        """Run the app; one that fails, or ends without a word, closes the connection."""
        code = _NORMAL
        try:
            await app(scope, self._to_app.get, self._take)
        except Exception:  # noqa: BLE001 (the author's code)
            code = _FAILED
        with suppress(OSError):
            await self._take({"type": "websocket.close", "code": code})

    async def handshake(self) -> None:
        """Wait until the app accepts the connection.

        Raises:
            HandshakeRefusedError: it does not.
        """
        message = await self._from_app.get()
        if message["type"] == "websocket.accept":
            return
        status, content = HTTPStatus.FORBIDDEN.value, bytearray()
        if message["type"] == "websocket.http.response.start":
            status = message["status"]
            while (message := await self._from_app.get())["type"].endswith(".body"):
                content += message.get("body", b"")
                if not message.get("more_body", False):
                    break
        raise HandshakeRefusedError(Answer(status, {}, bytes(content)))

    async def send(self, text: str) -> None:
        """Send a message."""
        self._to_app.put_nowait({"type": "websocket.receive", "text": text})

    async def receive(self) -> str:
        """Return the next message."""
        message = await self._from_app.get()
        if message["type"] == "websocket.close":
            self._is_left = True
            raise ChannelClosedError(message.get("code", _NORMAL), message.get("reason") or "")
        text: str | None = message.get("text")
        if text is None:
            raise UnreadableError("a message is binary, not text")
        if len(text) > LARGEST_MESSAGE:
            raise UnreadableError(f"a message is larger than {LARGEST_MESSAGE // 1024**2} MiB")
        return text

    def leave(self) -> None:
        """Tell the app that its client has gone."""
        self._is_left = True
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": _NORMAL})
        while not self._from_app.empty():  # a message that nobody reads does not hold the app up
            self._from_app.get_nowait()

    async def _take(self, message: Message) -> None:
        if self._is_left:
            raise OSError("the client has gone")
        await self._from_app.put(message)


def _scope(url: str, headers: Mapping[str, str]) -> Scope:
    parts = urlsplit(url)
    named = {"host": parts.netloc, **headers}
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "client": ("local", 0),
        "server": (parts.hostname, parts.port),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
