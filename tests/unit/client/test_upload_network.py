"""Uploads over networks that are slow, broken, encrypted, or behind a proxy."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from benchmark_runner.client import upload as upload_module
from benchmark_runner.errors import RejectedRequestError, ServiceUnavailableError
from tests.artifact_service import EVALUATE, UPLOAD_URL
from tests.unit.client.transport.certificates import certify
from tests.unit.client.transport.servers import (
    OK,
    never,
    serving,
    status,
    then_closes,
    then_resets,
)
from tests.unit.client.uploads import KEY, LARGE, Upload

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path

    from tests.artifact_service import ArtifactService
    from tests.unit.client.transport.servers import Heard, Server

pytestmark = pytest.mark.anyio

SIGNATURE = "X-Signature="


@pytest.fixture
def upload(
    artifact_service: ArtifactService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Upload:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return Upload(artifact_service, tmp_path)


class TestBrokenStorage:
    async def test_reset_within_the_file_is_retried(
        self, upload: Upload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection that is reset is a failed attempt, and the next one sends all of it."""

        async def reset_first(heard: Heard, writer: asyncio.StreamWriter) -> None:
            await (then_resets(b"") if len(storage.heard) == 1 else then_closes(OK))(heard, writer)

        async with serving(reset_first) as storage:
            monkeypatch.setattr(upload.service, "storage_url", storage.url)
            await upload.lost(LARGE)
        assert [len(heard.body) for heard in storage.heard] == [len(LARGE)] * 4  # three are lost
        assert len({heard.target for heard in storage.heard}) == 4
        assert upload.service.paths()[:3] == [UPLOAD_URL, UPLOAD_URL, EVALUATE]

    async def test_refusal_before_the_end_is_read(
        self, upload: Upload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A storage that refuses a file before it has read it is an error with its words."""
        import asyncio

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(status(413))
            await writer.drain()
            await reader.read()  # returns when the client hangs up
            writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            monkeypatch.setattr(upload.service, "storage_url", f"http://127.0.0.1:{port}")
            error = await upload.fails(RejectedRequestError, LARGE * 8)
        assert "HTTP 413" in error.message
        assert "smaller" in (error.hint or "")

    async def test_silent_storage_is_given_up(
        self, upload: Upload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A storage that does not answer in time is an error after the allowed attempts."""
        monkeypatch.setattr(upload_module, "_LEAST_TIME", 0.02)
        monkeypatch.setattr(upload_module, "_TIME_PER_BYTE", 0)
        async with serving(never) as storage:
            monkeypatch.setattr(upload.service, "storage_url", storage.url)
            error = await upload.fails(ServiceUnavailableError)
        assert "did not take it within 0.02 s" in error.message
        assert EVALUATE not in upload.service.paths()


class TestOrigins:
    async def test_storage_may_be_encrypted(
        self, upload: Upload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A storage with a trusted certificate gets the file over TLS, any other one nothing."""
        (tmp_path / "tls").mkdir()
        certificate = certify(tmp_path / "tls", x509.IPAddress(ip_address("127.0.0.1")))
        async with serving(tls=certificate.server) as storage:
            monkeypatch.setattr(upload.service, "storage_url", storage.url)
            error = await upload.fails(ServiceUnavailableError)
            assert "certificate" in error.message
            assert storage.heard == []
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
            await upload.lost()
        assert_bare(storage)

    async def test_proxy_is_that_of_the_storage(
        self, upload: Upload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An upload to another machine goes through the proxy, the service's own calls do not."""
        monkeypatch.setattr(upload.service, "storage_url", "http://storage.test")
        async with serving() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            await upload.lost(allow_insecure_http=True)
        assert_bare(proxy, "http://storage.test")

    async def test_unencrypted_one_elsewhere_is_refused(
        self, upload: Upload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing goes unencrypted to another machine, unless that is allowed."""
        monkeypatch.setattr(upload.service, "storage_url", "http://storage.test")
        error = await upload.fails(RejectedRequestError)
        assert "would go unencrypted to http://storage.test" in error.message
        assert "--allow-insecure-http" in (error.hint or "")


def assert_bare(server: Server, origin: str = "") -> None:
    """Each request is a PUT to a signed URL with its length, and nothing that is ours."""
    assert server.heard
    for heard in server.heard:
        assert heard.line.startswith(f"PUT {origin}/bucket/sub/r1/t1/fix.patch?")
        assert SIGNATURE in heard.target
        assert {name.lower() for name, _ in heard.headers} == {"host", "content-length"}
        assert KEY not in str(heard.headers)
