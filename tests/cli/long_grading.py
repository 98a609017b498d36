"""A service on a loopback port whose evaluations over the WebSocket take several steps."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class LongGrading:
    """Grades in ``steps`` steps, and sends its state after each.

    Attributes:
        between: Seconds between two steps.
        firsts: The first message of each connection.
        kept: The newest step of each task whose state a client has kept, as it has read on.
        has_websocket: Whether there is a WebSocket.
        fails_at: The step at which the grader fails.
    """

    steps: int = 3
    between: float = 0.0
    firsts: list[dict[str, Any]] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    has_websocket: bool = True
    fails_at: int | None = None
    url: str = ""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def payments(self) -> list[str]:
        """The tasks whose grading was begun with a response."""
        return [first["task_id"] for first in self.firsts if "response" in first]

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something, in the thread of the test."""
        with self._changed:
            assert self._changed.wait_for(condition, 30), "it did not happen"

    def _note(self) -> None:
        with self._changed:
            self._changed.notify_all()

    async def _evaluate(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        first = await socket.receive()
        if first.type is not web.WSMsgType.TEXT:
            return socket
        begun: dict[str, Any] = first.json()
        self.firsts.append(begun)
        task_id = begun["task_id"]
        try:
            for step in range(begun.get("eval_resume_state", {"step": 0})["step"] + 1, self.steps):
                await asyncio.sleep(self.between)
                await socket.send_json({"type": "message", "data": f"step {step}"})
                if step == self.fails_at:
                    await socket.send_json({"type": "error", "data": "the grader failed"})
                    return socket
                await socket.send_json({"type": "eval_resume_state", "data": {"step": step}})
                await _until_read(socket)
                self.kept[task_id] = step
                self._note()
            await socket.send_json({"type": "result", "data": {"pass_percentage": 1.0}})
        except ConnectionError:
            pass  # the client was killed
        return socket

    async def _score(self, request: web.Request) -> web.Response:
        results = (await request.json())["evaluation_results"]
        return web.json_response({"tasks_evaluated": [*results], "final_score": 1.0})

    def _app(self) -> web.Application:
        app = web.Application()
        answers = {
            "/health": {"status": "ok"},
            "/version": {"service_version": "1"},
            "/verify-task-ids": {"task_ids": ["t1"]},
        }
        for path, answer in answers.items():
            app.router.add_get(path, _always(answer))
        app.router.add_post("/final-score/", self._score)
        if self.has_websocket:
            app.router.add_get("/ws/evaluate-response", self._evaluate)
        return app

    @contextmanager
    def running(self) -> Iterator[LongGrading]:
        """Answer on a loopback port, in a thread."""
        loop, ready = asyncio.new_event_loop(), threading.Event()
        stop = asyncio.Event()

        async def serve() -> None:
            runner = web.AppRunner(self._app(), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            ready.set()
            await stop.wait()
            await runner.cleanup()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
        thread.start()
        assert ready.wait(30), "the service did not start"
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(30)
            loop.close()


async def _until_read(socket: web.WebSocketResponse) -> None:
    """Wait until the client has read what was sent: a pong comes only when it reads on."""
    await socket.ping()
    while (message := await socket.receive()).type is not web.WSMsgType.PONG:
        if message.type is web.WSMsgType.PING:
            await socket.pong(message.data)
        else:
            raise ConnectionResetError(message)


def _always(answer: dict[str, Any]) -> Callable[[web.Request], Any]:
    async def give(_request: web.Request) -> web.Response:
        return web.json_response(answer)

    return give
