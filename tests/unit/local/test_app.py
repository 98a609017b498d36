from __future__ import annotations

import asyncio
import functools
import hmac
import json
import operator
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Never

import httpx
import pytest

from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client
from benchmark_runner.errors import (
    AuthenticationError,
    DatasetError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceUnavailableError,
    UsageError,
)
from benchmark_runner.local import local_client, request_body
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.datasets import LocalDatasets
from benchmark_runner.local.server import serve
from benchmark_runner.schemas import EvalStatus, Payload, V1EvaluateRequest, V1ScoreRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from benchmark_runner.local.grader import Grader

    Row = dict[str, object]
    ServeApp = Callable[[ASGIApp], str]

pytestmark = pytest.mark.anyio

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


def source_line(code: str) -> int:
    """Where this file holds that line of code."""
    lines = [line.strip() for line in Path(__file__).read_text().splitlines()]
    return lines.index(code) + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tests = [
        {"id": str(number), "question": f"{number}?", "answer": f"{CANARY}-{number}"}
        for number in range(1, 5)
    ]
    tests[0]["timeout"] = 30
    write(tmp_path / "main.json", {"dataset_name": "validation", "tests": tests})
    write(tmp_path / "default.json", [{"id": "d1", "question": "?", "answer": "yes"}])
    (tmp_path / "table.csv").write_text("id,question,answer\nc1,?,yes\n")
    (tmp_path / "broken.jsonl").write_text("{")
    (tmp_path / "notes.txt").write_text("not a dataset")
    return tmp_path


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


@pytest.fixture
def wire(serve_app: ServeApp, folder: Path) -> Wire:
    return Wire(serve_app(make(folder)))


@pytest.fixture
def locked(serve_app: ServeApp, folder: Path) -> Wire:
    return Wire(serve_app(make(folder, key=KEY)))


class TestDatasets:
    def test_a_dataset_is_found_by_its_declared_name_else_by_its_stem(self, folder: Path) -> None:
        found = datasets(folder)
        assert list(found.get("validation").rows) == ["1", "2", "3", "4"]
        assert list(found.get("table").rows) == ["c1"]
        assert found.get("main") is None
        assert found.get("nothing") is None

    def test_a_file_is_read_once_and_only_when_needed(self, folder: Path) -> None:
        found = datasets(folder)
        table = found.get("table")
        (folder / "table.csv").unlink()
        assert found.get("table") is None
        write(folder / "table.csv", "changed")
        assert found.get("table") is table

    def test_a_broken_file_is_reported_when_it_is_asked_for(self, folder: Path) -> None:
        with pytest.raises(DatasetError) as caught:
            datasets(folder).get("broken")
        assert "broken.jsonl" in caught.value.message

    def test_two_files_of_one_name_are_refused(self, folder: Path) -> None:
        write(folder / "other.json", {"dataset_name": "validation", "tests": [{"id": "x"}]})
        with pytest.raises(DatasetError) as caught:
            datasets(folder).get("validation")
        assert "main.json and other.json" in caught.value.message

    def test_a_single_file_is_served_under_its_name(self, folder: Path) -> None:
        found = datasets(folder / "main.json")
        assert found.only() is found.get("validation")
        assert found.get("table") is None

    async def test_rows_given_in_memory_are_a_dataset_of_that_name(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder.parent)  # a folder of the dataset's name is not looked into
        rows = [{"id": 7, "question": "?", "answer": CANARY}, {"id": "8", "question": "?"}]
        found = LocalDatasets.from_rows(folder.name, rows, evaluator_fields=frozenset({"answer"}))
        assert found.get("validation") is None
        assert found.get(folder.name) is found.only()
        service = LocalService("my-bench", found, lambda task, response: task["answer"])
        async with local_client(service) as client:
            listed = await client.list_tasks(folder.name)
            answer = await client.evaluate(v1_request("7", dataset=folder.name))
        assert [task["id"] for task in listed.tasks] == ["7", "8"]
        assert all("answer" not in task for task in listed.tasks)
        assert answer.result == CANARY
        assert rows[0]["id"] == 7

    @pytest.mark.parametrize("rows", [[{"question": "?"}], [{"id": "1"}, {"id": 1}]])
    def test_rows_without_an_id_of_their_own_are_refused(self, rows: list[Row]) -> None:
        with pytest.raises(DatasetError) as caught:
            LocalDatasets.from_rows("mine", rows, evaluator_fields=frozenset())
        assert f"'mine', task {len(rows)}" in caught.value.message

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError) as caught:
            datasets(tmp_path / "gone.json").only()
        assert "gone.json" in caught.value.message


class TestOpenPaths:
    def test_health_and_version_need_no_key(self, locked: Wire) -> None:
        assert locked("GET", "/health").json() == {"status": "ok"}
        version = locked("GET", "/version?dataset=validation").json()
        assert version["service_name"] == "my-bench (local)"
        assert version["eval_mode"] == "local"
        assert version["service_version"]
        assert version["dataset_version"]
        assert version["dataset_version_selection"] is False

    def test_the_version_of_an_unknown_dataset_is_null(self, wire: Wire) -> None:
        answer = wire("GET", "/version?dataset=nothing")
        assert answer.status_code == 200
        assert answer.json()["dataset_version"] is None


class TestAuthentication:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-descope-api-key": "wrong"},
            {"x-descope-api-key": "wröng".encode()},
            {"authorization": f"Basic {KEY}"},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Bearer {KEY}", "x-descope-api-key": "wrong"},
        ],
    )
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/verify-task-ids"),
            ("GET", "/v1/datasets/validation/tasks"),
            ("POST", "/evaluate-response/"),
            ("POST", "/v1/evaluate"),
            ("GET", "/no/such/path"),
        ],
    )
    def test_without_the_key_everything_else_is_a_401(
        self, locked: Wire, headers: dict[str, str], method: str, path: str
    ) -> None:
        answer = locked(method, path, headers=headers, content=b"{malformed")
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Unauthorized"}

    def test_the_bearer_key_opens_the_legacy_paths_only(self, locked: Wire) -> None:
        bearer = {"authorization": f"bearer {KEY}"}
        assert locked("GET", "/verify-task-ids", headers=bearer).status_code == 200
        for path in ("/v1/evaluate", "/v1/score", "/v1/datasets/validation/tasks", "/v1/none"):
            answer = locked("POST", path, headers=bearer)
            assert answer.status_code == 403
            assert answer.json() == {"detail": BEARER_ON_V1}

    async def test_the_right_key_grades_by_both_apis(
        self, locked: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BENCHMARK_API_KEY", raising=False)
        monkeypatch.setenv("VALS_AUTH_KEY", KEY)
        async with build_client(locked.url, retry=ONCE) as client:
            legacy = await client.evaluate_response(
                task_id="1", response=f"{CANARY}-1", dataset="validation"
            )
            v1 = await client.evaluate(v1_request(data="wrong"))
        assert legacy == {"pass_percentage": 1.0}
        assert (v1.status, v1.result) == (EvalStatus.EVALUATED, {"pass_percentage": 0.0})

    async def test_a_wrong_and_a_bearer_key_are_told_apart(
        self, locked: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("VALS_AUTH_KEY", "VALS_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("BENCHMARK_API_KEY", KEY)
        async with build_client(locked.url) as client:
            assert await client.verify_task_ids(["1"], "validation") == ["1"]
            with pytest.raises(PermissionDeniedError) as denied:
                await client.evaluate(v1_request())
        assert "VALS_AUTH_KEY" in (denied.value.hint or "")
        monkeypatch.setenv("VALS_AUTH_KEY", "wrong")
        async with build_client(locked.url) as client:
            with pytest.raises(AuthenticationError):
                await client.list_tasks("validation")

    @pytest.mark.parametrize("sent", [KEY, "wrong", KEY[:-1], KEY + "y"])
    def test_keys_are_compared_whole_and_in_constant_time(
        self, locked: Wire, monkeypatch: pytest.MonkeyPatch, sent: str
    ) -> None:
        compared: list[tuple[bytes, bytes]] = []
        compare = hmac.compare_digest

        def note(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return compare(one, other)

        monkeypatch.setattr(hmac, "compare_digest", note)
        by_header = locked("GET", "/verify-task-ids", headers={"x-descope-api-key": sent})
        by_bearer = locked("GET", "/verify-task-ids", headers={"authorization": f"Bearer {sent}"})
        expected = 200 if sent == KEY else 401
        assert (by_header.status_code, by_bearer.status_code) == (expected, expected)
        # Both places each time, also where nothing was sent.
        ours, theirs = KEY.encode(), sent.encode()
        assert compared == [(theirs, ours), (b"", ours), (b"", ours), (theirs, ours)]

    @pytest.mark.parametrize("key", ["", " k", "schlüssel"])
    def test_a_key_that_nobody_could_send_is_refused(self, folder: Path, key: str) -> None:
        with pytest.raises(UsageError) as caught:
            make(folder, key=key)
        assert "--key" in (caught.value.hint or "")


class TestPathsAndBodies:
    @pytest.mark.parametrize("path", ["/evaluate-response", "/final-score"])
    def test_a_legacy_path_without_its_slash_is_redirected(self, wire: Wire, path: str) -> None:
        answer = wire("POST", path, json={})
        assert answer.status_code == 307
        assert httpx.URL(answer.headers["location"]).path == f"{path}/"

    def test_unknown_paths_and_methods_are_answered_in_json(self, wire: Wire) -> None:
        assert wire("GET", "/none").json() == {"detail": "Not Found"}
        answer = wire("GET", "/v1/evaluate")
        assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})

    @pytest.mark.parametrize(
        ("path", "content", "place", "kind"),
        [
            ("/evaluate-response/", b"", ["body"], "missing"),
            ("/evaluate-response/", b"{", ["body"], "json_invalid"),
            ("/evaluate-response/", b'{"task_id": "1"}', ["body", "response"], "missing"),
            ("/evaluate-response/", b'{"task_id":"1","response":NaN}', ["body"], "json_invalid"),
            ("/final-score/", b'{"evaluation_results": []}', ["body", "evaluation_results"], None),
            (
                "/final-score/",
                b'{"evaluation_results": {"1": 5}, "dataset": "validation"}',
                ["body", "evaluation_results", "1"],
                None,
            ),
            ("/v1/evaluate", b'{"run_id": "r", "task_id": "1"}', ["body", "payload"], "missing"),
            (
                "/v1/score",
                b'{"run_id":"r","dataset":"validation","evaluation_results":{"1":{"result":1}}}',
                ["body", "evaluation_results", "1", "status"],
                "missing",
            ),
        ],
    )
    def test_a_body_that_does_not_fit_is_a_422_that_names_the_place(
        self, wire: Wire, path: str, content: bytes, place: list[str], kind: str | None
    ) -> None:
        answer = wire("POST", path, content=content)
        assert answer.status_code == 422
        fault = answer.json()["detail"][0]
        assert fault["loc"] == place
        assert kind in (None, fault["type"])
        assert fault["msg"]

    def test_a_body_that_is_too_large_is_a_413(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(request_body, "MAX_BODY", 1000)
        body = {"task_id": "1", "response": "x" * 1000, "dataset": "validation"}
        assert wire("POST", "/evaluate-response/", json=body).status_code == 413

    @pytest.mark.parametrize("size", [request_body.MAX_BODY + 1, 10**15])
    def test_a_body_that_says_that_it_is_too_large_is_refused_unread(
        self, wire: Wire, size: int
    ) -> None:
        # Nothing of it is ever sent.
        assert wire.answer_to(f"content-length: {size}\r\n\r\n").startswith("HTTP/1.1 413 ")

    def test_a_body_of_the_largest_size_is_waited_for(self, wire: Wire) -> None:
        headers = f"content-length: {request_body.MAX_BODY}\r\nexpect: 100-continue\r\n\r\n"
        assert wire.answer_to(headers).startswith("HTTP/1.1 100 ")

    def test_a_body_without_an_end_is_refused_at_the_limit(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(request_body, "MAX_BODY", 1000)
        chunk = f"3e9\r\n{'x' * 1001}\r\n"
        answer = wire.answer_to(f"transfer-encoding: chunked\r\n\r\n{chunk}")
        assert answer.startswith("HTTP/1.1 413 ")

    def test_without_the_key_no_body_is_read(self, locked: Wire) -> None:
        answer = locked.answer_to(f"content-length: {request_body.MAX_BODY}\r\n\r\n")
        assert answer.startswith("HTTP/1.1 401 ")

    def test_the_largest_body_has_64_mebibytes(self) -> None:
        assert request_body.MAX_BODY == 64 * 1024 * 1024

    def test_further_fields_and_an_empty_response_are_accepted(self, wire: Wire) -> None:
        body = {"task_id": "1", "response": "", "dataset": "validation", "more": 1}
        answer = wire("POST", "/evaluate-response/", json=body)
        assert (answer.status_code, answer.json()) == (200, {"pass_percentage": 0.0})

    @pytest.mark.parametrize(
        "payload",
        [
            {"type": "artifact", "schema": "my-bench.artifact.v1", "data": "k"},
            {"type": "text", "schema": "my-bench", "data": "k"},
        ],
    )
    def test_a_payload_that_is_no_text_is_a_400(self, wire: Wire, payload: dict[str, str]) -> None:
        body = {"run_id": "r", "task_id": "1", "dataset": "validation", "payload": payload}
        answer = wire("POST", "/v1/evaluate", json=body)
        assert answer.status_code == 400
        assert "not accepted" in answer.json()["detail"]


class TestTasks:
    def test_the_task_list_is_in_order_and_holds_no_reference(self, wire: Wire) -> None:
        answer = wire("GET", "/v1/datasets/validation/tasks")
        assert CANARY not in answer.text
        listed = answer.json()
        assert listed["dataset"] == "validation"
        assert listed["dataset_version"]
        assert [task["id"] for task in listed["tasks"]] == ["1", "2", "3", "4"]
        assert listed["tasks"][0] == {"id": "1", "question": "1?", "timeout": 30}
        assert listed["tasks"][1]["timeout"] is None

    def test_no_answer_of_any_path_holds_a_reference(self, wire: Wire) -> None:
        ask = {"task_id": "1", "response": "x", "dataset": "validation"}
        payload = {"type": "text", "schema": "my-bench.text.v1", "data": "raise"}
        for method, path, body in (
            ("GET", "/version?dataset=validation", None),
            ("GET", "/verify-task-ids?dataset=validation", None),
            ("POST", "/evaluate-response/", ask),
            ("POST", "/evaluate-response/", {**ask, "response": "raise"}),
            ("POST", "/v1/evaluate", {**ask, "run_id": "r", "payload": payload}),
            ("POST", "/final-score/", {"evaluation_results": {"1": None}, **ask}),
        ):
            assert CANARY not in wire(method, path, json=body).text

    def test_an_unknown_dataset_is_a_404(self, wire: Wire) -> None:
        answer = wire("GET", "/v1/datasets/no%20such/tasks")
        assert (answer.status_code, answer.json()) == (
            404,
            {"detail": "Dataset not found: no such"},
        )

    def test_a_broken_dataset_is_named(self, wire: Wire) -> None:
        answer = wire("GET", "/v1/datasets/broken/tasks")
        assert answer.status_code == 500
        assert "broken.jsonl" in answer.json()["detail"]

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ("", ["1", "2", "3", "4"]),
            ("&task_ids=3&task_ids=1", ["3", "1"]),
            ("&slice=0:10:2", ["1", "3"]),
            ("&slice=-2:", ["3", "4"]),
            ("&slice=::-1", ["4", "3", "2", "1"]),
        ],
    )
    def test_task_ids_are_verified_or_sliced(self, wire: Wire, query: str, ids: list[str]) -> None:
        answer = wire("GET", f"/verify-task-ids?dataset=validation{query}")
        assert answer.json() == {"task_ids": ids}

    @pytest.mark.parametrize("text", ["1", "a:b", "0:1:0", "1:2:3:4"])
    def test_a_slice_that_is_none_is_a_400(self, wire: Wire, text: str) -> None:
        assert wire("GET", f"/verify-task-ids?slice={text}").status_code == 400

    def test_the_dataset_left_out_is_the_one_named_default(self, wire: Wire) -> None:
        assert wire("GET", "/verify-task-ids").json() == {"task_ids": ["d1"]}

    def test_without_one_named_default_it_is_the_configured_one(
        self, serve_app: ServeApp, folder: Path
    ) -> None:
        (folder / "default.json").unlink()
        wire = Wire(serve_app(make(folder, default_dataset="table")))
        assert wire("GET", "/verify-task-ids").json() == {"task_ids": ["c1"]}
        wire = Wire(serve_app(make(folder)))
        answer = wire("GET", "/verify-task-ids")
        assert (answer.status_code, answer.json()) == (
            404,
            {"detail": "Dataset not found: default"},
        )
        wire = Wire(serve_app(make(folder / "main.json")))
        assert len(wire("GET", "/verify-task-ids").json()["task_ids"]) == 4

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/verify-task-ids?task_ids=zzz", None),
            ("POST", "/evaluate-response/", {"task_id": "zzz", "response": ""}),
            ("POST", "/final-score/", {"evaluation_results": {"zzz": None}}),
            ("POST", "/v1/score", {"run_id": "r", "evaluation_results": {"zzz": None}}),
        ],
    )
    def test_an_unknown_task_is_a_400(
        self, wire: Wire, method: str, path: str, body: object
    ) -> None:
        answer = wire(method, path, json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": "Task ID not found: zzz"})

    async def test_v1_grading_tells_an_unknown_task_or_dataset_in_a_200(self, wire: Wire) -> None:
        async with BenchmarkServiceClient(wire.url) as client:
            task = await client.evaluate(v1_request("zzz"))
            dataset = await client.evaluate(v1_request(dataset="nothing"))
        assert (task.status, task.errors) == (EvalStatus.ERROR, ["Task ID not found: zzz"])
        assert dataset.errors == ["Dataset not found: nothing"]


class TestGrading:
    async def test_a_grader_that_raises_is_an_error_of_that_grade(self, wire: Wire) -> None:
        async with BenchmarkServiceClient(wire.url, retry=ONCE) as client:
            v1 = await client.evaluate(v1_request(data="raise"))
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate_response(task_id="d1", response="raise")
        line = source_line("raise ValueError(NO_SUCH_ANSWER)")
        said = f"ValueError: no such answer (test_app.py, line {line})"
        assert (v1.status, v1.errors) == (EvalStatus.ERROR, [said])
        assert (v1.run_id, v1.task_id, v1.result) == ("r1", "1", None)
        assert caught.value.status_code == 500
        assert caught.value.detail == said

    async def test_a_fault_in_a_library_is_told_by_the_graders_own_line(self, folder: Path) -> None:
        def grader(task: Row, response: str) -> object:
            return json.loads(response)

        for written in (grader, functools.partial(grader)):
            async with local_client(make(folder, written)) as client:
                answer = await client.evaluate(v1_request(data="{"))
            line = source_line("return json.loads(response)")
            assert answer.errors[0].startswith("JSONDecodeError: ")
            assert answer.errors[0].endswith(f" (test_app.py, line {line})")

    async def test_a_fault_of_a_grader_without_a_file_is_told_without_a_line(
        self, folder: Path
    ) -> None:
        async with local_client(make(folder, operator.getitem)) as client:
            answer = await client.evaluate(v1_request(data="nokey"))
        assert answer.errors == ["KeyError: 'nokey'"]

    @pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit, BaseException])
    async def test_nothing_that_a_grader_raises_ends_the_server(
        self, serve_app: ServeApp, folder: Path, fault: type[BaseException]
    ) -> None:
        def plain(task: Row, response: str) -> Never:
            raise fault("x")

        async def on_the_loop(task: Row, response: str) -> Never:
            raise fault("x")

        for grader in (plain, on_the_loop):
            wire = Wire(serve_app(make(folder, grader)))
            async with BenchmarkServiceClient(wire.url, retry=ONCE) as client:
                v1 = await client.evaluate(v1_request())
                with pytest.raises(ServiceUnavailableError) as caught:
                    await client.evaluate_response(task_id="d1", response="")
                await client.health()
            assert fault.__name__ in v1.errors[0]
            assert fault.__name__ in (caught.value.detail or "")
            async with local_client(make(folder, grader)) as client:
                assert fault.__name__ in (await client.evaluate(v1_request())).errors[0]

    @pytest.mark.parametrize(
        "fault", [StopIteration("x"), SystemExit(3), asyncio.CancelledError(), TimeoutError()]
    )
    async def test_no_exception_of_a_grader_escapes(
        self, folder: Path, fault: BaseException
    ) -> None:
        def grader(task: Row, response: str) -> Never:
            raise fault

        async with local_client(make(folder, grader), timeout=10) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.ERROR
        assert type(fault).__name__ in answer.errors[0]

    @pytest.mark.parametrize(
        "result", [{1, 2}, object(), float("nan"), {"a": [float("inf")]}, {1: 2}, "\ud800"]
    )
    async def test_a_result_that_is_no_json_is_an_error(self, folder: Path, result: object) -> None:
        async with local_client(make(folder, lambda task, response: result)) as client:
            answer = await client.evaluate(v1_request())
        assert answer.status is EvalStatus.ERROR
        assert answer.errors[0].startswith("TypeError: the grader returned")

    async def test_a_slow_plain_grader_does_not_block_the_service(self, folder: Path) -> None:
        release = threading.Event()

        def grader(task: Row, response: str) -> bool:
            return release.wait(10)

        async with local_client(make(folder, grader)) as client:
            grading = asyncio.create_task(client.evaluate(v1_request()))
            await client.health()
            assert not grading.done()
            release.set()
            assert (await grading).result is True

    async def test_a_grader_that_hangs_ends_at_the_time_out(self, folder: Path) -> None:
        release = threading.Event()
        async with local_client(make(folder, lambda *_: release.wait(10)), timeout=0.1) as client:
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate(v1_request())
        release.set()
        assert "no answer within 0.1 s" in caught.value.message

    async def test_a_coroutine_grader_is_awaited_on_the_loop(self, folder: Path) -> None:
        loop = asyncio.get_running_loop()

        async def grader(task: Row, response: str) -> bool:
            await asyncio.sleep(0)
            return asyncio.get_running_loop() is loop

        class WithState:
            __call__ = staticmethod(grader)

        for written in (
            grader,
            functools.partial(grader),
            lambda task, response: grader(task, response),  # noqa: PLW0108 (a plain function)
            WithState(),
        ):
            async with local_client(make(folder, written)) as client:
                assert (await client.evaluate(v1_request())).result is True

    async def test_a_grader_that_changes_the_task_changes_only_its_copy(self, folder: Path) -> None:
        def grader(task: Row, response: str) -> dict[str, object]:
            return {"popped": task.pop("answer")}

        async with local_client(make(folder, grader)) as client:
            first = await client.evaluate(v1_request())
            assert await client.evaluate(v1_request()) == first
        assert first.result == {"popped": f"{CANARY}-1"}

    async def test_the_same_task_of_a_run_is_graded_once_at_a_time(self, folder: Path) -> None:
        started, release = asyncio.Event(), asyncio.Event()

        async def grader(task: Row, response: str) -> int:
            started.set()
            await release.wait()
            return 1

        async with local_client(make(folder, grader)) as client:
            first = asyncio.create_task(client.evaluate(v1_request()))
            await started.wait()
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate(v1_request())
            other = asyncio.create_task(client.evaluate(v1_request(run_id="r2")))
            release.set()
            assert (await first).result == (await other).result == 1
        assert caught.value.status_code == 409


RESULTS: dict[str, object] = {
    "1": {"status": "evaluated", "result": {"pass_percentage": 1.0}},
    "2": {"status": "evaluated", "result": 0.5},
    "3": {"status": "did_not_complete", "result": {"pass_percentage": 1.0}},
    "4": None,
}


class TestScoring:
    async def test_the_score_is_the_mean_over_what_is_submitted(self, wire: Wire) -> None:
        v1_body = V1ScoreRequest(run_id="r1", dataset="validation", evaluation_results=RESULTS)
        async with BenchmarkServiceClient(wire.url) as client:
            legacy = await client.final_score(RESULTS, "validation")
            v1 = await client.score(v1_body)
            part = await client.final_score({"1": RESULTS["1"]}, "validation")
            none = await client.final_score({}, "validation")
        assert legacy.final_score == v1.final_score == 0.375
        assert legacy.tasks_evaluated == ["1", "2", "3", "4"]
        assert legacy.metadata == {
            "submitted": 4,
            "evaluated": 2,
            "counted_as_zero": 2,
            "tasks_in_dataset": 4,
        }
        assert v1.run_id == "r1"
        assert (part.final_score, none.final_score) == (1.0, 0.0)

    async def test_the_legacy_path_takes_bare_results_too(self, wire: Wire) -> None:
        async with BenchmarkServiceClient(wire.url) as client:
            score = await client.final_score({"1": {"pass_percentage": 0.5}}, "validation")
        assert score.final_score == 0.5

    async def test_the_authors_task_score_counts(self, folder: Path) -> None:
        service = make(folder, task_score=lambda result: 7.0 if result == "good" else None)
        results = {
            "1": {"status": "evaluated", "result": "good"},
            "2": {"status": "evaluated", "result": "unknown"},
        }
        async with local_client(service) as client:
            assert (await client.final_score(results, "validation")).final_score == 3.5

    async def test_a_task_score_that_raises_is_told(self, folder: Path) -> None:
        service = make(folder, task_score=lambda result: result["missing"])
        async with local_client(service) as client:
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.final_score({"1": {"status": "evaluated", "result": {}}}, "validation")
        assert "KeyError: 'missing'" in caught.value.message


class TestVersions:
    async def versions(self, folder: Path, grader: Grader = exact_match) -> tuple[str, str]:
        async with local_client(make(folder, grader)) as client:
            version = await client.version("validation")
            assert version.service_version
            grade = await client.evaluate(v1_request())
            assert grade.evaluator_version == version.service_version
        return version.dataset_version, version.service_version

    async def test_a_corrected_reference_is_another_evaluator_of_the_same_dataset(
        self, folder: Path
    ) -> None:
        dataset, evaluator = await self.versions(folder)
        assert await self.versions(folder) == (dataset, evaluator)
        content = json.loads((folder / "main.json").read_text())
        content["tests"][0]["answer"] = "corrected"
        write(folder / "main.json", content)
        assert (await self.versions(folder))[0] == dataset
        assert (await self.versions(folder))[1] != evaluator
        content["tests"][0]["question"] = "changed"
        write(folder / "main.json", content)
        assert (await self.versions(folder))[0] != dataset

    async def test_another_graders_source_is_another_evaluator(
        self, folder: Path, tmp_path: Path
    ) -> None:
        versions: list[tuple[str, str]] = []
        for body in ("return 1", "return 2"):
            source = tmp_path / f"grader{len(versions)}.py"
            source.write_text(f"def grade(task, response):\n    {body}\n")
            namespace: dict[str, object] = {"__name__": source.stem}
            exec(compile(source.read_text(), source, "exec"), namespace)
            versions.append(await self.versions(folder, namespace["grade"]))
        assert versions[0][0] == versions[1][0]
        assert versions[0][1] != versions[1][1]


class TestInProcess:
    async def test_messages_name_the_local_service_instead_of_a_url(self, folder: Path) -> None:
        async with local_client(make(folder, key=KEY)) as client:
            assert client.local
            with pytest.raises(NotFoundError) as missing:
                await client.list_tasks("nothing")
            with pytest.raises(RejectedRequestError) as unknown:
                await client.evaluate_response(task_id="zzz", response="", dataset="table")
        assert missing.value.message == (
            "could not list the tasks of dataset 'nothing' with the local service: "
            "HTTP 404: Dataset not found: nothing"
        )
        assert "http://" not in unknown.value.message

    async def test_a_failing_grader_is_asked_once(self, folder: Path) -> None:
        calls: list[str] = []

        def grader(task: Row, response: str) -> Never:
            calls.append(response)
            raise ValueError("no")

        async with local_client(make(folder, grader)) as client:
            with pytest.raises(ServiceUnavailableError) as caught:
                await client.evaluate_response(task_id="d1", response="x")
        assert calls == ["x"]
        assert "ValueError: no" in caught.value.message


SERVE = """
import sys
from pathlib import Path
from benchmark_runner.local.datasets import LocalDatasets
from benchmark_runner.local.server import serve
from benchmark_runner.local.app import LocalService

datasets = LocalDatasets(Path(sys.argv[1]), evaluator_fields=frozenset({"answer"}))
service = LocalService("my-bench", datasets, lambda task, response: 1)
print("ended by", serve(service, "127.0.0.1", 0, lambda url: print(url, flush=True)))
"""


class TestServe:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_it_says_where_it_listens_and_leaves_cleanly_at_a_signal(
        self, folder: Path, number: int
    ) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", SERVE, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as process:
            url = process.stdout.readline().strip()
            assert httpx.get(f"{url}/health").json() == {"status": "ok"}
            process.send_signal(number)
            output, errors = process.communicate(timeout=10)
        assert process.returncode == 0
        assert output == f"ended by {int(number)}\n"
        assert errors == ""

    @pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
    def test_a_place_where_it_can_not_listen_is_told(self, folder: Path, host: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(UsageError) as caught:
                serve(make(folder), host, port)
        assert f"{host} port {port}" in caught.value.message
        assert "--port" in (caught.value.hint or "")
