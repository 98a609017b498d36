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
    async def test_missing_run_is_named(self, bench: Bench) -> None:
        """A run that does not exist is named with the results folder."""
        with pytest.raises(UsageError) as caught:
            await bench.open_graded()
        assert "'r1'" in caught.value.message
        assert str(bench.results) in caught.value.message

    async def test_all_tasks_are_chosen(self, bench: Bench) -> None:
        """All tasks of the run are chosen."""
        await bench.start(task_ids=["a"], options=["depth=2"])
        session = await bench.open_graded()
        assert session.chosen == ["b", "a", "c"]
        assert session.runner.options == Options(depth=2)
        assert session.runner.run_id == "r1"
        assert session.runner.dataset_name == "letters"

    async def test_ids_are_enough_without_the_file(self, bench: Bench) -> None:
        """Without the file, the ids and the dataset name are enough if no task is needed."""
        await bench.start()
        bench.file.unlink()
        session = await bench.open_graded(needs_file=False)
        assert [task.id for task in session.runner.get_tasks()] == ["b", "a", "c"]
        assert session.runner.dataset_name == "letters"
        with pytest.raises(DatasetError, match=r"letters\.json"):
            await bench.open_graded(needs_file=True)

    async def test_changed_tasks_are_refused(self, bench: Bench) -> None:
        """Tasks that changed are refused."""
        await bench.start()
        bench.write([{**ROWS[0], "question": "another?"}, *ROWS[1:]])
        with pytest.raises(RunIdentityError, match=r"1 changed \(b\)"):
            await bench.open_graded()

    async def test_required_secret_option_is_not_needed(self, bench: Bench) -> None:
        """A required secret option is not needed to evaluate."""
        bench.runner_class = Keyed
        await bench.start(options=["token=hidden-1", "depth=3"])
        session = await bench.open_graded()
        assert session.chosen == ["b", "a", "c"]

    async def test_other_options_are_known(self, bench: Bench) -> None:
        """The other options are known without the secret one."""
        bench.runner_class = Keyed
        await bench.start(options=["token=hidden-1", "depth=3"])
        options = (await bench.open_graded()).runner.options
        assert (options.depth, options.width) == (3, 7)

    async def test_service_tasks_are_listed_again(self, bench: Bench) -> None:
        """Tasks of a service are listed again, with their fields and no reference."""
        await bench.start(dataset_name="letters")
        session = await bench.open_graded()
        assert len(bench.connected) == 2
        tasks = session.runner.get_tasks()
        assert [task.question for task in tasks] == [row["question"] for row in ROWS]
        assert tasks[0].model_extra == {"category": "letters"}
        assert CANARY not in repr(tasks)

    async def test_changed_service_tasks_are_refused(self, bench: Bench) -> None:
        """Tasks of a service that changed are refused."""
        await bench.start(dataset_name="letters")
        bench.write([{**ROWS[0], "question": "another?"}, *ROWS[1:]])
        with pytest.raises(RunIdentityError, match=r"1 changed \(b\)"):
            await bench.open_graded()
