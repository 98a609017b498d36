"""The transport to the embedded service in this process: requests, and WebSockets."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
from starlette.types import Message, Receive, Scope, Send

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner.client.channel import Channel
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.app_channel import open_app_channel

__all__ = ["EmbeddedTransport"]

#: The message of an app that leaves the sending of a file to its server.
_FILE = "http.response.pathsend"
#: Bytes of a file that are read at a time.
_PIECE = 256 * 1024


class EmbeddedTransport(httpx.ASGITransport):
    """The transport to a service in this process, which ends with its client."""

    def __init__(self, service: LocalService) -> None:
        super().__init__(service, raise_app_exceptions=False)
        self._service = service

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; the transport of httpx would have a file in memory as a whole."""
        if request.method != "GET":
            return await super().handle_async_request(request)
        files: list[str] = []

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_or_note(message: Message) -> None:
                if message["type"] == _FILE:
                    files.append(message["path"])
                    message = {"type": "http.response.body"}
                await send(message)

            await self._service({**scope, "extensions": {_FILE: {}}}, receive, send_or_note)

        transport = httpx.ASGITransport(serve, raise_app_exceptions=False)
        response = await transport.handle_async_request(request)
        if files:
            response.stream = _FileStream(Path(files[0]))
        return response

    def open_channel(
        self, url: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Channel]:
        """Open a WebSocket connection, and close it at the end of the block."""
        return open_app_channel(self._service, url, headers)

    async def aclose(self) -> None:
        """Remove what the service keeps for its client."""
        self._service.close()


class _FileStream(httpx.AsyncByteStream):
    """The content of a file, in pieces."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._path.open("rb") as file:
            while piece := await run_in_thread(file.read, _PIECE):
                yield piece
