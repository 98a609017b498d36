"""What a run can't be faster than: a bare loop of the same requests and the same writes."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import ssl
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Post = Callable[[str, dict[str, str]], Awaitable[object]]


def main() -> None:
    """Do what the command line says, and print the seconds that the work took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--generation", type=Path)
    parser.add_argument("--eval", type=Path)
    parser.add_argument("--url")
    parser.add_argument("--parallelism", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--generate-seconds", type=float, default=0.0)
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--aiohttp", action="store_true")
    asked = parser.parse_args()
    print(asyncio.run(_with_aiohttp(asked) if asked.aiohttp else _with_httpx(asked)))  # noqa: T201


async def _with_httpx(asked: argparse.Namespace) -> float:
    import httpx

    from benchmark_runner.client.transport import AiohttpTransport

    transport = AiohttpTransport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:

        async def post(path: str, content: dict[str, str]) -> object:
            response = await client.post(asked.url + path, json=content)
            return response.raise_for_status().json()

        return await _work(asked, post)


async def _with_aiohttp(asked: argparse.Namespace) -> float:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=asked.parallelism)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as client:

        async def post(path: str, content: dict[str, str]) -> object:
            async with client.post(asked.url + path, json=content) as response:
                return await response.json()

        return await _work(asked, post)


async def _work(asked: argparse.Namespace, post: Post) -> float:
    loop = asyncio.get_running_loop()
    generation, grade = asked.generation.read_bytes(), asked.eval.read_bytes()
    asked.out.mkdir(parents=True)
    with asked.tasks.open() as lines, ThreadPoolExecutor(asked.threads) as threads:
        in_thread = partial(loop.run_in_executor, threads)
        task_ids = (json.loads(line)["id"] for line in lines)

        async def work(task_ids: Iterator[str]) -> None:
            for task_id in task_ids:
                folder = asked.out / task_id
                await in_thread(_make, folder)
                if asked.generate_seconds:
                    await asyncio.sleep(asked.generate_seconds)
                await in_thread(_write_first, folder / "generation.json", generation, asked.durable)
                await post("/evaluate-response/", {"task_id": task_id, "response": "an answer"})
                await in_thread(_write, folder / "eval.json", grade, asked.durable)

        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(asked.parallelism):
                group.create_task(work(task_ids))
        return perf_counter() - began


def _make(folder: Path) -> None:
    folder.mkdir()
    (folder / "agent_logs").mkdir()


def _write_first(path: Path, content: bytes, durable: bool) -> None:
    _write(path, content, durable)
    _flush(path.parent.parent, durable)


def _write(path: Path, content: bytes, durable: bool) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("xb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)
    _flush(path.parent, durable)


def _flush(folder: Path, durable: bool) -> None:
    if durable:
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


if __name__ == "__main__":
    main()
