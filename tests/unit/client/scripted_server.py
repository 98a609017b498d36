"""A server that gives scripted answers, and calls to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest
from starlette.responses import JSONResponse, Response

from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.schemas import Payload, V1EvaluateRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from benchmark_runner.errors import ServiceError

    Answer = Callable[[Receive, Send], Awaitable[None]]

QUICK = RetryPolicy(first_wait=0.001, max_wait=0.001)
KEY = "s3cret-key"
GRADE = {"pass_percentage": 1.0}


@dataclass
class Seen:
    method: str
    path: str
    raw_path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes

    def json(self) -> object:
        return json.loads(self.body)


@dataclass
class Script:
    """A server that gives the scripted answers in turn, the last one for ever."""

    answers: list[object] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    keep_bodies: bool = True
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"") if self.keep_bodies else b""
            if not message.get("more_body"):
                break
        self.seen.append(
            Seen(
                scope["method"],
                scope["path"],
                scope["raw_path"].decode(),
                parse_qsl(scope["query_string"].decode(), keep_blank_values=True),
                {name.decode(): value.decode() for name, value in scope["headers"]},
                body,
            )
        )
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if callable(answer) and not isinstance(answer, Response):
                await answer(receive, send)
            else:
                response = answer if isinstance(answer, Response) else JSONResponse(answer)
                await response(scope, receive, send)
        finally:
            self.at_once -= 1

    def answer(self, *answers: object) -> None:
        self.answers = list(answers)


def failure(status: int, detail: object = None, **headers: str) -> Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"detail": detail}, status_code=status, headers=names)


async def never_answers(receive: Receive, send: Send) -> None:
    await receive()  # returns when the client hangs up


def answers_after(seconds: float, content: object = GRADE) -> Answer:
    """Answer when that has passed."""

    async def answer(receive: Receive, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(receive(), seconds)
        await JSONResponse(content)({"type": "http", "method": "POST"}, receive, send)

    return answer


async def stalls_in_the_body(receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b'{"pass', "more_body": True})
    await receive()


def v1_request(dataset: str | None = "d") -> V1EvaluateRequest:
    payload = Payload(schema_id="my-bench.text.v1", data="42")
    return V1EvaluateRequest(
        run_id="r1", task_id="t1", dataset=dataset, payload=payload, versions={"runner": "dev"}
    )


async def grade(client: BenchmarkServiceClient, dataset: str | None = "d") -> object:
    return await client.evaluate_response(task_id="t1", response="42", dataset=dataset)


async def fails(
    url: str,
    error: type[ServiceError],
    ask: Callable[[BenchmarkServiceClient], Awaitable[object]] = grade,
    **settings: object,
) -> ServiceError:
    async with BenchmarkServiceClient(url, **{"retry": QUICK, **settings}) as client:
        with pytest.raises(error) as caught:
            await ask(client)
    assert type(caught.value) is error
    assert "\n" not in caught.value.message
    return caught.value
