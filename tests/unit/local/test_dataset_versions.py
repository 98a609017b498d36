from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.errors import DatasetError
from tests.unit.local.sample_service import Wire, datasets, make, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from starlette.types import ASGIApp

    ServeApp = Callable[[ASGIApp], str]

HEADER = "x-benchmark-dataset-version"
PAYLOAD = {"type": "text", "schema": "my-bench.text.v1", "data": "yes"}
#: Every request that a version counts for; task 2 is only in version 1.2.
PINNED = (
    ("GET", "/verify-task-ids?dataset=qa&task_ids=2", None),
    ("GET", "/v1/datasets/qa/tasks", None),
    ("GET", "/v1/datasets/qa/tasks/2/inputs", None),
    ("POST", "/evaluate-response/", {"task_id": "2", "response": "yes", "dataset": "qa"}),
    ("POST", "/final-score/", {"evaluation_results": {"2": None}, "dataset": "qa"}),
    ("POST", "/v1/score", {"run_id": "r", "evaluation_results": {"2": None}, "dataset": "qa"}),
    ("POST", "/v1/evaluate", {"run_id": "r", "task_id": "2", "dataset": "qa", "payload": PAYLOAD}),
)


def write_versions(folder: Path, *names: str) -> None:
    for name in names:
        ids = ["1", "2"] if "@" in name else ["1"]
        rows = [{"id": task_id, "question": "?", "answer": "yes"} for task_id in ids]
        write(folder / f"{name}.json", rows)


@pytest.fixture
def wire(serve_app: ServeApp, tmp_path: Path) -> Wire:
    write_versions(tmp_path, "qa", "qa@1.2")
    write(tmp_path / "plain.json", [{"id": "1", "question": "?", "answer": "yes"}])
    return Wire(serve_app(make(tmp_path)))


def resolve(wire: Wire, version: str | None = None, dataset: str = "qa") -> dict[str, str | None]:
    answer = wire("POST", "/resolve-dataset", json={"dataset": dataset, "version": version})
    assert answer.status_code == 200
    assert answer.json()["dataset"] == dataset
    return answer.json()["version"]


class TestFiles:
    def test_file_without_a_version_is_the_default(self, tmp_path: Path) -> None:
        """The file without a version in its name comes first, then the highest version."""
        write_versions(tmp_path, "qa@1.2", "qa@1.10", "qa@1.10.0-rc1", "qa@v0.9", "qa")
        labels = [dataset.label for dataset in datasets(tmp_path).versions("qa")]
        assert labels == [None, "1.10", "1.10.0-rc1", "1.2", "v0.9"]

    def test_highest_version_is_the_default_else(self, tmp_path: Path) -> None:
        """Without such a file the highest version is the default."""
        write_versions(tmp_path, "qa@1.2", "qa@1.10")
        found = datasets(tmp_path)
        assert found.only().label == "1.10"
        assert found.get("qa") is found.only()
        assert found.get("qa@1.2") is None

    def test_file_may_declare_its_version(self, tmp_path: Path) -> None:
        """A file's dataset_version is its label; that of its name counts more."""
        tests = {"tests": [{"id": "1", "question": "?"}]}
        write(tmp_path / "qa.json", {"dataset_version": "2.0", **tests})
        write(tmp_path / "qa@1.2.json", {"dataset_version": 3, "dataset_name": "qa", **tests})
        assert [dataset.label for dataset in datasets(tmp_path).versions("qa")] == ["2.0", "1.2"]

    @pytest.mark.parametrize(
        "names", [("qa@1.2.json", "qa@1.2.jsonl"), ("qa.json", "qa.jsonl"), ("a.json", "b.json")]
    )
    def test_one_version_in_two_files_is_refused(
        self, tmp_path: Path, names: tuple[str, str]
    ) -> None:
        """Two files of one dataset and version are an error that names both."""
        for name in names:
            content: object = {"id": "1", "question": "?"}
            if name.endswith(".json"):
                content = {"dataset_name": "qa", "tests": [content]}
            write(tmp_path / name, content)
        with pytest.raises(DatasetError) as caught:
            datasets(tmp_path).versions("qa")
        assert " and ".join(names) in caught.value.message

    def test_other_names_with_an_at_are_names(self, tmp_path: Path) -> None:
        """Text after an @ that is no version belongs to the name."""
        write_versions(tmp_path, "team@home")
        assert datasets(tmp_path).get("team@home").label is None


class TestResolution:
    def test_versions_are_resolved(self, wire: Wire) -> None:
        """A label and an id name a version; without one the default is resolved."""
        default, labelled = resolve(wire), resolve(wire, "1.2")
        assert (default["label"], labelled["label"]) == (None, "1.2")
        assert default["id"] != labelled["id"]
        for version in (default, labelled):
            assert resolve(wire, version["id"]) == version

    def test_version_tells_of_selection(self, wire: Wire) -> None:
        """The version request says where versions can be selected."""
        said = {
            name: wire("GET", f"/version?dataset={name}").json()["dataset_version_selection"]
            for name in ("qa", "plain", "none")
        }
        assert said == {"qa": True, "plain": False, "none": False}

    @pytest.mark.parametrize(
        ("body", "headers", "status"),
        [
            ({"dataset": "qa", "version": "1.3"}, {}, 404),
            ({"dataset": "none"}, {}, 404),
            ({"dataset": "qa"}, {HEADER: "1"}, 400),
            ({"dataset": "qa", "version": "x" * 1025}, {}, 422),
            ({}, {}, 422),
        ],
    )
    def test_bad_resolution_is_refused(
        self, wire: Wire, body: object, headers: dict[str, str], status: int
    ) -> None:
        """An unknown or overlong version, an unknown dataset and the header are refused."""
        answer = wire("POST", "/resolve-dataset", json=body, headers=headers)
        assert answer.status_code == status


class TestPinnedRequests:
    @pytest.mark.parametrize(("method", "path", "body"), PINNED)
    def test_version_is_used_and_echoed(
        self, wire: Wire, method: str, path: str, body: object
    ) -> None:
        """A request about a version is answered from that, with its header."""
        version = resolve(wire, "1.2")["id"]
        answer = wire(method, path, json=body, headers={HEADER: version})
        assert (answer.status_code, answer.headers.get_list(HEADER)) == (200, [version])
        assert "Task ID not found" not in answer.text
        default = wire(method, path, json=body)
        assert HEADER not in default.headers
        if path != "/v1/datasets/qa/tasks":
            assert "not found: 2" in default.text

    @pytest.mark.parametrize(("method", "path", "body"), PINNED)
    def test_unknown_version_is_a_404(
        self, wire: Wire, method: str, path: str, body: object
    ) -> None:
        """An unknown version is a 404, also where an unknown task is not."""
        answer = wire(method, path, json=body, headers={HEADER: "other"})
        assert answer.status_code == 404
        assert answer.json() == {"detail": "Dataset version not found: qa other"}
        assert HEADER not in answer.headers

    def test_task_list_names_the_label(self, wire: Wire) -> None:
        """The dataset_version of the task list is the label, where there is one."""
        version = resolve(wire, "1.2")["id"]
        listed = wire("GET", "/v1/datasets/qa/tasks", headers={HEADER: version}).json()
        assert (listed["dataset_version"], len(listed["tasks"])) == ("1.2", 2)

    def test_upload_is_of_the_version(self, tmp_path: Path, serve_app: ServeApp) -> None:
        """An upload is for a task of the version that is named, and its address echoes that."""
        write_versions(tmp_path, "qa", "qa@1.2")
        wire = Wire(serve_app(make(tmp_path, payload_type="artifact")))
        version = resolve(wire, "1.2")["id"]
        asked = {"run_id": "r", "task_id": "2", "dataset": "qa", "filename": "f"}
        path = "/v1/submissions/upload-url"
        answer = wire("POST", path, json=asked, headers={HEADER: version})
        assert (answer.status_code, answer.headers.get_list(HEADER)) == (200, [version])
        assert wire("POST", path, json=asked).status_code == 400

    def test_doubled_header_is_a_400(self, wire: Wire) -> None:
        """Two versions in one request are a 400."""
        version = resolve(wire)["id"]
        twice = [(HEADER, version), (HEADER, version)]
        assert wire("GET", "/verify-task-ids?dataset=qa", headers=twice).status_code == 400

    def test_changed_file_is_another_version(self, tmp_path: Path, serve_app: ServeApp) -> None:
        """The id is that of the content: a changed question has another, a reference not."""
        write_versions(tmp_path, "qa@1.2")
        file, ids = tmp_path / "qa@1.2.json", []
        for field in (None, "answer", "question"):
            rows = json.loads(file.read_text())
            if field:
                rows[0][field] = "changed"
            write(file, rows)
            ids.append(resolve(Wire(serve_app(make(tmp_path))))["id"])
        assert ids[0] == ids[1] != ids[2]

    def test_service_version_is_of_one_version(self, wire: Wire, tmp_path: Path) -> None:
        """The service's own version is that of the references of the version asked about."""
        asked = [None, resolve(wire, "1.2")["id"], "other"]
        params = [{"dataset": "qa"} | ({"version": each} if each else {}) for each in asked]
        answers = [wire("GET", "/version", params=each).json() for each in params]
        default, pinned, unknown = (answer["service_version"] for answer in answers)
        assert default == unknown != pinned
