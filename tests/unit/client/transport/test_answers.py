"""What is answered is what httpx returns."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest

from tests.unit.client.transport.servers import (
    KIB,
    LARGE,
    OK,
    Heard,
    serving,
    then_closes,
)

if TYPE_CHECKING:
    from tests.unit.client.transport.servers import Client, Heard

pytestmark = pytest.mark.anyio


class TestAnswers:
    async def test_headers_are_kept(self, client_of: Client) -> None:
        """Headers keep their case, their order and their bytes."""
        answer = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: \xe4\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
        async with serving(answer) as server, client_of() as client:
            response = await client.get(server.url)
        assert response.headers.raw == [
            (b"X-A", b"1"),
            (b"X-B", b"\xe4"),
            (b"x-a", b"2"),
            (b"Content-Length", b"0"),
        ]

    async def test_a_header_may_be_long(self, client_of: Client) -> None:
        """A header may be 60 KiB long."""
        answer = b"HTTP/1.1 204 OK\r\nX-A: %s\r\n\r\n" % (b"a" * 60 * KIB)
        async with serving(answer) as server, client_of() as client:
            response = await client.get(server.url)
        assert len(response.headers["x-a"]) == 60 * KIB

    @pytest.mark.parametrize("version", [b"1.0", b"1.1"])
    async def test_version_and_reason_are_kept(self, client_of: Client, version: bytes) -> None:
        """The HTTP version and the reason are those of the answer."""
        answer = b"HTTP/%s 299 Quite good\r\nContent-Length: 0\r\n\r\n" % version
        async with serving(answer) as server, client_of() as client:
            response = await client.get(server.url)
        assert response.http_version == f"HTTP/{version.decode()}"
        assert (response.status_code, response.reason_phrase) == (299, "Quite good")

    async def test_a_reason_may_be_missing(self, client_of: Client) -> None:
        """The reason may be missing."""
        answer = b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"
        async with serving(answer) as server, client_of() as client:
            assert (await client.get(server.url)).reason_phrase == ""

    async def test_informational_answers_are_skipped(self, client_of: Client) -> None:
        """An informational answer before the real one is skipped."""
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        async with serving(hints + OK) as server, client_of() as client:
            assert (await client.get(server.url)).text == "ok"

    async def test_a_body_may_come_in_chunks(self, client_of: Client) -> None:
        """A body may come in chunks."""
        answer = (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        async with serving(answer) as server, client_of() as client:
            for _ in range(2):
                assert (await client.get(server.url)).text == "abcde"
        assert server.used == [1, 1]

    async def test_a_body_may_end_with_the_connection(self, client_of: Client) -> None:
        """A body may end with the connection."""
        async with (
            serving(then_closes(b"HTTP/1.1 200 OK\r\n\r\nall")) as server,
            client_of() as client,
        ):
            assert (await client.get(server.url)).text == "all"
            assert (await client.get(server.url)).text == "all"
        assert server.used == [1, 2]

    async def test_head_has_no_body(self, client_of: Client) -> None:
        """The answer to a HEAD request has no body."""
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        async with serving(answer) as server, client_of() as client:
            for _ in range(2):
                response = await client.head(server.url)
                assert (response.headers["content-length"], response.content) == ("5", b"")
        assert server.used == [1, 1]

    async def test_body_can_be_read_in_parts(self, client_of: Client) -> None:
        """A part of the body can be read before the next has come."""
        read = asyncio.Event()

        async def answer(heard: Heard, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
            await read.wait()
            writer.write(b"two")

        async with (
            serving(answer) as server,
            client_of() as client,
            client.stream("GET", server.url) as response,
        ):
            parts = response.aiter_raw()
            assert await anext(parts) == b"one"
            read.set()
            assert await anext(parts) == b"two"

    async def test_httpx_decompresses_the_body(self, client_of: Client) -> None:
        """A compressed body is decompressed by httpx and raw to those that ask."""
        body = gzip.compress(b"plain")
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        async with serving(head % len(body) + body) as server, client_of() as client:
            assert (await client.get(server.url)).text == "plain"
            async with client.stream("GET", server.url) as response:
                assert b"".join([part async for part in response.aiter_raw()]) == body

    async def test_slowly_read_body_is_complete(self, client_of: Client) -> None:
        """A large body that is read slowly is complete."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE
        size = 0
        async with (
            serving(head + b"x" * LARGE) as server,
            client_of(timeout=None) as client,
            client.stream("GET", server.url) as response,
        ):
            async for part in response.aiter_raw():
                size += len(part)
                await asyncio.sleep(0)
        assert size == LARGE
