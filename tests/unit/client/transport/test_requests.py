"""What is sent is what httpx was asked to send."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.client.transport.clients import AiohttpClient
from tests.unit.client.transport.servers import (
    KIB,
    OK,
    basic,
    in_turn,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.unit.client.transport.servers import Client

pytestmark = pytest.mark.anyio


class TestRedirectsAndCookies:
    async def test_a_redirect_is_an_answer(self, client_of: Client) -> None:
        """A redirect is an answer by default."""
        async with serving(redirect("/there")) as server, client_of() as client:
            response = await client.post(server.url)
        assert response.status_code == 307
        assert response.headers["location"] == "/there"
        assert len(server.heard) == 1

    async def test_followed_307_keeps_method_and_body(self, client_of: Client) -> None:
        """A 307 that is followed keeps the method and the body."""
        async with (
            serving(in_turn(redirect("/there"), OK)) as server,
            client_of(follow_redirects=True) as client,
        ):
            assert (await client.post(server.url, content=b"it")).text == "ok"
        assert [heard.line for heard in server.heard] == [
            "POST / HTTP/1.1",
            "POST /there HTTP/1.1",
        ]
        assert [heard.body for heard in server.heard] == [b"it", b"it"]

    async def test_a_cookie_is_sent_once(self, client_of: Client) -> None:
        """A cookie is sent once and only while the client has it."""
        setting = OK.replace(b"\r\n", b"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2; Path=/\r\n", 1)
        async with serving(in_turn(setting, OK)) as server, client_of() as client:
            await client.get(server.url)
            await client.get(server.url)
            client.cookies.clear()
            await client.get(server.url)
        assert [heard.all("cookie") for heard in server.heard] == [[], ["a=1; b=2"], []]


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 307 There\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


class TestRequests:
    @pytest.mark.parametrize(
        ("given", "sent"),
        [
            ("", "/"),
            ("/a%2Fb", "/a%2Fb"),
            ("/a%2fb", "/a%2fb"),
            ("/a%20b%25", "/a%20b%25"),
            ("/a b", "/a%20b"),
            ("/a+b;c=d,e@f:g", "/a+b;c=d,e@f:g"),
            ("/%7Ea", "/%7Ea"),
            ("/ä", "/%C3%A4"),
            ("/a//b/", "/a//b/"),
            ("/?a=b+c&d=%2B&e=;f", "/?a=b+c&d=%2B&e=;f"),
            ("/?ü=%20&&=", "/?%C3%BC=%20&&="),
            ("/a?b=[c]", "/a?b=[c]"),
            ("/a?b#c", "/a?b"),
        ],
    )
    async def test_target_is_sent_unchanged(self, client_of: Client, given: str, sent: str) -> None:
        """The target of a request is sent as httpx encodes it."""
        async with serving() as server, client_of() as client:
            await client.get(server.url + given)
        assert server.heard[0].line == f"GET {sent} HTTP/1.1"
        assert server.heard[0].all("host") == [f"127.0.0.1:{server.port}"]

    async def test_a_host_may_be_an_ipv6_address(self, client_of: Client) -> None:
        """A host may be an IPv6 address."""
        if not has_ipv6():
            pytest.skip("there is no IPv6 on this machine")
        async with serving(host="::1") as server, client_of() as client:
            assert (await client.get(f"http://[::1]:{server.port}/")).text == "ok"
        assert server.heard[0].all("host") == [f"[::1]:{server.port}"]

    async def test_user_info_is_basic_authentication(self, client_of: Client) -> None:
        """User info in the URL is sent as basic authentication."""
        async with serving() as server, client_of() as client:
            await client.get(server.url.replace("//", "//me:s%20cret@"))
        assert server.heard[0].target == "/"
        assert server.heard[0].all("authorization") == [basic("me:s cret")]
        assert server.heard[0].all("host") == [f"127.0.0.1:{server.port}"]

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"])
    @pytest.mark.parametrize("content", [None, b"", b"it"])
    async def test_headers_are_exactly_those_of_httpx(
        self, client_of: Client, method: str, content: bytes | None
    ) -> None:
        """The headers are exactly those of the httpx request."""
        async with serving(b"HTTP/1.1 204 No\r\n\r\n") as server, client_of() as client:
            request = client.build_request(
                method, server.url, content=content, headers=[("X-A", "1"), ("x-a", "2")]
            )
            await client.send(request)
        expected = [(name.lower(), value) for name, value in request.headers.multi_items()]
        heard = [(name.lower(), value) for name, value in server.heard[0].headers]
        assert sorted(heard) == sorted(expected)
        assert server.heard[0].all("x-a") == ["1", "2"]

    async def test_removed_header_is_not_added(self, client_of: Client) -> None:
        """A header that was removed is not added again."""
        async with serving() as server, client_of() as client:
            client.headers.clear()
            await client.post(server.url, content=b"it")
        names = sorted(name.lower() for name, _ in server.heard[0].headers)
        assert names == ["content-length", "host"]

    async def test_own_host_header_is_sent(self, client_of: Client) -> None:
        """A Host header of the request is sent."""
        async with serving() as server, client_of() as client:
            await client.get(server.url, headers={"host": "other.test"})
        assert server.heard[0].all("host") == ["other.test"]

    @pytest.mark.parametrize("size", [0, 1, 256 * KIB, 256 * KIB + 1, 3 * KIB**2])
    async def test_body_is_sent_with_its_length(self, client_of: Client, size: int) -> None:
        """A body is sent completely, with its length, and each time."""
        body = bytes(number % 251 for number in range(size))
        async with serving() as server, client_of() as client:
            for _ in range(2):
                await client.post(server.url, content=body)
        assert [heard.body == body for heard in server.heard] == [True, True]
        assert server.heard[0].all("content-length") == [f"{size}"]
        assert server.heard[0].all("transfer-encoding") == []

    @pytest.mark.parametrize("size", [1, 200 * KIB])
    async def test_body_may_be_generated(self, client_of: Client, size: int) -> None:
        """A body may be generated while it is sent."""

        async def parts() -> AsyncIterator[bytes]:
            for number in range(3):
                await asyncio.sleep(0)
                yield b"%d" % number * size

        async with serving() as server, client_of() as client:
            assert (await client.post(server.url, content=parts())).text == "ok"
            assert (await client.get(server.url)).text == "ok"
        assert server.heard[0].body == b"0" * size + b"1" * size + b"2" * size
        lengths = ("content-length", "transfer-encoding")
        assert sum(len(server.heard[0].all(name)) for name in lengths) == 1

    async def test_failing_body_raises_its_own_error(self) -> None:
        """An error of the generated body is raised, and nothing is sent."""

        async def parts() -> AsyncIterator[bytes]:
            yield b"it"
            raise LookupError("lost")

        async with serving() as server, AiohttpClient() as client:
            with pytest.raises(LookupError, match="lost"):
                await client.post(server.url, content=parts())
        assert not server.connections

    async def test_non_http_scheme_is_refused(self, client_of: Client) -> None:
        """A scheme other than HTTP is refused."""
        async with client_of() as client:
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get("ftp://127.0.0.1/")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
