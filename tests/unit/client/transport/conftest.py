"""Both transports, and a certificate; nothing of the machine's environment."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509

from tests.unit.client.transport.certificates import Certificate, certify
from tests.unit.client.transport.clients import AiohttpClient

if TYPE_CHECKING:
    from tests.unit.client.transport.servers import Client


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[AiohttpClient, httpx.AsyncClient], ids=["ours", "httpx's own"])
def client_of(request: pytest.FixtureRequest) -> Client:
    return request.param


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    loopback = x509.IPAddress(ip_address("127.0.0.1"))
    return certify(tmp_path_factory.mktemp("tls"), loopback)


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    return certificate
