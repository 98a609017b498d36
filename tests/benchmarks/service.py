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
            web.post("/v1/score", score),
            *_routes_of_artifacts(),
        ]
    )
    return application


def _routes_of_artifacts() -> list[web.RouteDef]:
    async def upload_url(request: web.Request) -> web.Response:
        asked = await request.json()
        key = f"{asked['run_id']}/{asked['task_id']}/{asked['filename']}"
        url = f"http://{request.host}/storage/{key}"
        return web.json_response({"key": key, "url": url, "expires_in": 3600})

    async def store(request: web.Request) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        return web.Response()

    async def evaluate_v1(request: web.Request) -> web.Response:
        asked = await request.json()
        return web.json_response(
            {
                "run_id": asked["run_id"],
                "task_id": asked["task_id"],
                "status": "evaluated",
                "result": {"pass_percentage": 1.0},
            }
        )

    async def tasks(_: web.Request) -> web.Response:
        return web.json_response({"tasks": []})

    return [
        web.get("/v1/datasets/{dataset}/tasks", tasks),
        web.post("/v1/submissions/upload-url", upload_url),
        web.put("/storage/{key:.*}", store),
        web.post("/v1/evaluate", evaluate_v1),
    ]


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
