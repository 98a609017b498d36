"""A benchmark service that does nothing but answer, in a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def service(delay: float = 0.0) -> Iterator[str]:
    """Start one that takes ``delay`` seconds a grade; yields its URL."""
    command = [sys.executable, "-m", __name__, "--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def _application(delay: float) -> web.Application:
    async def evaluate(request: web.Request) -> web.Response:
        await request.read()
        if delay:
            await asyncio.sleep(delay)
        return web.Response(body=b'{"pass_percentage":1.0}', content_type="application/json")

    async def score(request: web.Request) -> web.Response:
        tasks = list((await request.json())["evaluation_results"])
        return web.json_response({"tasks_evaluated": tasks, "final_score": 1.0, "metadata": {}})

    async def verify(request: web.Request) -> web.Response:
        return web.json_response({"task_ids": request.query.getall("task_ids")})

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"service_name": "benchmarks", "service_version": "1"})

    application = web.Application(client_max_size=1024**3)
    application.add_routes(
        [
            web.get("/health", health),
            web.get("/version", version),
            web.get("/verify-task-ids", verify),
            web.post("/evaluate-response/", evaluate),
            web.post("/final-score/", score),
        ]
    )
    return application


async def _serve(delay: float) -> None:
    runner = web.AppRunner(_application(delay), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 (it tells its parent)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    asyncio.run(_serve(parser.parse_args().delay))
