"""Artifacts that clients upload: signed addresses, and the files in a temporary folder."""

import hashlib
import hmac
import os
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import Field
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from benchmark_runner._concurrency.thread_pool import finish_in_thread, run_in_thread
from benchmark_runner.schemas import UploadUrlRequest, UploadUrlResponse

__all__ = ["UPLOADS", "SubmissionRequest", "Submissions"]

#: The start of the paths that files are put to.
UPLOADS = "/uploads/"
#: The first part of each key, where a deployed service has the tenant.
_TENANT = "local"
#: Bytes that are written at a time.
_PIECE = 1024 * 1024
_KEY_HEADERS = ("authorization", "x-descope-api-key")

_Segment = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class SubmissionRequest(UploadUrlRequest):
    """Body of ``POST /v1/submissions/upload-url``, with parts that a key can be made of."""

    run_id: _Segment
    task_id: _Segment
    filename: _Segment


@dataclass(frozen=True, slots=True, eq=False)
class _Upload:
    """One upload to a key, which another one replaces."""

    at: float = field(default_factory=time.monotonic)


class Submissions:
    """The files that clients have uploaded, each for a task of a run.

    Args:
        expires_in: Seconds for which an address is good.
        max_bytes: The largest file.
        kept_for: Seconds for which a file is kept; clients upload what is gone again.
    """

    def __init__(
        self,
        expires_in: float = 3600,
        max_bytes: int = 64 * 1024 * 1024,
        kept_for: float = 24 * 3600,
    ) -> None:
        self._expires_in = expires_in
        self._max_bytes = max_bytes
        self._kept_for = kept_for
        self._secret = secrets.token_bytes(32)
        self._folder: Path | None = None
        self._uploads: dict[str, _Upload] = {}

    def address(self, body: SubmissionRequest, request: Request) -> UploadUrlResponse:
        """Return the key of a file, and an address to put it to, at the host of the request."""
        self._remove_old()
        key = f"{_prefix(body.run_id, body.task_id)}{body.filename}"
        expires = str(time.time() + self._expires_in)
        query = f"expires={expires}&signature={self._signature(key, expires)}"
        url = request.url.replace(path=UPLOADS + key, query=query)
        return UploadUrlResponse(key=key, url=str(url), expires_in=self._expires_in)

    async def put(self, request: Request) -> Response:
        """Store the body of a ``PUT`` to a signed address; errors are XML, as those of a bucket."""
        key: str = request.path_params["key"]
        refused = self._refusal(key, request)
        if refused is not None:
            return refused
        part = self._make_folder() / secrets.token_hex(16)
        try:
            with part.open("wb") as file:
                received = await self._write(request, file)
            if received > self._max_bytes:
                return self._too_large()
            if received != int(request.headers["content-length"]):
                return _xml(400, "IncompleteBody", "The body is shorter than its Content-Length.")
            await finish_in_thread(part.replace, self._stored(key))
            self._uploads[key] = _Upload()
        except ClientDisconnect:
            return _xml(400, "RequestTimeout", "The body did not arrive.")
        finally:
            part.unlink(missing_ok=True)
        return Response()

    @asynccontextmanager
    async def copy_of(self, run_id: str, task_id: str, key: str) -> AsyncGenerator[Path]:
        """Give a copy of a submission, which is removed afterwards.

        Raises:
            HTTPException: there is none for that task of that run, or it was changed meanwhile.
        """
        upload = self._uploads.get(key)
        if upload is None or not key.startswith(_prefix(run_id, task_id)):
            raise HTTPException(404, f"Artifact not found: {key}")
        folder = Path(tempfile.mkdtemp(dir=self._make_folder()))
        try:
            path = folder / key.rpartition("/")[2]
            await run_in_thread(shutil.copyfile, self._stored(key), path)
            yield path
        finally:
            await finish_in_thread(shutil.rmtree, folder, True)
        if self._uploads.get(key, upload) is not upload:
            raise HTTPException(409, f"Artifact changed while it was evaluated: {key}")

    def close(self) -> None:
        """Remove all files."""
        if self._folder is not None:
            _remove(self._folder, os.getpid())
        self._folder = None
        self._uploads.clear()

    def _remove_old(self) -> None:
        before = time.monotonic() - self._kept_for
        for key in [key for key, upload in self._uploads.items() if upload.at < before]:
            self._stored(key).unlink(missing_ok=True)
            del self._uploads[key]

    def _refusal(self, key: str, request: Request) -> Response | None:
        if any(name in request.headers for name in _KEY_HEADERS):
            return _xml(400, "InvalidArgument", "Only one way to authenticate is allowed.")
        if not self._is_signed(key, request.query_params):
            return _xml(403, "SignatureDoesNotMatch", "The signature is not that of this address.")
        if float(request.query_params["expires"]) < time.time():
            return _xml(403, "AccessDenied", "The address has expired.")
        if not request.headers.get("content-length", "").isdecimal():
            return _xml(411, "MissingContentLength", "The request names no Content-Length.")
        if int(request.headers["content-length"]) > self._max_bytes:
            return self._too_large()
        return None

    def _is_signed(self, key: str, query: QueryParams) -> bool:
        expected = self._signature(key, query.get("expires", ""))
        return hmac.compare_digest(query.get("signature", "").encode(), expected.encode())

    def _signature(self, key: str, expires: str) -> str:
        return hmac.new(self._secret, f"{key}\n{expires}".encode(), hashlib.sha256).hexdigest()

    async def _write(self, request: Request, file: BinaryIO) -> int:
        """Write the body, and return its size; of a body that is too large, only a part."""
        received, piece = 0, bytearray()
        async for chunk in request.stream():
            received += len(chunk)
            if received > self._max_bytes:
                break
            piece += chunk
            if len(piece) >= _PIECE:
                await finish_in_thread(file.write, bytes(piece))
                piece.clear()
        await finish_in_thread(file.write, bytes(piece))
        return received

    def _too_large(self) -> Response:
        message = f"The artifact is larger than {self._max_bytes} bytes."
        return _xml(413, "EntityTooLarge", message)

    def _make_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="benchmark-submissions-"))
            # Also where nothing closes the service before the process ends.
            weakref.finalize(self, _remove, self._folder, os.getpid())
        return self._folder

    def _stored(self, key: str) -> Path:
        return self._make_folder() / hashlib.sha256(key.encode()).hexdigest()


def _prefix(run_id: str, task_id: str) -> str:
    return f"{_TENANT}/{run_id}/{task_id}/"


def _remove(folder: Path, pid: int) -> None:
    if pid == os.getpid():  # not at the end of a forked child
        shutil.rmtree(folder, ignore_errors=True)


def _xml(status: int, code: str, message: str) -> Response:
    content = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    return Response(content, status, media_type="application/xml")
