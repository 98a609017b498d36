"""The inputs of a task, fetched from the service."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from starlette.responses import JSONResponse, Response

from benchmark_runner.client import inputs as inputs_module
from benchmark_runner.client.inputs import fetch_inputs
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import (
    AuthenticationError,
    BadResponseError,
    InputError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
)
from benchmark_runner.schemas import DatasetVersion
from tests.files import contents
from tests.unit.client.scripted_server import (
    QUICK,
    Script,
    fails,
    failure,
    grade,
    never_answers,
)

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Send

pytestmark = pytest.mark.anyio


def listed(*places: str) -> dict[str, object]:
    return {
        "inputs": [{"filename": f"f{n}", "dest": dest} for n, dest in enumerate(places)],
    }


async def fetch(
    url: str, folder: Path, dataset: str | None = "d", version: DatasetVersion | None = None
) -> list[Path]:
    async with BenchmarkServiceClient(url, retry=QUICK) as client:
        if version is not None:
            client.pin(version)
        return await fetch_inputs(client.calls, dataset, "t/1", folder)


async def refused(url: str, folder: Path, error: type[ServiceError]) -> ServiceError:
    return await fails(url, error, lambda client: fetch_inputs(client.calls, "d", "t/1", folder))


async def test_files_are_put_where_they_belong(script: Script, url: str, tmp_path: Path) -> None:
    """Each file is asked for by name, and put where it belongs."""
    script.answer(listed("a.bin", "data/b.txt"), Response(b"\0" * 600_000), Response(b"two"))
    folder = tmp_path / "workspace"
    assert await fetch(url, folder) == [folder / "a.bin", folder / "data" / "b.txt"]
    assert contents(tmp_path) == {
        folder / "a.bin": b"\0" * 600_000,
        folder / "data" / "b.txt": b"two",
    }
    start = "/v1/datasets/d/tasks/t%2F1/inputs"
    assert [seen.raw_path for seen in script.seen] == [start, f"{start}/f0", f"{start}/f1"]
    assert script.seen[1].headers["accept-encoding"] == "identity"


async def test_compressed_file_stays_so(script: Script, url: str, tmp_path: Path) -> None:
    """A file that is an archive stays one."""
    archive = b"\x1f\x8b\x08 and so on"
    script.answer(listed("a.gz"), Response(archive))
    await fetch(url, tmp_path)
    assert (tmp_path / "a.gz").read_bytes() == archive


async def test_version_is_named(script: Script, url: str, tmp_path: Path) -> None:
    """A pinned client names the version for the list and the files."""
    echo = {"x-benchmark-dataset-version": "v-1"}
    script.answer(JSONResponse(listed("a"), headers=echo), Response(b"one", headers=echo))
    await fetch(url, tmp_path, version=DatasetVersion(id="v-1"))
    assert [seen.headers["x-benchmark-dataset-version"] for seen in script.seen] == ["v-1"] * 2


async def test_dataset_without_a_name(script: Script, url: str, tmp_path: Path) -> None:
    """A dataset that is left out is the one named default."""
    script.answer(listed())
    assert await fetch(url, tmp_path / "w", None) == []
    assert script.seen[0].raw_path.startswith("/v1/datasets/default/tasks/")
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "detail",
    ["Not Found", "No inputs", "Task t/1 of dataset d has no inputs", None, "no input for t/1"],
)
async def test_task_without_inputs(
    script: Script, url: str, tmp_path: Path, detail: str | None
) -> None:
    """A 404 of the path, or about inputs, means that there are none."""
    script.answer(failure(404, detail))
    assert await fetch(url, tmp_path) == []


@pytest.mark.parametrize(
    "detail", ["Dataset not found: d", "Task not found: t/1", "Task ID not found: t/1"]
)
async def test_unknown_task_is_an_error(
    script: Script, url: str, tmp_path: Path, detail: str
) -> None:
    """A 404 about the dataset or the task is an error."""
    script.answer(failure(404, detail))
    error = await refused(url, tmp_path, NotFoundError)
    assert detail in error.message


async def test_missing_file_is_an_error(script: Script, url: str, tmp_path: Path) -> None:
    """A file that is declared, and is not there, is an error that names it."""
    script.answer(listed("a"), failure(404, "Not Found"))
    error = await refused(url, tmp_path, NotFoundError)
    assert "could not fetch the input 'f0' of task 't/1'" in error.message
    assert error.hint == "Correct the inputs of the task at the service."
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("before", [(), (listed("a"),)], ids=["list", "file"])
@pytest.mark.parametrize(
    ("status", "error", "attempts"),
    [
        (307, RejectedRequestError, 1),
        (400, RejectedRequestError, 1),
        (401, AuthenticationError, 1),
        (403, PermissionDeniedError, 1),
        (413, RejectedRequestError, 1),
        (422, RejectedRequestError, 1),
        (429, ServiceUnavailableError, 8),
        (500, ServiceUnavailableError, 8),
        (501, UnsupportedError, 1),
        (502, ServiceUnavailableError, 8),
        (503, ServiceUnavailableError, 8),
    ],
)
async def test_each_status_is_an_error(
    script: Script,
    url: str,
    tmp_path: Path,
    before: tuple[object, ...],
    status: int,
    error: type[ServiceError],
    attempts: int,
) -> None:
    """Each status is the error that it is elsewhere, and those that may pass are retried."""
    script.answer(*before, failure(status, "no"))
    await refused(url, tmp_path / "w", error)
    assert contents(tmp_path) == {}
    assert len(script.seen) - len(before) == (attempts if before else min(attempts, 5))


async def test_trouble_is_retried(script: Script, url: str, tmp_path: Path) -> None:
    """A file whose transfer breaks off is fetched again, from its beginning."""

    async def breaks_off(receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]}
        )
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ConnectionResetError

    script.answer(listed("a"), failure(503), breaks_off, Response(b"the whole"))
    await fetch(url, tmp_path)
    assert contents(tmp_path) == {tmp_path / "a": b"the whole"}


async def test_lasting_trouble_is_an_error(script: Script, url: str, tmp_path: Path) -> None:
    """Trouble that does not end is an error, and leaves no file."""
    script.answer(listed("a"), failure(500))
    await refused(url, tmp_path, ServiceUnavailableError)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    "answer",
    [[], {"inputs": None}, {"inputs": [{"filename": "a"}]}, {"inputs": [{"dest": "a"}]}, {}],
)
async def test_unusable_list_is_refused(
    script: Script, url: str, tmp_path: Path, answer: object
) -> None:
    """A list that breaks the contract is refused."""
    script.answer(answer)
    await refused(url, tmp_path, BadResponseError)


@pytest.mark.parametrize(
    "places", [("ok", "../x"), ("a", "a"), ("a", "./a"), ("a", "a/b"), ("a/b", "a"), ("/a",)]
)
async def test_places_are_checked_first(
    script: Script, url: str, tmp_path: Path, places: tuple[str, ...]
) -> None:
    """Places that lead out, or that two files share, are refused before a file is fetched."""
    script.answer(listed(*places))
    with pytest.raises(InputError):
        await fetch(url, tmp_path / "w")
    assert len(script.seen) == 1
    assert contents(tmp_path) == {}


async def test_too_many_files_are_refused(
    script: Script, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More files than a task may have are refused."""
    monkeypatch.setattr(inputs_module, "_MOST", 2)
    script.answer(listed("a", "b", "c"))
    with pytest.raises(InputError, match="3 inputs"):
        await fetch(url, tmp_path)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Response(b"12345"), "it is larger than"),
        (Response(b"1", headers={"content-encoding": "br"}), "it is compressed as 'br'"),
        (Response(b"1", 206), "it is not the whole file (HTTP 206)"),
    ],
)
async def test_unusable_file_is_refused(
    script: Script,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: Response,
    problem: str,
) -> None:
    """A file that is too large, a part, or compressed is refused and leaves nothing."""
    monkeypatch.setattr(inputs_module, "_LARGEST", 4)
    script.answer(listed("a"), answer)
    error = await refused(url, tmp_path, BadResponseError)
    assert problem in error.message
    assert contents(tmp_path) == {}


async def test_cancelled_transfer_leaves_nothing(script: Script, url: str, tmp_path: Path) -> None:
    """A transfer that is cancelled leaves no part of its file."""
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def stalls(receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        loop.call_soon_threadsafe(begun.set)
        await receive()

    script.answer(listed("a"), stalls)
    fetching = asyncio.create_task(fetch(url, tmp_path))
    await begun.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert contents(tmp_path) == {}


async def test_inputs_do_not_wait_for_evaluations(script: Script, url: str, tmp_path: Path) -> None:
    """Inputs have places of their own: an evaluation that takes long keeps no agent waiting."""
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    async def takes_long(receive: Receive, send: Send) -> None:
        loop.call_soon_threadsafe(begun.set)
        await never_answers(receive, send)

    script.answer(takes_long, listed("a"), Response(b"one"))
    async with BenchmarkServiceClient(url, retry=QUICK, max_connections=1) as client:
        evaluation = asyncio.create_task(grade(client))
        await begun.wait()
        async with asyncio.timeout(5):
            await fetch_inputs(client.calls, "d", "t/1", tmp_path)
        evaluation.cancel()
    assert contents(tmp_path) == {tmp_path / "a": b"one"}


async def test_large_file_is_never_in_memory(script: Script, url: str, tmp_path: Path) -> None:
    """A large file is written as it arrives."""
    part = bytes(64 * 1024)

    async def sends_much(receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1024):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    script.answer(listed("a"), sends_much)
    tracemalloc.start()
    try:
        await fetch(url, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "a").stat().st_size == 64 * 1024**2
    assert peak < 8 * 1024**2
