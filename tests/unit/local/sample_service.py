"""An embedded service that tests talk to, with and without a port."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.datasets import LocalDatasets
from benchmark_runner.schemas import Payload, V1EvaluateRequest

if TYPE_CHECKING:
    from benchmark_runner.local.grader import Grader

    Row = dict[str, object]

KEY = "the-key"
NO_SUCH_ANSWER = "no such answer"
CANARY = "canary-7f3a"
ONCE = RetryPolicy(attempts=1)
BEARER_ON_V1 = (
    "The /v1/ surface requires Descope authentication; legacy bearer auth is not accepted."
)


def exact_match(task: Row, response: str) -> dict[str, float]:
    if response == "raise":
        raise ValueError(NO_SUCH_ANSWER)
    return {"pass_percentage": float(response == task["answer"])}


def source_line(code: str, file: str = __file__) -> int:
    """The line of a file that holds this code."""
    lines = [line.strip() for line in Path(file).read_text().splitlines()]
    return lines.index(code) + 1


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def datasets(path: Path) -> LocalDatasets:
    return LocalDatasets(path, evaluator_fields=frozenset({"answer"}))


def make(path: Path, grader: Grader = exact_match, **settings: object) -> LocalService:
    return LocalService("my-bench", datasets(path), grader, **settings)


def v1_request(task_id: str = "1", data: str = "", **changed: object) -> V1EvaluateRequest:
    fields = {"run_id": "r1", "task_id": task_id, "dataset": "validation", **changed}
    return V1EvaluateRequest(payload=Payload(schema_id="my-bench.text.v1", data=data), **fields)


class Wire:
    """Raw requests to a service on a port."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, path: str, **what: object) -> httpx.Response:
        return httpx.request(method, self.url + path, **what)

    def answer_to(self, rest: str) -> str:
        """What it says to a POST that ends in ``rest``, the last of its headers included."""
        host, port = self.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"POST /evaluate-response/ HTTP/1.1\r\nhost: x\r\n{rest}".encode())
            return connection.recv(65536).decode()
