"""A benchmark service that takes artifacts, and the storage that they are uploaded to."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.scripted_service import usual_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

UPLOAD_URL = "/v1/submissions/upload-url"
EVALUATE = "/v1/evaluate"
#: The path of requests to the storage in ``answers``.
PUT = "PUT"


@dataclass(frozen=True)
class Put:
    """A request to the storage."""

    key: str
    headers: dict[str, str]
    sha256: str
    size: int


@dataclass
class ArtifactService:
    """A service and its storage, on two origins.

    Attributes:
        answers: The next answers to the requests of a path; the usual ones follow.
        objects: The SHA-256 of what is stored, by its key.
        graded: The task, the key and the SHA-256 of each artifact that was evaluated.
        lost: Whether the storage loses what it is sent.
        echoes: Whether the storage refuses, and names the URL.
        url: The service.
        storage_url: The storage.
        signatures: Those of the URLs that are good.
    """

    answers: dict[str, list[Response]] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    graded: list[tuple[str, str, str]] = field(default_factory=list)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    puts: list[Put] = field(default_factory=list)
    lost: bool = False
    echoes: bool = False
    url: str = ""
    storage_url: str = ""
    signatures: list[str] = field(default_factory=list)

    def service(self) -> ASGIApp:
        """Return the service as an app."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    def storage(self) -> ASGIApp:
        """Return the storage as an app."""
        return Starlette(routes=[Route("/{path:path}", self._put, methods=["PUT"])])

    def script(self, path: str, *answers: Response) -> None:
        """Set the next answers to the requests of a path."""
        self.answers[path] = [*answers]

    def paths(self) -> list[str]:
        """Return the paths of the requests to upload and to evaluate, in their order."""
        return [path for path, _ in self.asked if path in (UPLOAD_URL, EVALUATE, PUT)]

    def signed(self, key: str) -> str:
        """Return a URL to upload to."""
        signature = secrets.token_hex(16)
        self.signatures.append(signature)
        return f"{self.storage_url}/bucket/{key}?X-Expires=3600&X-Signature={signature}"

    def reset(self) -> None:
        """Become as new."""
        vars(self).update(vars(ArtifactService(url=self.url, storage_url=self.storage_url)))

    async def _answer(self, request: Request) -> Response:
        path, body = request.url.path, json.loads(await request.body() or b"null")
        self.asked.append((path, body))
        self.headers.append(dict(request.headers))
        if self.answers.get(path):
            return self.answers[path].pop(0)
        if path == UPLOAD_URL:
            key = f"sub/{body['run_id']}/{body['task_id']}/{body['filename']}"
            return JSONResponse({"key": key, "url": self.signed(key), "expires_in": 3600})
        if path == EVALUATE:
            return self._evaluate(body)
        if path.startswith("/v1/datasets/"):
            return JSONResponse({"dataset": "d", "tasks": []})
        return JSONResponse(usual_answer(path, body))

    def _evaluate(self, body: Any) -> Response:
        key = body["payload"]["data"]
        if body["payload"]["type"] != "artifact" or key not in self.objects:
            return JSONResponse({"detail": "No such artifact"}, 404)
        self.graded.append((body["task_id"], key, self.objects[key]))
        return JSONResponse(usual_answer(EVALUATE, body))

    async def _put(self, request: Request) -> Response:
        digest, size = hashlib.sha256(), 0
        async for piece in request.stream():
            digest.update(piece)
            size += len(piece)
        key = request.url.path.removeprefix("/bucket/")
        self.asked.append((PUT, None))
        self.puts.append(Put(key, dict(request.headers), digest.hexdigest(), size))
        if self.answers.get(PUT):
            return self.answers[PUT].pop(0)
        if self.echoes:
            return xml(403, "AccessDenied", f"no: {request.url}")
        if request.query_params.get("X-Signature") not in self.signatures:
            return xml(403, "SignatureDoesNotMatch", "The signature is not ours")
        if not self.lost:
            self.objects[key] = digest.hexdigest()
        return Response()


def start(serve_app: Callable[[ASGIApp], str]) -> ArtifactService:
    """Return a service that is served, and its storage beside it."""
    service = ArtifactService()
    service.url, service.storage_url = serve_app(service.service()), serve_app(service.storage())
    return service


def xml(status: int, code: str, message: str, more: str = "") -> Response:
    """Return an answer as storages give it."""
    text = (
        f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    )
    return Response(text, status, media_type="application/xml")


def refused(status: int, detail: str, **headers: str) -> Response:
    """Return an answer of the service that refuses."""
    return JSONResponse({"detail": detail}, status, headers=headers)
