"""A benchmark service for an author's tests, which answers as the test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, cast
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import JsonValue

from benchmark_runner._scores import default_task_score

__all__ = ["FakeService"]

_Results = Mapping[str, JsonValue] | Callable[[str, str], JsonValue]
_Answer = tuple[int, JsonValue | bytes]


class FakeService:
    """A benchmark service on a port of this machine, for tests of a runner's command line.

    .. code-block:: python

        with FakeService({"t1": {"pass_percentage": 1.0}}) as service:
            args = ["run", "--run-id", "r1", "--service-url", service.url]
            assert CliRunner().invoke(cli, args).exit_code == 0
        assert service.answers == {"t1": "42"}

    It has no WebSocket: the embedded service (``--service-url local``) evaluates over one.

    Args:
        results: The result of each task, or a function that returns it for a task id and an
            answer; what that raises becomes an error of the service.
        tasks: The tasks that ``--dataset-name`` loads.
        final_score: The score of a run; by default the mean of the results' scores.
        statuses: By path, the HTTP status and the JSON that every request for it gets.
        inputs: By task id, the content of the task's input files, by their places.

    Attributes:
        url: Where it is, for ``--service-url``.
        answers: The answers that it was sent, by task id; of a file, its text.
        files: The files that were uploaded, by task id.
        requests: The method, the path and the body of each request; the body of a file is
            ``None``.
    """

    def __init__(
        self,
        results: _Results,
        *,
        tasks: Sequence[Mapping[str, JsonValue]] = (),
        final_score: float | None = None,
        statuses: Mapping[str, tuple[int, JsonValue]] | None = None,
        inputs: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> None:
        self._results = results
        self._tasks = [dict(task) for task in tasks]
        self._final_score = final_score
        self._statuses = statuses or {}
        self._inputs = inputs or {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.answers: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, JsonValue]] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, target: str, body: JsonValue) -> _Answer:
        """Return the status and the JSON for a request."""
        url = urlsplit(target)
        path = unquote(url.path)
        self.requests.append((method, path, body))
        if path in self._statuses:
            return self._statuses[path]
        if method == "POST" and isinstance(body, dict):
            return self._answer_post(path, body)
        fixed: dict[str, JsonValue] = {
            "/health": {"status": "ok"},
            "/version": {"service_name": "fake", "service_version": "1"},
            "/verify-task-ids": {"task_ids": [*parse_qs(url.query).get("task_ids", [])]},
        }
        if path.startswith("/v1/datasets/"):
            return self._answer_about_tasks(*path.split("/", 7)[3:])
        return (200, fixed[path]) if path in fixed else (404, {"detail": "Not Found"})

    def put(self, target: str, content: bytes) -> _Answer:
        """Keep a file for the task that its address names."""
        path = unquote(urlsplit(target).path)
        self.requests.append(("PUT", path, None))
        if path not in self._statuses:
            self.files[path.split("/")[3]] = content
        return self._statuses.get(path, (200, b""))

    def _answer_about_tasks(self, dataset: str, *rest: str) -> _Answer:
        match rest:
            case ("tasks",):
                return 200, {"dataset": dataset, "tasks": [*self._tasks]}
            case ("tasks", task_id, "inputs"):
                names = self._inputs.get(task_id, {})
                return 200, {"inputs": [{"filename": name, "dest": name} for name in names]}
            case ("tasks", task_id, "inputs", name) if name in self._inputs.get(task_id, {}):
                return 200, self._inputs[task_id][name]
            case _:
                return 404, {"detail": "Not Found"}

    def _answer_post(self, path: str, sent: dict[str, JsonValue]) -> _Answer:
        if path in ("/final-score/", "/v1/score"):
            return 200, self._score(cast("dict[str, JsonValue]", sent["evaluation_results"]))
        task_id, is_v1 = str(sent.get("task_id")), path == "/v1/evaluate"
        if path == "/v1/submissions/upload-url":
            key = f"{sent['run_id']}/{task_id}/{sent['filename']}"
            return 200, {"key": key, "url": f"{self.url}/uploads/{key}", "expires_in": 3600}
        if not (is_v1 or path == "/evaluate-response/"):
            return 404, {"detail": "Not Found"}
        payload = cast("dict[str, JsonValue]", sent.get("payload"))
        answer = str(payload["data"] if is_v1 else sent["response"])
        if is_v1 and payload.get("type") == "artifact":
            if answer.split("/")[1] not in self.files:
                return 404, {"detail": f"Artifact not found: {answer}"}
            answer = self.files[task_id].decode(errors="replace")
        self.answers[task_id] = answer
        if not callable(self._results) and task_id not in self._results:
            return 400, {"detail": f"Task ID not found: {task_id}"}
        known = self._results
        result = known(task_id, answer) if callable(known) else known[task_id]
        about = {"run_id": sent.get("run_id"), "task_id": task_id}
        return 200, {**about, "status": "evaluated", "result": result} if is_v1 else result

    def _score(self, results: Mapping[str, JsonValue]) -> JsonValue:
        bare = {
            task_id: sent["result"] if isinstance(sent, dict) and "result" in sent else sent
            for task_id, sent in results.items()
        }
        scores = [default_task_score(result) or 0.0 for result in bare.values()]
        mean = sum(scores) / len(scores) if scores else 0.0
        score = mean if self._final_score is None else self._final_score
        evaluated: list[JsonValue] = [name for name, result in bare.items() if result is not None]
        return {"tasks_evaluated": evaluated, "final_score": score, "metadata": {}}


def _handler(service: FakeService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._respond()

        def do_POST(self) -> None:
            self._respond()

        def do_PUT(self) -> None:
            self._respond()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base)
            pass

        def _respond(self) -> None:
            received = self.rfile.read(int(self.headers.get("content-length") or 0))
            try:
                if self.command == "PUT":
                    status, content = service.put(self.path, received)
                else:
                    sent = json.loads(received or b"null")
                    status, content = service.answer(self.command, self.path, sent)
            except Exception as error:  # noqa: BLE001 (the test's own function)
                status, content = 500, {"detail": f"{type(error).__name__}: {error}"}
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
