from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.errors import DatasetError
from benchmark_runner.local import local_client
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.datasets import LocalDatasets
from tests.unit.local.sample_service import CANARY, datasets, v1_request, write

if TYPE_CHECKING:
    from pathlib import Path

    Row = dict[str, object]

pytestmark = pytest.mark.anyio


class TestDatasets:
    def test_dataset_is_found_by_name_or_stem(self, folder: Path) -> None:
        """A dataset is found by its declared name, or else by its file's stem."""
        found = datasets(folder)
        assert list(found.get("validation").rows) == ["1", "2", "3", "4"]
        assert list(found.get("table").rows) == ["c1"]
        assert found.get("main") is None
        assert found.get("nothing") is None

    def test_file_is_read_once_when_needed(self, folder: Path) -> None:
        """A file is read once, when it is needed; a removed one is not found."""
        found = datasets(folder)
        table = found.get("table")
        (folder / "table.csv").unlink()
        assert found.get("table") is None
        write(folder / "table.csv", "changed")
        assert found.get("table") is table

    def test_broken_file_is_reported_when_used(self, folder: Path) -> None:
        """A broken file is reported when its dataset is asked for."""
        with pytest.raises(DatasetError) as caught:
            datasets(folder).get("broken")
        assert "broken.jsonl" in caught.value.message

    def test_two_files_of_one_name_are_refused(self, folder: Path) -> None:
        """Two files of one dataset name are refused."""
        write(folder / "other.json", {"dataset_name": "validation", "tests": [{"id": "x"}]})
        with pytest.raises(DatasetError) as caught:
            datasets(folder).get("validation")
        assert "main.json and other.json" in caught.value.message

    def test_a_single_file_is_served_under_its_name(self, folder: Path) -> None:
        """A single file is served under its name."""
        found = datasets(folder / "main.json")
        assert found.only() is found.get("validation")
        assert found.get("table") is None

    async def test_rows_in_memory_are_a_dataset(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Rows given in memory are a dataset of the given name."""
        monkeypatch.chdir(folder.parent)  # a folder of the dataset's name is not looked into
        rows = [{"id": 7, "question": "?", "answer": CANARY}, {"id": "8", "question": "?"}]
        found = LocalDatasets.from_rows(folder.name, rows, evaluator_fields=frozenset({"answer"}))
        assert found.get("validation") is None
        assert found.get(folder.name) is found.only()
        service = LocalService("my-bench", found, lambda task, response: {"score": 1, **task})
        async with local_client(service) as client:
            listed = await client.list_tasks(folder.name)
            answer = await client.evaluate(v1_request("7", dataset=folder.name))
        assert [task["id"] for task in listed.tasks] == ["7", "8"]
        assert all("answer" not in task for task in listed.tasks)
        assert answer.result == {"score": 1, **rows[0], "id": "7"}
        assert rows[0]["id"] == 7

    @pytest.mark.parametrize("rows", [[{"question": "?"}], [{"id": "1"}, {"id": 1}]])
    def test_rows_need_unique_ids(self, rows: list[Row]) -> None:
        """Rows without an id, or with a repeated one, are refused."""
        with pytest.raises(DatasetError) as caught:
            LocalDatasets.from_rows("mine", rows, evaluator_fields=frozenset())
        assert f"'mine', task {len(rows)}" in caught.value.message

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        """A missing file is named."""
        with pytest.raises(DatasetError) as caught:
            datasets(tmp_path / "gone.json").only()
        assert "gone.json" in caught.value.message
