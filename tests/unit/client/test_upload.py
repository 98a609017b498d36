"""Uploads of artifacts, and their evaluation: each answer of the contract, and worse ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import JSONResponse, Response

from benchmark_runner.client.artifact_evaluation import evaluate_artifact
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import (
    BadResponseError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
    UnusableArtifactError,
)
from benchmark_runner.schemas import EvalStatus, Payload, V1EvaluateRequest
from tests.artifact_service import EVALUATE, PUT, UPLOAD_URL, refused, xml
from tests.unit.client.scripted_server import QUICK
from tests.unit.client.uploads import KEY, LARGE, SMALL, Upload

if TYPE_CHECKING:
    from pathlib import Path

    from tests.artifact_service import ArtifactService

pytestmark = pytest.mark.anyio

EXPIRED = xml(403, "AccessDenied", "Request has expired")
ONCE = [UPLOAD_URL, PUT, EVALUATE]


@pytest.fixture
def upload(artifact_service: ArtifactService, tmp_path: Path) -> Upload:
    return Upload(artifact_service, tmp_path)


class TestUpload:
    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
    async def test_what_was_kept_is_graded(self, upload: Upload, content: bytes) -> None:
        """The file is uploaded, without a header of ours, and evaluated by its key."""
        result = await upload(content)
        assert result.status is EvalStatus.EVALUATED
        assert upload.service.paths() == ONCE
        (put,) = upload.service.puts
        assert set(put.headers) == {"host", "content-length"}
        assert put.size == len(content)
        sha256 = hashlib.sha256(content).hexdigest()
        assert upload.service.graded == [("t1", "sub/r1/t1/fix.patch", sha256)]
        assert all(headers["x-descope-api-key"] == KEY for headers in upload.service.headers)

    async def test_file_changed_within_upload_is_not_stored(
        self, upload: Upload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that is changed while it is sent never arrives whole."""
        from benchmark_runner.artifacts import kept_file

        read, path = kept_file.read_pieces, upload.artifacts.task_dir("t1") / "submission/fix.patch"
        reads: list[int] = []

        def read_and_change(descriptor: int) -> Any:
            reads.append(descriptor)
            for number, piece in enumerate(read(descriptor)):
                if len(reads) > 1 and number == 1:
                    path.write_bytes(bytes(len(LARGE)))
                yield piece

        monkeypatch.setattr(kept_file, "read_pieces", read_and_change)
        with pytest.raises(UnusableArtifactError, match="changed while it was sent"):
            await upload(LARGE)
        assert upload.service.objects == {}
        assert EVALUATE not in upload.service.paths()


#: Answers to the request for a URL, and the error that they are.
URL_ROWS: dict[str, tuple[Response, type[ServiceError], str]] = {
    "unknown task": (refused(400, "Task ID not found: t1"), RejectedRequestError, ""),
    "trial": (refused(403, "Trial tenants may only access /v1/evaluate"), PermissionDeniedError,
              "may not upload files"),
    "dataset": (refused(403, "Dataset not allowed"), PermissionDeniedError, "--dataset-name"),
    "no path": (refused(404, "Not Found"), NotFoundError, "takes no artifacts"),
    "bad segment": (refused(422, "filename: bad"), RejectedRequestError, ""),
    "not configured": (refused(503, "Artifact storage is not configured"), ServiceUnavailableError,
                       "storage of submissions"),
    "no url": (JSONResponse({"key": "k"}), BadResponseError, ""),
    "no key": (JSONResponse({"key": "", "url": "http://127.0.0.1:1/x"}), BadResponseError, ""),
    "a path": (JSONResponse({"key": "k", "url": "/upload/x"}), BadResponseError, ""),
    "ftp": (JSONResponse({"key": "k", "url": "ftp://s/x"}), BadResponseError, ""),
    "no host": (JSONResponse({"key": "k", "url": "http:///x"}), BadResponseError, ""),
    "no URL": (JSONResponse({"key": "k", "url": "http://s:p/x"}), BadResponseError, ""),
    "unencrypted": (JSONResponse({"key": "k", "url": "http://192.0.2.7/x"}), RejectedRequestError,
                    "--allow-insecure-http"),
    "text": (Response("hello"), BadResponseError, ""),
}  # fmt: skip


class TestUrl:
    @pytest.mark.parametrize("row", URL_ROWS)
    async def test_refusal_ends_it_at_once(self, upload: Upload, row: str) -> None:
        """A refused URL, or an unusable one, is an error after one request, with what to do."""
        answer, kind, hint = URL_ROWS[row]
        upload.service.script(UPLOAD_URL, *[answer] * 9)
        error = await upload.fails(kind)
        assert hint in (error.hint or "")
        assert "could not upload the artifact of task 't1'" in error.message
        assert upload.service.paths() == [UPLOAD_URL]

    @pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
    async def test_trouble_is_retried(self, upload: Upload, status: int) -> None:
        """Trouble of the service is retried."""
        upload.service.script(UPLOAD_URL, refused(status, "busy"))
        await upload()
        assert upload.service.paths() == [UPLOAD_URL, *ONCE]

    @pytest.mark.parametrize("part", ["r 1", "a/b", "é", "-r", "x" * 129])
    async def test_id_that_no_key_takes_is_not_asked_for(self, upload: Upload, part: str) -> None:
        """A task whose id can't be part of a key is refused before any request."""
        payload = Payload(type="artifact", schema="b.artifact.v1", data="")
        request = V1EvaluateRequest(run_id="r1", task_id=part, payload=payload)
        record, _ = upload.artifacts.keep_submission("t1", b"x", "f", 9)
        async with BenchmarkServiceClient(upload.service.url) as client:
            with pytest.raises(RejectedRequestError, match="can't be part of an upload's key"):
                await evaluate_artifact(
                    client, request, lambda: upload.artifacts.submission("t1").open(record)
                )
        assert upload.service.asked == []


#: Answers of the storage that nothing but another file changes.
PUT_ROWS: dict[str, tuple[Response, str]] = {
    "forbidden": (xml(403, "SignatureDoesNotMatch", "no", "<StringToSign>x</StringToSign>"),
                  "HTTP 403: SignatureDoesNotMatch: no"),
    "too large": (xml(413, "EntityTooLarge", "too large"), "HTTP 413: EntityTooLarge: too large"),
    "no bucket": (xml(404, "NoSuchBucket", "gone"), "HTTP 404: NoSuchBucket: gone"),
    "redirect": (Response(status_code=307, headers={"location": "http://192.0.2.7/"}), "HTTP 307"),
    "page": (Response("<html>denied</html>", 403), "HTTP 403: Forbidden"),
    "bad request": (Response("nonsense", 400), "HTTP 400: nonsense"),
}  # fmt: skip


class TestStorage:
    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("row", PUT_ROWS)
    async def test_refusal_ends_it_at_once(self, upload: Upload, row: str, content: bytes) -> None:
        """A file that the storage refuses is not sent again, and never evaluated."""
        answer, said = PUT_ROWS[row]
        upload.service.script(PUT, *[answer] * 9)
        error = await upload.fails(RejectedRequestError, content)
        assert said in error.message
        assert "StringToSign" not in error.message
        assert upload.service.paths() == [UPLOAD_URL, PUT]

    @pytest.mark.parametrize(
        "answer",
        [
            EXPIRED,
            xml(400, "ExpiredToken", "The provided token has expired."),
            xml(403, "AuthenticationFailed", "Signature not valid in the specified time frame"),
        ],
    )
    async def test_expired_url_is_replaced(self, upload: Upload, answer: Response) -> None:
        """An expired URL is replaced by a fresh one."""
        upload.service.script(PUT, answer, answer)
        await upload()
        assert upload.service.paths() == [UPLOAD_URL, PUT, UPLOAD_URL, PUT, *ONCE]

    async def test_url_that_is_always_expired_is_given_up(self, upload: Upload) -> None:
        """A URL that is expired each time is an error after the third."""
        upload.service.script(PUT, *[EXPIRED] * 9)
        error = await upload.fails(RejectedRequestError)
        assert "AccessDenied: Request has expired" in error.message
        assert upload.service.paths() == [UPLOAD_URL, PUT] * 3

    @pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    async def test_trouble_is_retried_with_a_fresh_url(
        self, upload: Upload, status: int, content: bytes
    ) -> None:
        """Trouble of the storage is retried, with a fresh URL."""
        upload.service.script(PUT, xml(status, "SlowDown", "busy"))
        await upload(content)
        assert upload.service.paths() == [UPLOAD_URL, PUT, *ONCE]
        assert len(set(upload.service.signatures)) == 2

    @pytest.mark.parametrize(
        "answer",
        [
            Response(bytes(100_000)),
            Response(headers={"content-encoding": "br"}),
            Response(b"\x1f\x8bcut"),
        ],
        ids=["long", "compressed", "cut"],
    )
    async def test_words_of_a_success_do_not_matter(self, upload: Upload, answer: Response) -> None:
        """A file that the storage has taken is evaluated, whatever else the answer says."""
        upload.service.script(PUT, answer)
        await upload()  # again, as a scripted answer stores nothing
        assert upload.service.paths() == [*ONCE, *ONCE]

    async def test_url_in_the_words_is_masked(self, upload: Upload) -> None:
        """A storage that names the URL in its refusal gives nothing of it away."""
        upload.service.echoes = True
        error = await upload.fails(RejectedRequestError)
        assert "AccessDenied: no: " in error.message
        assert "fix.patch" not in error.message

    async def test_lasting_trouble_is_an_error(self, upload: Upload) -> None:
        """A storage in lasting trouble is an error after the allowed attempts."""
        upload.service.script(PUT, *[xml(503, "SlowDown", "busy")] * 99)
        error = await upload.fails(ServiceUnavailableError)
        assert "HTTP 503: SlowDown: busy (after several attempts)" in error.message
        assert upload.service.paths() == [UPLOAD_URL, PUT] * QUICK.attempts

    async def test_storage_that_is_down_is_an_error(
        self, upload: Upload, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A storage that can't be reached is an error that names its address only."""
        monkeypatch.setattr(upload.service, "storage_url", "http://127.0.0.1:1")
        error = await upload.fails(ServiceUnavailableError)
        assert "http://127.0.0.1:1: ConnectError" in error.message
        assert "bucket" not in error.message
        assert "reaches the storage" in (error.hint or "")


class TestEvaluation:
    @pytest.mark.parametrize(
        "answer",
        [
            refused(404, "No object for this key"),
            refused(404, "Not Found"),
            refused(404, "Artifact not found: sub/r1/t1/fix.patch"),
            refused(404, "Not found: sub/r1/t1/fix.patch"),
            refused(404, "There is no submission of task t1"),
            refused(409, "The artifact was changed meanwhile"),
        ],
    )
    async def test_lost_artifact_is_uploaded_again(self, upload: Upload, answer: Response) -> None:
        """An artifact that the service has no more, or another one of, is uploaded again."""
        upload.service.script(EVALUATE, answer)
        await upload()
        assert upload.service.paths() == [*ONCE, *ONCE]

    async def test_artifact_that_is_always_lost_is_an_error(self, upload: Upload) -> None:
        """An artifact that is lost each time is an error after three uploads."""
        upload.service.lost = True
        error = await upload.fails(NotFoundError)
        assert "does not find" in (error.hint or "")
        assert upload.service.paths() == ONCE * 3

    @pytest.mark.parametrize("name", ["t1", "t1-changed", "modified.t1", "replaced_t1"])
    async def test_grading_of_the_same_is_waited_for(self, upload: Upload, name: str) -> None:
        """While the same task is being graded, it is asked for again without another upload."""
        upload.service.script(EVALUATE, *[refused(409, f"{name} is being graded already")] * 2)
        await upload()
        assert upload.service.paths() == [UPLOAD_URL, PUT, EVALUATE, EVALUATE, EVALUATE]

    @pytest.mark.parametrize(
        ("answer", "kind", "hint"),
        [
            (refused(413, "artifact too large"), RejectedRequestError, "smaller"),
            (
                refused(400, "Dataset d does not accept artifact submissions"),
                RejectedRequestError,
                'PAYLOAD_TYPE = "text"',
            ),
            (refused(404, "Task not found: t1"), NotFoundError, ""),
            (refused(404, "Dataset not found: d"), NotFoundError, ""),
            (refused(503, "No grading provider"), ServiceUnavailableError, ""),
            (refused(422, "bad"), RejectedRequestError, ""),
        ],
    )
    async def test_refusal_is_final(
        self, upload: Upload, answer: Response, kind: type[ServiceError], hint: str
    ) -> None:
        """A refusal that another upload does not change is an error at once."""
        upload.service.script(EVALUATE, *[answer] * 9)
        error = await upload.fails(kind)
        assert hint in (error.hint or "")
        assert upload.service.paths() == ONCE

    async def test_trouble_is_retried_without_another_upload(self, upload: Upload) -> None:
        """Trouble of the grader is retried with the same key."""
        upload.service.script(EVALUATE, refused(500, "oops"))
        await upload()
        assert upload.service.paths() == [*ONCE, EVALUATE]
