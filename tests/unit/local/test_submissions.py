from __future__ import annotations

import gc
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from benchmark_runner.local import server as server_module
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.submissions import Submissions
from tests.unit.local.sample_service import KEY, Wire, make

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp

    Row = dict[str, object]
    ServeApp = Callable[[ASGIApp], str]

pytestmark = pytest.mark.anyio

ASKED = {"run_id": "r1", "task_id": "1", "dataset": "validation", "filename": "fix.patch"}
#: The largest file of the service under test.
LARGEST = 3_000_000


def grade_file(_task: Row, response: Path) -> dict[str, object]:
    content = response.read_bytes()
    response.write_bytes(b"overwritten")
    (response.parent / "left.txt").touch()
    return {"score": len(content), "name": response.name, "path": str(response)}


def service_of(folder: Path, grader: object = grade_file, **settings: object) -> LocalService:
    settings.setdefault("submissions", Submissions(max_bytes=LARGEST))
    return make(folder, grader, payload_type="artifact", **settings)


def evaluate_request(key: str, **changed: object) -> dict[str, object]:
    payload = {"type": "artifact", "schema": "my-bench.artifact.v1", "data": key}
    return {"run_id": "r1", "task_id": "1", "dataset": "validation", "payload": payload, **changed}


@pytest.fixture(params=["on a port", "in-process"])
async def client(
    request: pytest.FixtureRequest, folder: Path, serve_app: ServeApp
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an artifact benchmark's service, as it is reached from elsewhere and here."""
    service = service_of(folder)
    if request.param == "on a port":
        made = httpx.AsyncClient(base_url=serve_app(service))
    else:
        made = httpx.AsyncClient(
            base_url="http://local",
            transport=httpx.ASGITransport(app=service, raise_app_exceptions=False),
        )
    async with made:
        yield made
    service.close()


async def upload(client: httpx.AsyncClient, content: bytes = b"diff", **asked: str) -> str:
    address = (await client.post("/v1/submissions/upload-url", json=ASKED | asked)).json()
    assert (await client.put(address["url"], content=content)).status_code == 200
    return address["key"]


class UnpluggedError(Exception):
    """The end of a connection in the middle of an upload."""


class TestUpload:
    async def test_file_is_uploaded_and_graded_by_key(self, client: httpx.AsyncClient) -> None:
        """A file goes to a signed address of this service, and its copy to the grader."""
        content = b"\0\1" * (LARGEST // 2)
        address = (await client.post("/v1/submissions/upload-url", json=ASKED)).json()
        assert address["url"].startswith(
            f"{client.base_url}/uploads/".replace("//uploads", "/uploads")
        )
        assert address["expires_in"] == 3600
        answer = await client.put(address["url"], content=content)
        assert (answer.status_code, answer.content) == (200, b"")
        for _ in range(2):  # the grader changes only its own copy
            grade = (
                await client.post("/v1/evaluate", json=evaluate_request(address["key"]))
            ).json()
            assert (grade["status"], grade["errors"]) == ("evaluated", [])
            result = grade["result"]
            assert (result["score"], result["name"]) == (LARGEST, "fix.patch")
            assert not Path(result["path"]).parent.exists()

    async def test_empty_file_is_stored(self, client: httpx.AsyncClient) -> None:
        """An empty file is a submission, too."""
        key = await upload(client, b"")
        grade = (await client.post("/v1/evaluate", json=evaluate_request(key))).json()
        assert grade["result"]["score"] == 0

    async def test_later_upload_replaces_an_earlier(self, client: httpx.AsyncClient) -> None:
        """An address asked for again has the same key; the later file counts."""
        first, key = await upload(client, b"one"), await upload(client, b"longer")
        assert first == key
        grade = (await client.post("/v1/evaluate", json=evaluate_request(key))).json()
        assert grade["result"]["score"] == len(b"longer")

    @pytest.mark.parametrize(
        ("part", "value"),
        [
            ("run_id", "../r"),
            ("run_id", ""),
            ("task_id", "a/b"),
            ("filename", ".hidden"),
            ("filename", "a b"),
            ("filename", "x" * 129),
        ],
    )
    async def test_unfit_part_of_a_key_is_a_422(
        self, client: httpx.AsyncClient, part: str, value: str
    ) -> None:
        """A part that no key can hold is a 422 that names it."""
        answer = await client.post("/v1/submissions/upload-url", json=ASKED | {part: value})
        assert answer.status_code == 422
        assert [problem["loc"] for problem in answer.json()["detail"]] == [["body", part]]

    @pytest.mark.parametrize(
        ("changed", "status"), [({"task_id": "zzz"}, 400), ({"dataset": "none"}, 404)]
    )
    async def test_unknown_names_are_refused(
        self, client: httpx.AsyncClient, changed: dict[str, str], status: int
    ) -> None:
        """An unknown task is a 400, an unknown dataset a 404."""
        answer = await client.post("/v1/submissions/upload-url", json=ASKED | changed)
        assert answer.status_code == status


class TestAddress:
    @pytest.fixture
    async def url(self, client: httpx.AsyncClient) -> str:
        return (await client.post("/v1/submissions/upload-url", json=ASKED)).json()["url"]

    async def error_of(
        self, client: httpx.AsyncClient, url: str, **what: object
    ) -> tuple[int, str]:
        answer = await client.put(url, **{"content": b"x", **what})
        assert answer.headers["content-type"].startswith("application/xml")
        return answer.status_code, re.search("<Code>(.*)</Code>", answer.text)[1]

    async def test_changed_address_is_a_403(self, client: httpx.AsyncClient, url: str) -> None:
        """Another key, time or signature is a 403 in XML."""
        for changed in (
            url.replace("fix.patch", "other"),
            url.replace("expires=", "expires=9"),
            url[:-1] + ("0" if url[-1] != "0" else "1"),
            url.partition("?")[0],
        ):
            refused = await self.error_of(client, changed)
            assert refused == (403, "SignatureDoesNotMatch")

    async def test_headers_with_keys_are_refused(self, client: httpx.AsyncClient, url: str) -> None:
        """An upload that sends a key, which is not for buckets, is a 400."""
        for name in ("x-descope-api-key", "Authorization"):
            refused = await self.error_of(client, url, headers={name: "k"})
            assert refused == (400, "InvalidArgument")

    async def test_too_large_a_file_is_a_413(self, client: httpx.AsyncClient, url: str) -> None:
        """A file over the limit is a 413, by its announced size."""
        refused = await self.error_of(client, url, content=bytes(LARGEST + 1))
        assert refused == (413, "EntityTooLarge")

    async def test_unknown_size_is_a_411(self, client: httpx.AsyncClient, url: str) -> None:
        """A body without a size is a 411."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x"

        assert await self.error_of(client, url, content=pieces()) == (411, "MissingContentLength")

    async def test_address_expires(self, folder: Path, serve_app: ServeApp) -> None:
        """An address that has expired is a 403 in XML."""
        service = service_of(folder, submissions=Submissions(expires_in=-1))
        async with httpx.AsyncClient(base_url=serve_app(service)) as client:
            url = (await client.post("/v1/submissions/upload-url", json=ASKED)).json()["url"]
            assert await self.error_of(client, url) == (403, "AccessDenied")

    async def test_address_has_the_host_of_the_request(
        self, folder: Path, serve_app: ServeApp
    ) -> None:
        """The address names the host that the client has used, where it can be reached."""
        wire = Wire(serve_app(service_of(folder)))
        ask = ("POST", "/v1/submissions/upload-url")
        answer = wire(*ask, json=ASKED, headers={"host": "box:8123"}).json()
        assert answer["url"].startswith("http://box:8123/uploads/local/r1/1/fix.patch?")

    async def test_another_service_signs_otherwise(
        self, client: httpx.AsyncClient, folder: Path, serve_app: ServeApp
    ) -> None:
        """An address is good at the service that made it."""
        other = Wire(serve_app(service_of(folder)))
        url = other("POST", "/v1/submissions/upload-url", json=ASKED).json()["url"]
        at = urlsplit(url)
        refused = await self.error_of(client, f"{at.path}?{at.query}")
        assert refused == (403, "SignatureDoesNotMatch")

    async def test_upload_needs_no_key(self, folder: Path, serve_app: ServeApp) -> None:
        """An address is asked for with the key, and used without."""
        service = service_of(folder, key=KEY)
        async with httpx.AsyncClient(base_url=serve_app(service)) as client:
            ask = ("/v1/submissions/upload-url",)
            assert (await client.post(*ask, json=ASKED)).status_code == 401
            bearer = {"authorization": f"Bearer {KEY}"}
            assert (await client.post(*ask, json=ASKED, headers=bearer)).status_code == 403
            key = {"x-descope-api-key": KEY}
            url = (await client.post(*ask, json=ASKED, headers=key)).json()["url"]
            assert (await client.put(url, content=b"x")).status_code == 200


class TestEvaluation:
    @pytest.mark.parametrize("changed", [{"run_id": "r2"}, {"task_id": "2"}])
    async def test_key_of_another_is_a_404(
        self, client: httpx.AsyncClient, changed: dict[str, str]
    ) -> None:
        """A key counts for the run and the task that it was made for."""
        key = await upload(client)
        answer = await client.post("/v1/evaluate", json=evaluate_request(key, **changed))
        assert answer.status_code == 404

    async def test_key_without_a_file_is_a_404(self, client: httpx.AsyncClient) -> None:
        """A key to which nothing was put is a 404."""
        address = (await client.post("/v1/submissions/upload-url", json=ASKED)).json()
        answer = await client.post("/v1/evaluate", json=evaluate_request(address["key"]))
        assert answer.status_code == 404

    async def test_text_is_refused(self, client: httpx.AsyncClient) -> None:
        """An artifact benchmark refuses text, on both APIs, and other schemas."""
        text = {"type": "text", "schema": "my-bench.text.v1", "data": "x"}
        other = {"type": "artifact", "schema": "my-bench.text.v1", "data": "x"}
        for payload in (text, other):
            answer = await client.post("/v1/evaluate", json=evaluate_request("", payload=payload))
            assert answer.status_code == 400
        legacy = {"task_id": "1", "response": "x", "dataset": "validation"}
        answer = await client.post("/evaluate-response/", json=legacy)
        assert (answer.status_code, "artifact" in answer.json()["detail"]) == (400, True)

    async def test_text_benchmark_refuses_artifacts(self, wire: Wire) -> None:
        """A text benchmark accepts no artifact, and gives no address for one."""
        detail = {"detail": "This benchmark does not accept artifact submissions"}
        for path, body in (
            ("/v1/submissions/upload-url", ASKED),
            ("/v1/evaluate", evaluate_request("local/r1/1/fix.patch")),
        ):
            answer = wire("POST", path, json=body)
            assert (answer.status_code, answer.json()) == (400, detail)

    async def test_change_during_a_grade_is_a_409(self, folder: Path, serve_app: ServeApp) -> None:
        """A file that is uploaded again while it is graded: the grade is a 409."""
        begun, go_on = anyio.Event(), anyio.Event()

        async def grade(_task: Row, _response: Path) -> float:
            begun.set()
            await go_on.wait()
            return 1.0

        transport = httpx.ASGITransport(app=service_of(folder, grade))
        async with httpx.AsyncClient(base_url="http://local", transport=transport) as client:
            key = await upload(client)
            answers: list[httpx.Response] = []

            async def evaluate() -> None:
                answers.append(await client.post("/v1/evaluate", json=evaluate_request(key)))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(evaluate)
                await begun.wait()
                await upload(client, b"changed")
                go_on.set()
        assert answers[0].status_code == 409


class TestSlowUpload:
    @pytest.fixture(autouse=True)
    def short_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server_module, "REQUEST_WITHIN", 1.0)

    async def send(self, folder: Path, serve_app: ServeApp, pause: float) -> httpx.Response:
        """Upload three bytes with a pause before each."""

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(3):
                await anyio.sleep(pause)
                yield b"x"

        async with httpx.AsyncClient(base_url=serve_app(service_of(folder))) as client:
            address = (await client.post("/v1/submissions/upload-url", json=ASKED)).json()
            length = {"content-length": "3"}
            return await client.put(address["url"], content=pieces(), headers=length)

    async def test_slow_upload_is_waited_for(self, folder: Path, serve_app: ServeApp) -> None:
        """An upload may take longer than a request, as long as its parts arrive."""
        assert (await self.send(folder, serve_app, pause=0.4)).status_code == 200

    async def test_silent_upload_is_dropped(self, folder: Path, serve_app: ServeApp) -> None:
        """An upload of which nothing arrives any more is dropped."""
        with pytest.raises(httpx.TransportError):
            await self.send(folder, serve_app, pause=1.5)


class TestFolder:
    async def test_folder_goes_with_the_service(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> None:
        """Nothing is left once the service is closed, or is no more."""
        place = tmp_path_factory.mktemp("temporary")
        monkeypatch.setattr("tempfile.tempdir", str(place))
        for explicit in (True, False):
            service = service_of(folder)
            transport = httpx.ASGITransport(app=service)
            async with httpx.AsyncClient(base_url="http://local", transport=transport) as client:
                await upload(client)
            assert len([*place.rglob("*")]) == 2
            if explicit:
                service.close()
            del service, transport, client
            gc.collect()
            assert not [*place.iterdir()]

    async def test_old_files_are_removed(self, folder: Path) -> None:
        """A file that was not replaced for long is removed, and its key is a 404."""
        submissions = Submissions(kept_for=0)
        async with httpx.AsyncClient(
            base_url="http://local",
            transport=httpx.ASGITransport(app=service_of(folder, submissions=submissions)),
        ) as client:
            key = await upload(client)
            await upload(client, filename="other.patch")
            answer = await client.post("/v1/evaluate", json=evaluate_request(key))
        assert answer.status_code == 404
        submissions.close()

    async def test_broken_upload_leaves_nothing(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """A connection that ends during an upload leaves no file and no submission."""
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        address = (await client.post("/v1/submissions/upload-url", json=ASKED)).json()

        async def pieces() -> AsyncIterator[bytes]:
            yield bytes(1_500_000)
            raise UnpluggedError

        with suppress(UnpluggedError):
            await client.put(
                address["url"], content=pieces(), headers={"content-length": "2000000"}
            )
        with anyio.fail_after(10):
            while [*tmp_path.glob("benchmark-submissions-*/*")]:  # noqa: ASYNC110, ASYNC240
                await anyio.sleep(0.01)
        answer = await client.post("/v1/evaluate", json=evaluate_request(address["key"]))
        assert answer.status_code == 404
