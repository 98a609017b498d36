"""Proxies, as the environment or the client names them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.unit.client.transport.certificates import Certificate
from tests.unit.client.transport.clients import AiohttpClient
from tests.unit.client.transport.servers import (
    basic,
    free_port,
    serving,
    status,
    tunnel_to,
)

if TYPE_CHECKING:
    from tests.unit.client.transport.certificates import Certificate
    from tests.unit.client.transport.servers import Client

pytestmark = pytest.mark.anyio


class TestProxies:
    async def test_http_is_sent_in_absolute_form(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Plain HTTP goes to the proxy with the whole URL."""
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with client_of() as client:
                assert (await client.get("http://service.test/a%2Fb?c=d+e")).text == "ok"
        assert proxy.heard[0].line == "GET http://service.test/a%2Fb?c=d+e HTTP/1.1"
        assert proxy.heard[0].all("host") == ["service.test"]
        assert proxy.heard[0].all("proxy-authorization") == []

    async def test_connections_to_a_proxy_are_reused(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Connections to a proxy are used again, with one authorization each time."""
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:secret@"))
            async with client_of() as client:
                for _ in range(3):
                    await client.get("http://service.test/")
        assert proxy.used == [1, 1, 1]
        assert [len(heard.all("proxy-authorization")) for heard in proxy.heard] == [1, 1, 1]

    async def test_user_info_goes_to_the_proxy_only(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """User name and password of the proxy are sent to the proxy only."""
        async with serving() as proxy, serving() as direct:
            with_user_info = proxy.url.replace("//", "//me:s%20cret@")
            monkeypatch.setenv("HTTP_PROXY", with_user_info)
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            async with client_of() as client:
                await client.get("http://service.test/")
                await client.get(direct.url)
        assert proxy.heard[0].all("proxy-authorization") == [basic("me:s cret")]
        assert proxy.heard[0].all("authorization") == []
        assert direct.heard[0].all("proxy-authorization") == []

    async def test_https_goes_through_a_tunnel(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, trusted: Certificate
    ) -> None:
        """HTTPS goes through a tunnel, and only the proxy gets the user info."""
        async with (
            serving(tls=trusted.server) as server,
            serving(tunnel_to(server)) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:secret@"))
            async with client_of() as client:
                for _ in range(2):
                    assert (await client.get(f"{server.url}/a?b")).text == "ok"
        host = f"127.0.0.1:{server.port}"
        assert [heard.line for heard in proxy.heard] == [f"CONNECT {host} HTTP/1.1"]
        assert proxy.heard[0].all("proxy-authorization") == [basic("me:secret")]
        assert proxy.heard[0].all("host") == [host]
        assert [heard.line for heard in server.heard] == ["GET /a?b HTTP/1.1"] * 2
        assert [heard.all("proxy-authorization") for heard in server.heard] == [[], []]
        assert server.used == [1, 1]

    async def test_proxy_may_use_tls(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, trusted: Certificate
    ) -> None:
        """The proxy itself may use TLS."""
        async with (
            serving(tls=trusted.server) as server,
            serving(tunnel_to(server), tls=trusted.server) as tunnels,
            serving(tls=trusted.server) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", tunnels.url)
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with client_of() as client:
                assert (await client.get(server.url)).text == "ok"
                assert (await client.get("http://service.test/a")).text == "ok"
        assert tunnels.heard[0].line == f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"
        assert proxy.heard[0].line == "GET http://service.test/a HTTP/1.1"

    async def test_certificate_is_verified_in_a_tunnel(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, certificate: Certificate
    ) -> None:
        """The certificate of the server is verified through a tunnel."""
        async with (
            serving(tls=certificate.server) as server,
            serving(tunnel_to(server)) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client_of() as client:
                with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                    await client.get(server.url)
        assert not server.heard

    async def test_host_name_is_verified_in_a_tunnel(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, trusted: Certificate
    ) -> None:
        """The host name of the server is verified through a tunnel."""
        async with (
            serving(tls=trusted.server) as server,
            serving(tunnel_to(server)) as proxy,
        ):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client_of() as client:
                with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
                    await client.get(f"https://service.test:{server.port}/")
        assert not server.heard

    async def test_refused_tunnel_is_a_proxy_error(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A proxy that refuses a tunnel is a ProxyError, without a second request."""
        refusal = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
        async with serving(refusal) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            async with client_of() as client:
                with pytest.raises(httpx.ProxyError, match=r"^407 Who are you$"):
                    await client.post("https://service.test/")
        assert len(proxy.heard) == 1

    async def test_refused_http_is_the_answer(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A proxy's refusal of plain HTTP is the answer."""
        async with serving(status(407)) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            async with client_of() as client:
                assert (await client.post("http://service.test/")).status_code == 407

    @pytest.mark.parametrize("scheme", ["http", "https"])
    async def test_unreachable_proxy_is_a_connect_error(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, scheme: str
    ) -> None:
        """A proxy that is down is a ConnectError that hides the password."""
        monkeypatch.setenv("ALL_PROXY", f"http://me:secret@127.0.0.1:{free_port()}")
        async with client_of() as client:
            with pytest.raises(httpx.ConnectError) as caught:
                await client.get(f"{scheme}://service.test/")
        assert "secret" not in str(caught.value)
        if client_of is AiohttpClient:
            assert str(caught.value).startswith("the proxy: ")

    async def test_all_proxy_is_used_for_http(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """ALL_PROXY is used for plain HTTP, too."""
        async with serving() as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            async with client_of() as client:
                await client.get("http://service.test/")
        assert proxy.heard[0].target == "http://service.test/"

    @pytest.mark.parametrize("exception", ["a.service.test", "service.test", ".service.test", "*"])
    async def test_no_proxy_hosts_are_asked_directly(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch, exception: str
    ) -> None:
        """A host in NO_PROXY is asked directly."""
        resolve_to_loopback(monkeypatch)
        async with serving(b"nothing") as proxy, serving() as server:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", exception)
            async with client_of() as client:
                await client.get(f"http://a.service.test:{server.port}/x")
        assert server.heard[0].target == "/x"
        assert not proxy.heard

    async def test_other_hosts_use_the_proxy(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A host that is not in NO_PROXY is asked through the proxy."""
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "service.test,10.0.0.1")
            async with client_of() as client:
                await client.get("http://other.test/")
        assert proxy.heard[0].target == "http://other.test/"

    async def test_environment_is_ignored_if_not_trusted(
        self, client_of: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With trust_env=False the proxies of the environment are not used."""
        async with serving(b"nothing") as proxy, serving() as server:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            async with client_of(trust_env=False) as client:
                assert (await client.get(server.url)).text == "ok"
        assert not proxy.heard

    async def test_proxy_headers_are_sent(self, client_of: Client) -> None:
        """Headers for the proxy are sent to it."""
        async with serving() as server:
            proxy = httpx.Proxy(server.url, headers={"x-proxy": "a"})
            async with client_of(proxy=proxy) as client:
                await client.get("http://service.test/")
        assert server.heard[0].all("x-proxy") == ["a"]

    @pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
    def test_socks_proxy_is_refused(self, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
        """A SOCKS proxy is refused."""
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:9")
        with pytest.raises(ValueError, match=f"a proxy can't be {scheme}$"):
            AiohttpClient()


def resolve_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no name of this machine that each machine knows, but ``localhost``."""
    resolve = socket.getaddrinfo

    def to_loopback(host: Any, *args: Any, **settings: Any) -> Any:
        known = host not in ("a.service.test", b"a.service.test")
        return resolve(host if known else "127.0.0.1", *args, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", to_loopback)
