"""Uploads files, so many at a time, and prints how many a second that was."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import aiohttp

from benchmark_runner.artifacts.run_folder import RunArtifacts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Upload = Callable[[str], Awaitable[object]]

_FILES = 50
_PIECE = 256 * 1024


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--by", choices=["ours", "aiohttp"])
    parser.add_argument("--url")
    parser.add_argument("--count", type=int)
    parser.add_argument("--at-a-time", type=int)
    parser.add_argument("--kib", type=int)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(_rate(asked, Path(folder))))  # noqa: T201 (it tells its parent)


async def _rate(asked: argparse.Namespace, folder: Path) -> float:
    artifacts = RunArtifacts(folder, "r1", durable=False)
    content, most = os.urandom(asked.kib * 1024), asked.kib * 1024
    records = [artifacts.keep_submission(f"t{n}", content, "f", most)[0] for n in range(_FILES)]
    numbers = iter(range(asked.count))

    async def work(upload: Upload) -> None:
        for number in numbers:
            await upload(f"t{number % _FILES}")

    opened = _ours if asked.by == "ours" else _aiohttp
    async with opened(asked.url, artifacts, records[0].sha256, records[0].size) as upload:
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(asked.at_a_time):
                group.create_task(work(upload))
        return asked.count / (perf_counter() - began)


@asynccontextmanager
async def _ours(url: str, artifacts: RunArtifacts, sha256: str, size: int) -> AsyncIterator[Upload]:
    from benchmark_runner._concurrency.thread_pool import run_in_thread
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.client.upload import upload
    from benchmark_runner.schemas import Artifact, UploadUrlRequest

    record = Artifact(filename="f", size=size, sha256=sha256)
    async with BenchmarkServiceClient(url, max_connections=1000) as client:

        async def send(task_id: str) -> object:
            file = await run_in_thread(artifacts.submission(task_id).open, record)
            request = UploadUrlRequest(run_id="r1", task_id=task_id, filename="f")
            try:
                return await upload(client, request, file)
            finally:
                file.close()

        yield send


@asynccontextmanager
async def _aiohttp(
    url: str, artifacts: RunArtifacts, sha256: str, size: int
) -> AsyncIterator[Upload]:
    def is_as_kept(path: Path) -> bool:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256

    async def pieces(path: Path) -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece

    # Of its own, as the storage is another server and gets nothing that is the service's.
    async with _session() as client, _session() as storage:

        async def send(task_id: str) -> object:
            path = artifacts.task_dir(task_id) / "submission" / "f"
            assert await asyncio.to_thread(is_as_kept, path)
            asked = {"run_id": "r1", "task_id": task_id, "filename": "f"}
            async with client.post(f"{url}/v1/submissions/upload-url", json=asked) as response:
                target = await response.json()
            headers = {"content-length": f"{size}"}
            async with storage.put(target["url"], data=pieces(path), headers=headers) as response:
                await response.read()
            return target["key"]

        yield send


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), raise_for_status=True)


if __name__ == "__main__":
    main()
