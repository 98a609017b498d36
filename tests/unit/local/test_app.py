from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Never

import pytest

from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client
from benchmark_runner.errors import (
    AuthenticationError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    ServiceUnavailableError,
    UsageError,
)
from benchmark_runner.local import local_client
from benchmark_runner.schemas import EvalStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    from benchmark_runner.local.grader import Grader

    Row = dict[str, object]
    ServeApp = Callable[[ASGIApp], str]
from tests.unit.local.sample_service import (
    BEARER_ON_V1,
    CANARY,
    KEY,
    ONCE,
    Wire,
    exact_match,
    make,
    v1_request,
    write,
)

pytestmark = pytest.mark.anyio


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
