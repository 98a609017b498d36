"""A benchmark service that answers as a test says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ASGIApp


@dataclass
class ScriptedService:
    """A benchmark service that answers as a test says, and records its requests.

    Attributes:
        answers: By path, an answer ``(status, body)`` or ``(status, body, headers)``, or a
            list of them, the last of which is repeated. Other paths answer as a service that
            works.
        asked: The method and the path of each request.
        requests: The same as text, with the query: ``GET /path?key=value``.
        bodies: The path and the JSON body of each request.
        headers: The path and the headers of each request.
        url: Where it is served.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    bodies: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def app(self) -> ASGIApp:
        """Return the service as an app."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    def paths(self) -> list[str]:
        """Return the paths of the requests."""
        return [path for _, path in self.asked]

    def forget(self) -> None:
        """Forget the requests."""
        for record in (self.asked, self.requests, self.bodies, self.headers):
            record.clear()

    async def _answer(self, request: Request) -> JSONResponse:
        method, path = request.method, request.url.path
        self.asked.append((method, path))
        self.requests.append(f"{method} {path}?{request.url.query}".rstrip("?"))
        self.headers.append((path, {**request.headers}))
        body = json.loads(await request.body() or b"null")
        self.bodies.append((path, body))
        scripted = self.answers.get(path)
        if isinstance(scripted, list):
            scripted = scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if scripted is not None:
            status, content, *rest = scripted
            return JSONResponse(content, status, headers=rest[0] if rest else None)
        return JSONResponse(self.usual(path, body), headers=self.echo(path, {**request.headers}))

    def echo(self, path: str, sent: Mapping[str, str]) -> Mapping[str, str]:
        """Return the headers of a usual answer to a request with the headers ``sent``."""
        return {}

    def usual(self, path: str, body: Any) -> Any:
        """Return what a service that works answers."""
        return usual_answer(path, body)


def usual_answer(path: str, body: Any) -> Any:
    """Return what a benchmark service that works answers to a request."""
    match path:
        case "/v1/evaluate":
            task = {"run_id": body["run_id"], "task_id": body["task_id"]}
            return {**task, "status": "evaluated", "result": {"pass_percentage": 1.0}}
        case "/final-score/" | "/v1/score":
            return {"tasks_evaluated": list(body["evaluation_results"]), "final_score": 1.0}
        case _:
            return _FIXED_ANSWERS.get(path, {"detail": "Not Found"})


_FIXED_ANSWERS = {
    "/health": {"status": "ok"},
    "/version": {"service_version": "1.0.0"},
    "/verify-task-ids": {"task_ids": []},
    "/evaluate-response/": {"pass_percentage": 1.0},
}
