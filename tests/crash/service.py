"""The service that grades the runs that are broken; it lives in the tests' own process."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmark_runner.local.server import Server
from tests.fakes import ScriptedService

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


@dataclass
class CountingService(ScriptedService):
    """Grades by the references, and remembers what it was asked to grade."""

    references: Mapping[str, str] = field(default_factory=dict)
    port: int = 0

    @property
    def gradings(self) -> Counter[str]:
        """How often each task was graded since :meth:`forget`."""
        graded = (body for path, body in self.bodies if path == "/evaluate-response/")
        return Counter(body["task_id"] for body in graded)

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
            case "/final-score/":
                results = body["evaluation_results"]
                grades = [graded["result"] for graded in results.values()]
                points = sum(grade["pass_percentage"] for grade in grades if grade)
                return {"tasks_evaluated": [*results], "final_score": points / len(results)}
            case _:
                return super().usual(path, body)
