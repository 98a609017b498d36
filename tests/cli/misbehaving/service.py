"""A benchmark service that fails on purpose, down to the socket, and remembers what it was asked.

Only grading fails, and only of the tasks that a test names; all else answers as it should.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from tests.scripted_service import usual_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Fault = Callable[["Exchange"], None]

GRADING = ("/evaluate-response/", "/v1/evaluate")
PIECE = b" " * 65536


@dataclass(frozen=True)
class Asked:
    """One request that was read."""

    path: str
    headers: dict[str, str]
    body: Any
    at: float

    @property
    def task_id(self) -> str | None:
        return self.body["task_id"] if self.path in GRADING else None


class MisbehavingService(ThreadingHTTPServer):
    """Serves on a loopback port as long as it is entered.

    Attributes:
        faults: What happens to the requests for a task's grade, one after the other; the last
            one happens to all that follow, and ``healthy`` is none.
        on_arrival: What happens to the next requests for a grade before their bodies are read.
        asked: The requests that were read.
        lost: How many requests came on a connection that had gone deaf.
        sent: How many bytes of a ``huge`` answer went out.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.faults: dict[str, list[Fault]] = {}
        self.on_arrival: list[Fault] = []
        self.asked: list[Asked] = []
        self.lost = 0
        self.sent = 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def heal(self) -> None:
        """From now on everything is graded."""
        self.faults.clear()
        self.on_arrival.clear()

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def asked_for(self, task_id: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.task_id == task_id]


class Exchange(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: MisbehavingService

    def do_GET(self) -> None:
        self._read_and_answer()

    def do_POST(self) -> None:
        if self.path in GRADING and self.server.on_arrival:
            self.server.on_arrival.pop(0)(self)
        else:
            self._read_and_answer()

    def answer(
        self,
        status: int,
        content: bytes,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        """Send a whole answer; ``length`` is what it says of itself where that is not so."""
        fields = {
            "content-type": "application/json",
            "content-length": str(len(content) if length is None else length),
            **(headers or {}),
        }
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        self.connection.sendall(head + content)

    def leave(self) -> None:
        """Close the connection at once; what was not read makes no difference."""
        self.close_connection = True
        self.rfile.close()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        pass

    def _read_and_answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length) or b"null")
        path = self.path.partition("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(path, headers, body, time.monotonic())
        self.server.asked.append(asked)
        faults = self.server.faults.get(asked.task_id or "", [healthy])
        fault = faults.pop(0) if len(faults) > 1 else faults[0]
        if fault is healthy:
            self.answer(200, json.dumps(usual_answer(path, body)).encode())
            return
        with contextlib.suppress(OSError):  # the client may have hung up, and rightly
            fault(self)


def healthy(exchange: Exchange) -> None:
    """No fault: the task is graded."""
    raise AssertionError(exchange.path)


def answers(status: int, detail: object = "because", **headers: str) -> Fault:
    """Answer so; the service says in it which key it was sent, as careless ones do."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}

    def fault(exchange: Exchange) -> None:
        key = exchange.headers.get("x-descope-api-key")
        said = f"{detail} (asked with {key})" if isinstance(detail, str) else detail
        exchange.answer(status, json.dumps({"detail": said}).encode(), names)

    return fault


def says(content: bytes, **headers: str) -> Fault:
    """Answer 200 with these bytes."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.answer(200, content, names)


def reset(exchange: Exchange) -> None:
    """Reset the connection instead of an answer."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.leave()


def goes_deaf(first: Fault) -> Fault:
    """Answer, and reset the connection when the next request on it comes, unread."""

    def fault(exchange: Exchange) -> None:
        first(exchange)
        exchange.server.lost += len(exchange.connection.recv(1))
        reset(exchange)

    return fault


def cut_off(exchange: Exchange) -> None:
    """Say how long the answer is, send half of it and close."""
    exchange.answer(200, b'{"pass_percen', length=26)
    exchange.leave()


def half(exchange: Exchange) -> None:
    """Send half of an answer that does not say how long it is, and close."""
    exchange.connection.sendall(b'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{"pass_percen')
    exchange.leave()


def drip(content: bytes, pause: float) -> Fault:
    """Send an answer byte by byte."""

    def fault(exchange: Exchange) -> None:
        exchange.answer(200, b"", length=len(content))
        for byte in content:
            time.sleep(pause)  # it is this slowness that a client meets
            exchange.connection.sendall(bytes([byte]))

    return fault


def huge(size: int) -> Fault:
    """Send an answer of that many bytes, as far as the client takes it."""

    def fault(exchange: Exchange) -> None:
        exchange.close_connection = True
        exchange.answer(200, b"", length=size)
        for _ in range(size // len(PIECE)):
            exchange.connection.sendall(PIECE)
            exchange.server.sent += len(PIECE)

    return fault


def bomb(size: int) -> Fault:
    """Send few bytes that become so many."""
    return says(gzip.compress(b" " * size), content_encoding="gzip")


def hang(exchange: Exchange) -> None:
    """Never answer; ends when the client hangs up."""
    exchange.connection.recv(1)
    exchange.close_connection = True
