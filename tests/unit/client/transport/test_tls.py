"""Which certificates are trusted, and who says so."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509

from tests.unit.client.transport.certificates import Certificate, certify
from tests.unit.client.transport.servers import serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.client.transport.certificates import Certificate
    from tests.unit.client.transport.servers import Client

pytestmark = pytest.mark.anyio


class TestTls:
    async def test_untrusted_certificate_is_refused(
        self, client_of: Client, certificate: Certificate
    ) -> None:
        """An untrusted certificate is refused with the reason, before anything is sent."""
        async with serving(tls=certificate.server) as server, client_of() as client:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed: self-signed"):
                await client.post(server.url, content=b"it")
        assert not server.heard

    async def test_environment_names_trusted_certificates(
        self, client_of: Client, trusted: Certificate
    ) -> None:
        """A certificate that the environment names is trusted."""
        async with serving(tls=trusted.server) as server, client_of() as client:
            for _ in range(2):
                assert (await client.post(server.url, content=b"it")).text == "ok"
        assert server.used == [1, 1]

    async def test_environment_is_ignored_if_not_trusted(
        self, client_of: Client, trusted: Certificate
    ) -> None:
        """With trust_env=False the certificates of the environment are not used."""
        async with (
            serving(tls=trusted.server) as server,
            client_of(trust_env=False) as client,
        ):
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await client.get(server.url)

    async def test_a_certificate_of_another_host_is_refused(
        self, client_of: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A certificate of another host is refused."""
        other = certify(tmp_path, x509.DNSName("other.test"))
        monkeypatch.setenv("SSL_CERT_FILE", str(other.path))
        async with serving(tls=other.server) as server, client_of() as client:
            with pytest.raises(httpx.ConnectError, match="IP address mismatch"):
                await client.get(server.url)
        assert not server.heard

    async def test_given_context_decides(self, client_of: Client, certificate: Certificate) -> None:
        """An SSL context that is passed in decides."""
        context = ssl.create_default_context(cafile=certificate.path)
        async with (
            serving(tls=certificate.server) as server,
            client_of(verify=context) as client,
        ):
            assert (await client.get(server.url)).text == "ok"

    async def test_server_without_tls_is_a_connect_error(self, client_of: Client) -> None:
        """A server without TLS is a ConnectError."""

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 at your service\r\n")
            writer.close()

        async with (
            await asyncio.start_server(greet, "127.0.0.1", 0) as server,
            client_of() as client,
        ):
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://127.0.0.1:{port}/")
