"""The runs in a results folder."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.errors import ArtifactError
from benchmark_runner.results.run_list import list_runs
from benchmark_runner.results.run_view import run_ids
from tests.fakes import FakeRunner
from tests.unit.results.stored_runs import START, TASKS, Results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


class TestTheListOfRuns:
    def test_the_newest_comes_first_and_what_is_no_run_is_left_out(self, results: Results) -> None:
        for number, run_id in enumerate(["first", "third", "second"]):
            results.begin(run_id, created_at=START + timedelta(hours=[1, 3, 2][number]))
        (results.folder / "notes").mkdir()
        (results.folder / "notes" / "plan.txt").write_text("more runs")
        (results.folder / "first-of-all.txt").touch()
        (results.folder / "latest").symlink_to("third")

        assert [run.run_id for run in results.listed()] == ["third", "second", "first"]
        assert run_ids(results.folder) == ["first", "second", "third"]

    def test_without_a_folder_there_are_none(self, results: Results) -> None:
        assert results.listed() == []

    def test_what_is_no_folder_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(ArtifactError, match="can't be read"):
            list_runs(tmp_path / "file", FakeRunner())

    def test_one_that_is_not_done_says_how_far_it_is(self, results: Results) -> None:
        made = results.finish()
        made.eval_path("t1").unlink()
        made.generation_path("t3").unlink()

        (run,) = results.listed()

        assert (run.done, run.generated, run.total, run.complete) == (1, 2, 3, False)
        assert (run.score, run.mean) == (None, 0)

    def test_where_the_score_says_that_all_is_done_no_task_is_read(self, results: Results) -> None:
        made = results.finish(local=True)
        results.score(made)
        for task_id in TASKS:
            made.generation_path(task_id).unlink()
        runner = FakeRunner()

        (run,) = results.listed(runner)

        assert (run.done, run.total, run.complete, run.local) == (3, 3, True, True)
        assert (run.score, run.mean) == (0.75, 1)
        assert run.stderr == pytest.approx(0.5774, abs=1e-4)
        assert runner.results == []

    @pytest.mark.parametrize(
        "fields", [{"complete": False}, {"counts": None}], ids=["forced", "older"]
    )
    def test_where_it_does_not_say_that_the_tasks_are_read(
        self, results: Results, fields: dict[str, Any]
    ) -> None:
        made = results.finish()
        made.eval_path("t3").unlink()
        results.score(made, **fields)

        (run,) = results.listed()

        assert (run.done, run.complete, run.score) == (2, False, 0.75)

    def test_of_one_that_cannot_be_read_it_says_why(self, results: Results) -> None:
        results.begin("good")
        results.begin("damaged").run_config_path.write_text("{")
        results.finish("lost").run_config_path.unlink()

        errors = {run.run_id: run.error for run in results.listed()}

        assert errors["good"] is None
        assert "damaged" in str(errors["damaged"])
        assert "no run_config.json" in str(errors["lost"])
