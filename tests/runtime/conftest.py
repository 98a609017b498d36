"""A real server on a loopback port, for whatever ASGI app a test has."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.local.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def serve_app() -> Iterator[Callable[[ASGIApp], str]]:
    """Start an app in a thread and return its URL; it runs until the session ends."""
    running: list[tuple[Server, threading.Thread]] = []

    def start(app: ASGIApp) -> str:
        ready = threading.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        server = Server(app, listener, lambda _url: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        running.append((server, thread))
        assert ready.wait(10), "the server did not start"
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(10)
