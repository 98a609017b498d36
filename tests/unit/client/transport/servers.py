"""Servers and proxies on loopback ports, which keep what they have heard."""

from __future__ import annotations

import asyncio
import base64
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx

    Handler = Callable[["Heard", asyncio.StreamWriter], Awaitable[object]]
    Client = Callable[..., httpx.AsyncClient]

KIB = 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#: More than what the sockets between two processes hold.
LARGE = 16 * KIB**2


@dataclass
class Heard:
    """A request, as it came."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    reader: asyncio.StreamReader

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name]


@dataclass
class Server:
    """Hears requests, one after the other on each connection, and has each answered."""

    handler: Handler
    port: int = 0
    tls: bool = False
    heard: list[Heard] = field(default_factory=list)
    open: dict[int, asyncio.StreamWriter] = field(default_factory=dict)
    connections: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    @property
    def used(self) -> list[int]:
        """Which connection each request came on, in their order."""
        return [heard.connection for heard in self.heard]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(condition)

    async def close(self, connection: int) -> None:
        """Close it, and let the loop show that to the client."""
        writer = self.open[connection]
        writer.close()
        await writer.wait_closed()
        await turn_the_loop()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self.open[number] = writer
        try:
            await self._note()
            while heard := await hear(reader, number):
                self.heard.append(heard)
                await self._note()
                await self.handler(heard, writer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client hung up
        finally:
            writer.close()
            del self.open[number]
            await self._note()

    async def _note(self) -> None:
        async with self.changed:
            self.changed.notify_all()


async def turn_the_loop() -> None:
    for _ in range(10):  # what has come is read in one turn, and acted on in the next
        await asyncio.sleep(0)


async def hear(reader: asyncio.StreamReader, connection: int) -> Heard | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    line, *rest = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = [(name, value) for name, _, value in (each.partition(": ") for each in rest)]
    lengths = {name.lower(): value for name, value in headers}
    body = b""
    if lengths.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
    elif "x-unread" not in lengths:
        body = await reader.readexactly(int(lengths.get("content-length", "0")))
    return Heard(line, headers, body, connection, reader)


@asynccontextmanager
async def serving(
    handler: Handler | bytes = OK, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    server = Server(always(handler) if isinstance(handler, bytes) else handler)
    listener = await asyncio.start_server(server.serve, host, 0, ssl=tls, backlog=1024)
    server.port = listener.sockets[0].getsockname()[1]
    server.tls = tls is not None
    try:
        yield server
    finally:
        listener.close()
        for writer in server.open.values():
            writer.transport.abort()
        await server.until(lambda: not server.open)


def always(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return write


def in_turn(*answers: bytes) -> Handler:
    left = list(answers)

    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])

    return write


def then_closes(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    return write


def then_resets(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # for no time: a reset
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    return write


async def never(heard: Heard, writer: asyncio.StreamWriter) -> None:
    await heard.reader.read()  # returns when the client hangs up


def then_never(answer: bytes) -> Handler:
    async def write(heard: Heard, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await never(heard, writer)

    return write


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d Reason\r\nContent-Length: 2\r\n\r\nok" % code


def tunnel_to(server: Server) -> Handler:
    """What a proxy does: carries bytes to and fro once it has been asked for a tunnel."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while part := await reader.read(64 * KIB):
            writer.write(part)
        writer.close()

    async def connect(heard: Heard, writer: asyncio.StreamWriter) -> None:
        near, far = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(carry(heard.reader, far), carry(near, writer))

    return connect


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
