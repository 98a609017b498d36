from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.client import response as response_module
from benchmark_runner.client.response import UnreadableError, read_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

KIB = 1024
MIB = 1024**2
GZIP = {"content_encoding": "gzip"}


class Body(httpx.AsyncByteStream):
    """A body in parts; ``taken`` counts those that were asked for."""

    def __init__(self, *parts: bytes, then: Exception | None = None) -> None:
        self.parts = parts
        self.then = then
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.taken += 1
            yield part
        if self.then is not None:
            raise self.then


def response(body: httpx.AsyncByteStream, status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=body)


class TestSuccess:
    async def test_body_is_read_up_to_the_limit(self) -> None:
        """A body is read completely up to the limit of its size."""
        answer = await read_answer(response(Body(b"12", b"", b"345"), x_one="1"), 5)
        assert (answer.status, answer.content, answer.headers["X-One"]) == (200, b"12345", "1")
        assert answer.is_success

    async def test_body_beyond_the_limit_is_not_read(self) -> None:
        """A body beyond the limit is not read any further."""
        body = Body(*[b" " * KIB] * 100)
        with pytest.raises(UnreadableError):
            await read_answer(response(body), 2 * KIB)
        assert body.taken == 3

    @pytest.mark.parametrize(("most", "size"), [(32 * MIB, "32 MiB"), (MIB // 2, "0.5 MiB")])
    async def test_error_names_the_limit(self, most: int, size: str) -> None:
        """The error names the limit in MiB."""
        with pytest.raises(UnreadableError, match=f"^it is larger than {size}$"):
            await read_answer(response(Body(*[b" " * MIB] * 33)), most)

    @pytest.mark.parametrize(
        "encoding", ["gzip", " GZIP", "x-gzip", "identity, gzip", "gzip,", "", "identity"]
    )
    async def test_compressed_body_counts_decompressed(self, encoding: str) -> None:
        """The limit of a compressed body is for its decompressed size."""
        content = bytes(range(256)) * 8
        packed = gzip.compress(content)
        parts = [packed[:7], packed[7:90], packed[90:]]
        answer = await read_answer(response(Body(*parts), content_encoding=encoding), len(content))
        assert answer.content == content
        with pytest.raises(UnreadableError, match="it is larger than"):
            await read_answer(response(Body(*parts), content_encoding=encoding), len(content) - 1)

    @pytest.mark.parametrize("size", [1, 2, 7, 1000])
    @pytest.mark.parametrize("between", [b"", b"\0\0\0"])
    async def test_several_members_are_one_body(self, size: int, between: bytes) -> None:
        """The members of compressed content are one body, however they arrive."""
        packed = between.join(gzip.compress(part) for part in (b"12", b"", b"345", b"6"))
        parts = [packed[at : at + size] for at in range(0, len(packed), size)]
        answer = await read_answer(response(Body(*parts), **GZIP), 6)
        assert answer.content == b"123456"
        with pytest.raises(UnreadableError, match="it is larger than"):
            await read_answer(response(Body(*parts), **GZIP), 5)

    async def test_half_a_member_is_unreadable(self) -> None:
        """Content whose last member is cut off is an error."""
        packed = gzip.compress(b"1") + gzip.compress(b"2")[:-1]
        with pytest.raises(UnreadableError, match="ends in the middle"):
            await read_answer(response(Body(packed), **GZIP), 100)

    @pytest.mark.parametrize("before", [0, MIB + 1], ids=["at once", "in a later member"])
    async def test_zip_bomb_is_not_decompressed(self, before: int) -> None:
        """A body that swells is not decompressed beyond the limit."""
        packed = gzip.compress(b" " * before) + gzip.compress(b" " * (128 * MIB))
        tracemalloc.start()
        try:
            with pytest.raises(UnreadableError, match="it is larger than 1 MiB"):
                await read_answer(response(Body(packed), **GZIP), MIB)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * MIB

    async def test_data_after_compressed_content(self) -> None:
        """Data after the compressed content is not kept in memory."""
        body = Body(gzip.compress(b"1"), *[b" " * MIB] * 20)
        tracemalloc.start()
        try:
            answer = await read_answer(response(body, **GZIP), 100)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert answer.content == b"1"
        assert peak < 4 * MIB

    @pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
    async def test_unrequested_compression_is_named(self, encoding: str) -> None:
        """A compression that was not asked for is an error that names it."""
        with pytest.raises(UnreadableError, match=repr(encoding)):
            await read_answer(response(Body(b"1"), content_encoding=encoding), 100)

    async def test_plain_body_may_be_called_compressed(self) -> None:
        """A body that something on the way has decompressed already is read as it is."""
        answer = await read_answer(response(Body(b"{", b"}"), **GZIP), 100)
        assert answer.json() == {}

    @pytest.mark.parametrize(
        ("content_type", "content"),
        [
            ("application/json; charset=iso-8859-1", '"é"'.encode("latin-1")),
            ('application/json; Charset="UTF-16"', '"é"'.encode("utf-16")),
            ("application/json; charset=utf-16le", '"é"'.encode("utf-16-le")),
        ],
    )
    async def test_declared_encoding_is_read(self, content_type: str, content: bytes) -> None:
        """JSON in another encoding than UTF-8 is read if the answer names it."""
        answer = await read_answer(response(Body(content), content_type=content_type), 100)
        assert answer.json() == "é"

    @pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=hex", "; charset=none"])
    async def test_text_that_was_cut_is_read(self, charset: str) -> None:
        """A character that is not whole is replaced, whatever encoding is named."""
        content_type = f"application/json{charset}"
        cut = response(Body('{"why": "é'.encode()[:-1], b'"}'), content_type=content_type)
        answer = await read_answer(cut, 100)
        assert answer.json() == {"why": "\ufffd"}

    @pytest.mark.parametrize(
        "packed", [b"\x1f\x8b no gzip", gzip.compress(b"1")[:-1]], ids=["other bytes", "cut off"]
    )
    async def test_broken_compression_is_unreadable(self, packed: bytes) -> None:
        """A body that can't be decompressed is an error."""
        with pytest.raises(UnreadableError, match="compressed"):
            await read_answer(response(Body(packed), **GZIP), 100)

    async def test_connection_errors_pass_through(self) -> None:
        """A connection that breaks raises the error of httpx."""
        body = Body(b"12", then=httpx.ReadError("reset"))
        with pytest.raises(httpx.ReadError):
            await read_answer(response(body), 100)


class TestRefusal:
    async def test_error_body_has_its_own_limit(self) -> None:
        """The body of an error is read whatever the limit of a success."""
        answer = await read_answer(response(Body(b"slow down"), 429), 1)
        assert (answer.status, answer.content, answer.is_success) == (429, b"slow down", False)

    async def test_error_body_is_cut(self) -> None:
        """Only the beginning of a long error body is read."""
        body = Body(*[b"x" * KIB] * 100)
        answer = await read_answer(response(body, 400), 1)
        assert body.taken == 65
        assert answer.content == b"x" * (56 * KIB)

    @pytest.mark.parametrize(
        ("body", "headers"),
        [
            (Body(b"half", then=httpx.ReadError("reset")), {}),
            (Body(b"half", then=httpx.RemoteProtocolError("closed")), {}),
            (Body(b"half"), {"content_encoding": "br"}),
            (Body(b"\x1f\x8b no gzip"), {"content_encoding": "gzip"}),
        ],
    )
    async def test_unreadable_error_body_is_empty(
        self, body: Body, headers: dict[str, str]
    ) -> None:
        """An error whose body can't be read keeps its status and has no text."""
        answer = await read_answer(response(body, 401, **headers), 1)
        assert (answer.status, answer.content) == (401, b"")

    async def test_endless_error_body_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An error body that never ends is given up."""

        class Endless(Body):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                yield b"half"
                await asyncio.Event().wait()

        monkeypatch.setattr(response_module, "_WORDS_TIMEOUT", 0.01)
        answer = await read_answer(response(Endless(), 403), 1)
        assert (answer.status, answer.content) == (403, b"")
