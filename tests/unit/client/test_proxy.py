"""The proxy that is used for a URL, of all that the environment names."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.client.proxy import proxy_for
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "http://proxy.test:3128"
SOCKS = "socks5://127.0.0.1:1080"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def used(url: str) -> str | None:
    proxy = proxy_for(httpx.URL(url))
    return None if proxy is None else str(proxy.url)


@pytest.mark.parametrize(
    ("variable", "url", "is_used"),
    [
        ("HTTP_PROXY", "http://service.test", True),
        ("HTTP_PROXY", "https://service.test", False),
        ("https_proxy", "https://service.test", True),
        ("ALL_PROXY", "http://service.test", True),
        ("all_proxy", "https://service.test", True),
    ],
)
def test_proxy_of_the_scheme_is_used(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, is_used: bool
) -> None:
    """The proxy is that of the URL's scheme, else that of all."""
    monkeypatch.setenv(variable, PROXY)
    assert used(url) == (PROXY if is_used else None)


def test_scheme_of_a_proxy_may_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy without a scheme is one over http."""
    monkeypatch.setenv("HTTP_PROXY", "proxy.test:3128")
    assert used("http://service.test") == PROXY


@pytest.mark.parametrize(
    ("exempt", "url"),
    [
        ("service.test", "http://service.test"),
        ("service.test", "http://a.service.test:8000"),
        (".service.test", "http://a.service.test"),
        ("*.service.test", "http://a.service.test"),
        ("Service.Test", "http://service.test"),
        ("other.test, service.test", "http://service.test"),
        ("other.test service.test", "http://service.test"),
        ("service.test:8000", "http://service.test:8000"),
        ("service.test:80", "http://service.test"),
        ("http://service.test", "http://service.test"),
        ("*", "http://service.test"),
        ("10.0.0.0/8", "http://10.1.2.3:8000"),
        ("10.1.2.3", "http://10.1.2.3"),
        ("10.1.2.3:8000", "http://10.1.2.3:8000"),
        ("fd00::/8", "http://[fd00::1]"),
        ("fd00::1", "http://[fd00::1]:8000"),
        ("[fd00::1]", "http://[fd00::1]"),
        ("[fd00::1]:8000", "http://[fd00::1]:8000"),
        ("10.0.0.0/8,fd00::/8,service.test", "http://service.test"),
    ],
)
def test_exempt_host_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch, exempt: str, url: str
) -> None:
    """A host in NO_PROXY is asked directly: a name, an address or a range of addresses."""
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", exempt)
    assert used(url) is None


@pytest.mark.parametrize(
    ("exempt", "url"),
    [
        ("service.test", "http://myservice.test"),
        ("service.test:8000", "http://service.test"),
        ("10.0.0.0/8", "http://11.1.2.3"),
        ("10.0.0.0/8", "http://service.test"),
        ("fd00::/8", "http://10.1.2.3"),
        ("[fd00::1]:80", "http://[fd00::1]:8000"),
        ("[::1", "http://service.test"),
        ("::1,[::1],10.0.0.0/99,a b,,:,/,.", "http://service.test"),
    ],
)
def test_other_hosts_use_the_proxy(monkeypatch: pytest.MonkeyPatch, exempt: str, url: str) -> None:
    """A host that is not in NO_PROXY uses the proxy; entries that say nothing are passed over."""
    monkeypatch.setenv("HTTP_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", exempt)
    assert used(url) == PROXY


@pytest.mark.parametrize(
    "address", [SOCKS, "socks5h://me:secret@h:1", "ftp://h", "http://", "http://[::"]
)
@pytest.mark.parametrize("variable", ["ALL_PROXY", "https_proxy"])
def test_unusable_proxy_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    """A proxy that can't be used is named by its variable, without its password."""
    monkeypatch.setenv(variable, address)
    with pytest.raises(UsageError) as caught:
        proxy_for(httpx.URL("https://service.test"))
    said = f"{caught.value.message} {caught.value.hint}"
    assert variable in said
    assert "secret" not in said


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", SOCKS),
        ("HTTPS_PROXY", SOCKS),
        ("NO_PROXY", "localhost,127.0.0.1,::1,[::1]"),
        ("NO_PROXY", "10.0.0.0/8,fd00::/8"),
        ("SSL_CERT_FILE", "/no/such/file"),
    ],
)
async def test_unused_settings_do_not_matter(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A setting that is not used for a service on this machine does not matter."""
    monkeypatch.setenv(name, value)
    await BenchmarkServiceClient("http://127.0.0.1:9").aclose()


@pytest.mark.anyio
async def test_unreadable_certificates_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates that are needed and can't be read are named by their variable."""
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        BenchmarkServiceClient("https://service.test")


def test_unwritable_key_log_does_not_matter(tmp_path: Path) -> None:
    """An SSLKEYLOGFILE that can't be written is passed over, also by the libraries below."""
    script = (
        "import os\n"
        "from benchmark_runner.client import build_client\n"
        "build_client('https://service.test')\n"
        "print(os.environ.get('SSLKEYLOGFILE'))\n"
    )
    for path, kept in ((tmp_path / "no" / "file", False), (tmp_path / "log", True)):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "SSLKEYLOGFILE": str(path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert done.stdout.strip() == (str(path) if kept else "None")
