"""A service that evaluates over the WebSocket, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import WSMsgType, web

from benchmark_runner.client.evaluation_journal import MemoryJournal
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.client.websocket_evaluation import WebSocketEvaluation
from benchmark_runner.errors import ServiceError

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    from benchmark_runner.schemas import EvalResult

    Step = dict[str, Any] | str | bytes | Callable[["Connection"], Awaitable[object]]

KEY = "a-key-of-the-service-4711"
#: Quick retries, as many as a test needs.
QUICK = RetryPolicy(attempts=3, total_time=30, first_wait=0.001, max_wait=0.002)
GRADE = {"pass_percentage": 1.0}
RESULT = {"type": "result", "data": GRADE}


def message(text: object) -> dict[str, Any]:
    return {"type": "message", "data": text}


def state(**content: object) -> dict[str, Any]:
    return {"type": "eval_resume_state", "data": content}


def error(data: object, **more: object) -> dict[str, Any]:
    return {"type": "error", "data": data, **more}


@dataclass
class Connection:
    """A connection that a client has opened."""

    socket: web.WebSocketResponse
    request: web.Request

    async def say(self, step: Step) -> None:
        match step:
            case dict():
                await self.socket.send_str(json.dumps(step))
            case str():
                await self.socket.send_str(step)
            case bytes():
                await self.socket.send_bytes(step)
            case _:
                await step(self)

    def abort(self) -> None:
        assert self.request.transport is not None
        self.request.transport.abort()


def closes(code: int = 1000, reason: str = "") -> Step:
    async def close(connection: Connection) -> None:
        await connection.socket.close(code=code, message=reason.encode())

    return close


async def breaks_off(connection: Connection) -> None:
    connection.abort()


async def is_silent(connection: Connection) -> None:
    async for _ in connection.socket:
        pass


@dataclass
class Service:
    """Answers each connection with the next one of ``scripts``, the last of them again.

    Attributes:
        refusals: HTTP answers to the first requests for a WebSocket.
        firsts: The first message of each connection.
        headers: The headers of each request for one.
        health: The word of ``/health``.
        greets: Whether a script begins before the first message.
        delay: Seconds until a request is answered.
    """

    scripts: list[list[Step]] = field(default_factory=list)
    refusals: list[web.Response] = field(default_factory=list)
    firsts: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    pings: int = 0
    asked_for_health: int = 0
    health: str = "ok"
    greets: bool = False
    delay: float = 0.0
    url: str = ""
    port: int = 0
    opened: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(condition)

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def evaluate(self, request: web.Request) -> web.StreamResponse:
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        await asyncio.sleep(self.delay)
        if self.refusals:
            return self.refusals.pop(0)
        socket = web.WebSocketResponse(autoping=False, max_msg_size=0)
        await socket.prepare(request)
        self.opened += 1
        await self._note()
        with suppress(ConnectionError):  # the client has hung up
            await self._follow(Connection(socket, request))
        return socket

    async def _follow(self, connection: Connection) -> None:
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if not self.greets:
            while (first := await connection.socket.receive()).type is WSMsgType.PING:
                self.pings += 1
            if first.type is not WSMsgType.TEXT:
                return
            self.firsts.append(json.loads(first.data))
        for step in script:
            await connection.say(step)
        async for more in connection.socket:
            self.pings += more.type is WSMsgType.PING
            await self._note()

    async def tell_health(self, _request: web.Request) -> web.Response:
        self.asked_for_health += 1
        await self._note()
        return web.json_response({"status": self.health})

    def client(self, **settings: Any) -> BenchmarkServiceClient:
        settings = {"retry": QUICK, "headers": {"x-descope-api-key": KEY}, **settings}
        silence, pinned = settings.pop("silence", 30.0), settings.pop("pinned", None)
        client = BenchmarkServiceClient(self.url, **settings)
        client.calls.silence = silence
        if pinned is not None:
            client.pin(pinned)
        return client

    async def graded(self, journal: MemoryJournal | None = None, **settings: Any) -> EvalResult:
        """Have a response evaluated, within seconds."""
        async with self.client(**settings) as client, asyncio.timeout(20):
            kept = journal or MemoryJournal()
            return await WebSocketEvaluation(client, "t1", "the answer", "d", kept).run()

    async def fails(self, **settings: Any) -> ServiceError:
        """Have a response evaluated that can't be; return the error, which names the task."""
        with pytest.raises(ServiceError) as failed:
            await self.graded(**settings)
        assert "task 't1'" in failed.value.message
        assert KEY not in failed.value.message
        return failed.value


async def tell_nothing(_request: web.Request) -> web.Response:
    return web.json_response({"task_ids": ["t1"]})


class Notes(MemoryJournal):
    """A journal that remembers all it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.saved: list[dict[str, Any]] = []

    async def save(self, state: dict[str, Any]) -> None:
        self.saved.append(state)
        await super().save(state)

    def tell(self, text: str, *, at_once: bool = False) -> None:
        self.told.append(text)


@asynccontextmanager
async def serving(
    *scripts: list[Step], tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[Service]:
    service = Service([*scripts] or [[RESULT]], **settings)
    app = web.Application()
    app.router.add_get("/ws/evaluate-response", service.evaluate)
    app.router.add_get("/health", service.tell_health)
    app.router.add_get("/verify-task-ids", tell_nothing)
    app.router.add_get("/version", tell_nothing)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    service.port = runner.addresses[0][1]
    service.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield service
    finally:
        await runner.cleanup()
