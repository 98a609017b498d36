"""Asks a service so often, so many at a time, and prints how many requests a second that was."""

from __future__ import annotations

import argparse
import asyncio
import ssl
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import httpx

    Post = Callable[[dict[str, str]], Awaitable[object]]


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--transport", choices=["ours", "httpx", "aiohttp"])
    parser.add_argument("--url")
    parser.add_argument("--count", type=int)
    parser.add_argument("--at-a-time", type=int)
    print(asyncio.run(_rate(parser.parse_args())))  # noqa: T201 (it tells its parent)


async def _rate(asked: argparse.Namespace) -> float:
    opened = _aiohttp(asked.url) if asked.transport == "aiohttp" else _httpx(asked)
    numbers = iter(range(asked.count))

    async def work(post: Post) -> None:
        for number in numbers:
            await post({"task_id": f"task-{number:06}", "response": "an answer"})

    async with opened as post:
        began = perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(asked.at_a_time):
                group.create_task(work(post))
        return asked.count / (perf_counter() - began)


@asynccontextmanager
async def _httpx(asked: argparse.Namespace) -> AsyncIterator[Post]:
    import httpx

    from benchmark_runner.client.transport import AiohttpTransport

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # there is no TLS
    unlimited = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    transport: httpx.AsyncBaseTransport = (
        AiohttpTransport(context)
        if asked.transport == "ours"
        else httpx.AsyncHTTPTransport(context, limits=unlimited)
    )
    async with httpx.AsyncClient(transport=transport, timeout=None) as client:

        async def post(content: dict[str, str]) -> object:
            response = await client.post(asked.url, json=content)
            return response.raise_for_status().json()

        yield post


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Post]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, raise_for_status=True) as client:

        async def post(content: dict[str, str]) -> object:
            async with client.post(url, json=content) as response:
                return await response.json()

        yield post


if __name__ == "__main__":
    main()
