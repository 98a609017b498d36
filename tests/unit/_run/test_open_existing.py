"""A run is opened to evaluate or score it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.errors import DatasetError, RunIdentityError, UsageError
from tests.unit._run.sessions import CANARY, ROWS, Bench, Keyed, Options

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestGrading:
    async def test_a_run_that_is_not_there_is_named(self, bench: Bench) -> None:
        with pytest.raises(UsageError) as caught:
            await bench.open_graded()
        assert "'r1'" in caught.value.message
        assert str(bench.results) in caught.value.message

    async def test_all_of_its_tasks_are_chosen(self, bench: Bench) -> None:
        await bench.start(task_ids=["a"], options=["depth=2"])
        session = await bench.open_graded()
        assert session.chosen == ["b", "a", "c"]
        assert session.runner.options == Options(depth=2)
        assert session.runner.run_id == "r1"
        assert session.runner.dataset_name == "letters"

    async def test_without_its_file_the_ids_and_the_datasets_name_are_enough(
        self, bench: Bench
    ) -> None:
        await bench.start()
        bench.file.unlink()
        session = await bench.open_graded(needs_file=False)
        assert [task.id for task in session.runner.get_tasks()] == ["b", "a", "c"]
        assert session.runner.dataset_name == "letters"
        with pytest.raises(DatasetError, match=r"letters\.json"):
            await bench.open_graded(needs_file=True)

    async def test_tasks_that_changed_are_refused(self, bench: Bench) -> None:
        await bench.start()
        bench.write([{**ROWS[0], "question": "another?"}, *ROWS[1:]])
        with pytest.raises(RunIdentityError, match=r"1 changed \(b\)"):
            await bench.open_graded()

    async def test_a_secret_option_that_the_model_demands_is_not_needed(self, bench: Bench) -> None:
        bench.runner_class = Keyed
        await bench.start(options=["token=hidden-1", "depth=3"])
        session = await bench.open_graded()
        assert session.chosen == ["b", "a", "c"]

    async def test_the_other_options_are_there_without_a_secret_one(self, bench: Bench) -> None:
        bench.runner_class = Keyed
        await bench.start(options=["token=hidden-1", "depth=3"])
        options = (await bench.open_graded()).runner.options
        assert (options.depth, options.width) == (3, 7)

    async def test_tasks_of_the_service_are_listed_again_with_their_fields(
        self, bench: Bench
    ) -> None:
        await bench.start(dataset_name="letters")
        session = await bench.open_graded()
        assert len(bench.connected) == 2
        tasks = session.runner.get_tasks()
        assert [task.question for task in tasks] == [row["question"] for row in ROWS]
        assert tasks[0].model_extra == {"category": "letters"}
        assert CANARY not in repr(tasks)

    async def test_tasks_of_the_service_that_changed_are_refused(self, bench: Bench) -> None:
        await bench.start(dataset_name="letters")
        bench.write([{**ROWS[0], "question": "another?"}, *ROWS[1:]])
        with pytest.raises(RunIdentityError, match=r"1 changed \(b\)"):
            await bench.open_graded()
