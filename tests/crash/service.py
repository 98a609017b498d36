"""The service that grades the runs that are broken; it lives in the tests' own process."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

from benchmark_runner.local.server import Server
from tests.scripted_service import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp

_GRADING = ("/evaluate-response/", "/v1/evaluate")


@dataclass
class CountingService(ScriptedService):
    """Grades by the references, and remembers what it was asked to grade."""

    references: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    stored: dict[str, bytes] = field(default_factory=dict)
    graded_files: dict[str, list[str]] = field(default_factory=dict)
    """The SHA-256 of each file that was graded, by its task."""

    def app(self) -> ASGIApp:
        """Return the service, and the storage of files beside it."""
        storage = Route("/storage/{key:path}", self._store, methods=["PUT"])
        return Starlette(routes=[storage, Mount("/", super().app())])

    def forget(self) -> None:
        """Forget the requests."""
        super().forget()
        self.stored.clear()
        self.graded_files.clear()

    @property
    def gradings(self) -> Counter[str]:
        """How often each repeat of a task was graded since :meth:`forget`."""
        return Counter(_place(body) for path, body in self.bodies if path in _GRADING)

    @contextmanager
    def running(self) -> Generator[None]:
        """Answer on a loopback port."""
        ready = threading.Event()
        # With the protocol named, asyncio switches off the delay of small packets, which
        # would make up most of the time of these tests.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        server = Server(self.app(), listener, lambda _url: ready.set())
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        assert ready.wait(30), "the service did not start"
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(30)

    def usual(self, path: str, body: Any) -> Any:
        match path:
            case "/evaluate-response/":
                right = body["response"] == self.references[body["task_id"]]
                return {"pass_percentage": float(right)}
            case "/v1/submissions/upload-url":
                key = f"{body['run_id']}/{body['task_id']}/{body['filename']}"
                return {"key": key, "url": f"{self.url}/storage/{key}"}
            case "/v1/evaluate":
                data, task_id = body["payload"]["data"], body["task_id"]
                content = self.stored.get(data, data.encode())  # a file, or a text
                digest = hashlib.sha256(content).hexdigest()
                self.graded_files.setdefault(_place(body), []).append(digest)
                right = content.split(b"\n")[0].decode() == self.references[task_id]
                task = {"run_id": body["run_id"], "task_id": task_id}
                return {**task, "status": "evaluated", "result": {"pass_percentage": float(right)}}
            case "/final-score/" | "/v1/score":
                results = body["evaluation_results"]
                grades = [graded["result"] for graded in results.values()]
                points = sum(grade["pass_percentage"] for grade in grades if grade)
                return {"tasks_evaluated": [*results], "final_score": points / len(results)}
            case _:
                return super().usual(path, body)

    async def _store(self, request: Request) -> Response:
        self.stored[request.path_params["key"]] = await request.body()
        return Response()


def _place(body: Mapping[str, Any]) -> str:
    """Return the folder of what is to be graded, as seen from that of its run."""
    _, is_another, repeat = body.get("run_id", "").partition("-repeat-")
    return f"{body['task_id']}/repeats/{repeat}" if is_another else body["task_id"]
