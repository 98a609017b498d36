"""The names by which requests may reach a served service, and connections that stall."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmark_runner.local import server as server_module
from benchmark_runner.local.host_check import HostCheck
from tests.unit.local.sample_service import make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

LOCAL = ["localhost", "LOCALHOST:8000", "a.localhost", "127.0.0.1:80", "127.1.2.3", "[::1]:80"]
OTHERS = ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example"]


@pytest.fixture
def status_of(folder: Path) -> Callable[..., int]:
    """Asks a service on an address by the name of a host."""

    def ask(host: str, address: str, *allowed: str) -> int:
        app = HostCheck(make(folder), address, allowed)
        return _get(httpx.ASGITransport(app), host)

    return ask


def _get(transport: httpx.AsyncBaseTransport, host: str) -> int:
    async def get() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.get("/health", headers={"host": host})).status_code

    return asyncio.run(get())


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0", "10.0.0.1"])
def test_this_machine_is_allowed(status_of: Callable[..., int], address: str) -> None:
    """The names of this machine are allowed on each address."""
    assert {status_of(host, address) for host in LOCAL} == {200}


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("host", OTHERS)
def test_other_names_are_refused(status_of: Callable[..., int], address: str, host: str) -> None:
    """A name that may be that of a web page is refused, unless it is allowed."""
    assert status_of(host, address) == 400
    assert status_of(host, address, host.partition(":")[0].upper()) == 200


@pytest.mark.parametrize("host", ["grader:8000", "10.1.2.3", "grader.example.com"])
def test_network_has_names_of_its_own(
    status_of: Callable[..., int], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """On a network, addresses, names without a dot and the machine's name are allowed, too."""
    monkeypatch.setattr(socket, "gethostname", lambda: "Grader.example.com")
    assert status_of(host, "127.0.0.1") == 400
    assert status_of(host, "0.0.0.0") == 200


class TestSlowConnection:
    @pytest.mark.parametrize(
        "sent",
        [
            b"",
            b"GET /health HTTP/1.1\r\nHost: x",
            b"POST /evaluate-response/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        ],
        ids=["nothing", "half of the headers", "half of the body"],
    )
    def test_request_that_does_not_arrive_is_dropped(
        self,
        folder: Path,
        serve_app: Callable[[ASGIApp], str],
        monkeypatch: pytest.MonkeyPatch,
        sent: bytes,
    ) -> None:
        """A connection whose request does not arrive in time is closed."""
        monkeypatch.setattr(server_module, "REQUEST_WITHIN", 0.2)
        port = int(serve_app(make(folder)).rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(sent)
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""

    def test_slow_evaluation_is_waited_for(
        self, folder: Path, serve_app: Callable[[ASGIApp], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that has arrived is answered, however long that takes."""
        monkeypatch.setattr(server_module, "REQUEST_WITHIN", 0.2)
        done = threading.Event()
        release = threading.Timer(0.6, done.set)

        def grade(task: object, response: str) -> float:
            assert done.wait(20)
            return 1.0

        url = serve_app(make(folder, grade))
        release.start()
        answer = httpx.post(
            f"{url}/evaluate-response/",
            json={"task_id": "d1", "response": "x", "dataset": "default"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
