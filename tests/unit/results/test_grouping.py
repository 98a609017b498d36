from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._run.open import open_run
from benchmark_runner._run.request import RunRequest
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import DatasetError, UsageError
from benchmark_runner.local import local_client
from benchmark_runner.local.app import LocalService
from benchmark_runner.local.datasets import LocalDatasets
from benchmark_runner.results.grouping import field_value, group_name, load_task_fields
from benchmark_runner.results.run_view import open_view
from benchmark_runner.schemas import Task
from tests.fakes import FakeRunner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmark_runner._run.task_source import TaskSource
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.results.grouping import TaskFields

pytestmark = pytest.mark.anyio

ROWS: list[dict[str, Any]] = [
    {"id": "b", "question": "?", "answer": "canary", "topic": "sums", "meta": {"level": 1}},
    {"id": "a", "question": "?", "answer": "canary", "topic": "names", "meta": {"level": 2}},
    {"id": "c", "question": "?", "answer": "canary", "topic": "sums", "meta.level": 3},
]


class Topical(Task):
    topic: str = "other"
    weight: float = 1.0


class TopicalRunner(FakeRunner):
    TASK_MODEL = Topical


class Bench:
    """A run, and the dataset that it was started with."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "letters.json"
        self.results = folder / "results"
        self.connected = 0
        self.write(ROWS)

    def write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.file.write_text(json.dumps({"dataset_name": "letters", "tests": rows}))

    async def connect(self, runner: BenchmarkRunner, _source: TaskSource) -> BenchmarkServiceClient:
        self.connected += 1
        datasets = LocalDatasets(self.file.parent, evaluator_fields=runner.EVALUATOR_FIELDS)
        return local_client(LocalService("sample", datasets, lambda _task, _response: 1.0))

    async def start(self, **request: Any) -> None:
        source = {"dataset_file": self.file} if not request.keys() & {"dataset_name"} else {}
        asked = RunRequest(model="m", **{**source, **request})
        runner = TopicalRunner()
        artifacts = RunArtifacts(self.results, "r1")
        (await open_run(runner, artifacts, asked, self.connect)).freeze("run", {})
        await runner.aclose()
        self.connected = 0

    async def fields(self, *names: str) -> TaskFields:
        view = open_view(self.results, "r1", TopicalRunner())
        try:
            return await load_task_fields(view, names, self.connect)
        finally:
            await view.runner.aclose()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestLoading:
    async def test_file_is_read_again(self, bench: Bench) -> None:
        """The fields of a file are read from it again."""
        await bench.start()

        fields = await bench.fields("topic", "meta.level")

        assert fields.values == {
            "topic": {"b": "sums", "a": "names", "c": "sums"},
            "meta.level": {"b": 1, "a": 2, "c": 3},
        }
        assert fields.group_of("topic") == {"b": "sums", "a": "names", "c": "sums"}
        assert (fields.changed, bench.connected) == ([], 0)

    async def test_service_is_asked(self, bench: Bench) -> None:
        """The fields of a service are read from its task list."""
        await bench.start(dataset_name="letters")

        fields = await bench.fields("topic")

        assert fields.values == {"topic": {"b": "sums", "a": "names", "c": "sums"}}
        assert bench.connected == 1

    async def test_only_the_runs_own_tasks_count(self, bench: Bench) -> None:
        """Only the tasks of the run count."""
        await bench.start(limit=2)
        bench.write([*ROWS, {"id": "d", "question": "?", "topic": "new"}])

        assert (await bench.fields("topic")).values == {"topic": {"b": "sums", "a": "names"}}

    async def test_changed_tasks_are_listed(self, bench: Bench) -> None:
        """Tasks that have changed are listed."""
        await bench.start()
        bench.write([{**ROWS[0], "topic": "other"}, *ROWS[1:]])

        fields = await bench.fields("topic")

        assert (fields.values["topic"]["b"], fields.changed) == ("other", ["b"])

    async def test_evaluator_field_is_no_field(self, bench: Bench) -> None:
        """An evaluator field can't be used, and its values are not shown."""
        await bench.start()

        with pytest.raises(UsageError, match="has a field 'answer'") as caught:
            await bench.fields("answer")

        assert "canary" not in str(caught.value)

    async def test_unknown_field_lists_the_known(self, bench: Bench) -> None:
        """An unknown field is refused with the known ones."""
        await bench.start()

        with pytest.raises(UsageError, match="no task of run 'r1' has a field 'topik'") as caught:
            await bench.fields("topik")

        assert caught.value.hint == (
            "Did you mean topic? Their fields are: meta.level, topic, weight."
        )

    async def test_missing_dataset_is_named(self, bench: Bench) -> None:
        """A dataset that does not exist any more is named."""
        await bench.start()
        bench.file.unlink()

        with pytest.raises(DatasetError, match=r"letters\.json: no such file"):
            await bench.fields("topic")

    async def test_missing_tasks_are_named(self, bench: Bench) -> None:
        """Tasks that do not exist any more are named."""
        await bench.start()
        bench.write(ROWS[:1])

        with pytest.raises(DatasetError, match=r"no longer has 2 tasks of .*: a, c") as caught:
            await bench.fields("topic")

        assert "Restore the dataset" in (caught.value.hint or "")

    async def test_problem_has_no_fields(self, bench: Bench, tmp_path: Path) -> None:
        """A run of problems has no fields."""
        (tmp_path / "problem.txt").write_text("why?")
        await bench.start(dataset_file=None, problem=tmp_path / "problem.txt", task_ids=["t1"])

        with pytest.raises(UsageError, match="--problem") as caught:
            await bench.fields("topic")

        assert "Leave out the field" in (caught.value.hint or "")


class TestAField:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("kind", "x"),
            ("meta", {"a": {"b": [1]}}),
            ("meta.a", {"b": [1]}),
            ("meta.a.b", [1]),
            ("meta.a.b.c", None),
            ("meta.z", None),
            ("kind.z", None),
            ("with.dot", "whole"),
            ("missing", None),
        ],
    )
    def test_dots_lead_into_nested_fields(self, name: str, value: object) -> None:
        """Dots lead into nested fields."""
        extra = {"kind": "x", "meta": {"a": {"b": [1]}}, "with.dot": "whole", "with": {"dot": 0}}
        task = Task.model_validate({"id": "t1", "question": "?", **extra})

        assert field_value(task, name) == value

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            ("x", "x"),
            (None, "(none)"),
            (True, "true"),
            (1.5, "1.5"),
            (["é", 2], '["é", 2]'),
            ({"b": 1, "a": 2}, '{"a": 2, "b": 1}'),
        ],
    )
    def test_each_value_has_a_name_as_a_group(self, value: Any, name: str) -> None:
        """Each value has a name as a group."""
        assert group_name(value) == name
