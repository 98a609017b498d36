from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Never

import pytest

from benchmark_runner.client.service_client import BenchmarkServiceClient, build_client
from benchmark_runner.errors import (
    AuthenticationError,
    GraderError,
    NotFoundError,
    PermissionDeniedError,
    RejectedRequestError,
    UsageError,
)
from benchmark_runner.local import local_client
from benchmark_runner.schemas import EvalStatus
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    from benchmark_runner.local.grader import Grader

    Row = dict[str, object]
    ServeApp = Callable[[ASGIApp], str]

pytestmark = pytest.mark.anyio


class TestOpenPaths:
    def test_health_and_version_need_no_key(self, locked: Wire) -> None:
        """Health and version need no key."""
        assert locked("GET", "/health").json() == {"status": "ok"}
        version = locked("GET", "/version?dataset=validation").json()
        assert version["service_name"] == "my-bench (local)"
        assert version["eval_mode"] == "local"
        assert version["service_version"]
        assert version["dataset_version"]
        assert version["dataset_version_selection"] is False

    def test_the_version_of_an_unknown_dataset_is_null(self, wire: Wire) -> None:
        """The version of an unknown dataset is null."""
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
    def test_other_paths_need_the_key(
        self, locked: Wire, headers: dict[str, str], method: str, path: str
    ) -> None:
        """Without the right key every other path is a 401, before its body is read."""
        answer = locked(method, path, headers=headers, content=b"{malformed")
        assert answer.status_code == 401
        assert answer.json() == {"detail": "Unauthorized"}

    def test_bearer_key_opens_legacy_paths_only(self, locked: Wire) -> None:
        """A bearer key opens only the legacy paths."""
        bearer = {"authorization": f"bearer {KEY}"}
        assert locked("GET", "/verify-task-ids", headers=bearer).status_code == 200
        for path in ("/v1/evaluate", "/v1/score", "/v1/datasets/validation/tasks", "/v1/none"):
            answer = locked("POST", path, headers=bearer)
            assert answer.status_code == 403
            assert answer.json() == {"detail": BEARER_ON_V1}

    async def test_right_key_evaluates_by_both_apis(
        self, locked: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With the right key both APIs evaluate."""
        monkeypatch.delenv("BENCHMARK_API_KEY", raising=False)
        monkeypatch.setenv("VALS_AUTH_KEY", KEY)
        async with build_client(locked.url, retry=ONCE) as client:
            legacy = await client.evaluate_response(
                task_id="1", response=f"{CANARY}-1", dataset="validation"
            )
            v1 = await client.evaluate(v1_request(data="wrong"))
        assert legacy == {"pass_percentage": 1.0}
        assert (v1.status, v1.result) == (EvalStatus.EVALUATED, {"pass_percentage": 0.0})

    async def test_wrong_and_bearer_keys_differ(
        self, locked: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client tells a wrong key from a bearer key on v1."""
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
    def test_keys_are_compared_in_constant_time(
        self, locked: Wire, monkeypatch: pytest.MonkeyPatch, sent: str
    ) -> None:
        """Keys are compared completely and in constant time."""
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
    def test_unsendable_key_is_refused(self, folder: Path, key: str) -> None:
        """A key that no header can hold is a usage error."""
        with pytest.raises(UsageError) as caught:
            make(folder, key=key)
        assert "--key" in (caught.value.hint or "")


class TestTasks:
    def test_task_list_keeps_order_without_references(self, wire: Wire) -> None:
        """The task list keeps the order and holds no reference."""
        answer = wire("GET", "/v1/datasets/validation/tasks")
        assert CANARY not in answer.text
        listed = answer.json()
        assert listed["dataset"] == "validation"
        assert listed["dataset_version"]
        assert [task["id"] for task in listed["tasks"]] == ["1", "2", "3", "4"]
        assert listed["tasks"][0] == {"id": "1", "question": "1?", "timeout": 30}
        assert listed["tasks"][1]["timeout"] is None

    def test_no_answer_holds_a_reference(self, wire: Wire) -> None:
        """No answer of any path holds a reference."""
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
        """An unknown dataset is a 404."""
        answer = wire("GET", "/v1/datasets/no%20such/tasks")
        assert (answer.status_code, answer.json()) == (
            404,
            {"detail": "Dataset not found: no such"},
        )

    def test_broken_dataset_is_a_500(self, wire: Wire) -> None:
        """A broken dataset is a 500 that names its file."""
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
        """Task ids are verified or cut by a slice."""
        answer = wire("GET", f"/verify-task-ids?dataset=validation{query}")
        assert answer.json() == {"task_ids": ids}

    @pytest.mark.parametrize("text", ["1", "a:b", "0:1:0", "1:2:3:4"])
    def test_invalid_slice_is_a_400(self, wire: Wire, text: str) -> None:
        """A slice that is invalid is a 400."""
        assert wire("GET", f"/verify-task-ids?slice={text}").status_code == 400

    def test_default_dataset_is_named_default(self, wire: Wire) -> None:
        """Without a dataset name the one named default is used."""
        assert wire("GET", "/verify-task-ids").json() == {"task_ids": ["d1"]}

    def test_configured_dataset_is_the_default(self, serve_app: ServeApp, folder: Path) -> None:
        """Without one named default the configured or only dataset is used."""
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
        """An unknown task is a 400."""
        answer = wire(method, path, json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": "Task ID not found: zzz"})

    async def test_v1_reports_unknown_names_in_a_200(self, wire: Wire) -> None:
        """A v1 evaluation reports an unknown task or dataset in a 200."""
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

    async def test_reference_change_is_another_evaluator(self, folder: Path) -> None:
        """A corrected reference changes the evaluator's version, not the dataset's."""
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

    async def test_grader_source_is_in_the_version(self, folder: Path, tmp_path: Path) -> None:
        """Another source of the grader changes the evaluator's version."""
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
    async def test_messages_name_the_local_service(self, folder: Path) -> None:
        """Messages name the local service instead of a URL."""
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

    async def test_failing_grader_is_called_once(self, folder: Path) -> None:
        """A grader that fails is called once; its error is not retried."""
        calls: list[str] = []

        def grader(task: Row, response: str) -> Never:
            calls.append(response)
            raise ValueError("no")

        async with local_client(make(folder, grader)) as client:
            with pytest.raises(GraderError) as caught:
                await client.evaluate_response(task_id="d1", response="x")
        assert calls == ["x"]
        assert "ValueError: no" in caught.value.message
