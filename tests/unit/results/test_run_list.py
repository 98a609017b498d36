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
    def test_newest_run_comes_first(self, results: Results) -> None:
        """The newest run comes first; folders that are no runs are left out."""
        for number, run_id in enumerate(["first", "third", "second"]):
            results.begin(run_id, created_at=START + timedelta(hours=[1, 3, 2][number]))
        (results.folder / "notes").mkdir()
        (results.folder / "notes" / "plan.txt").write_text("more runs")
        (results.folder / "first-of-all.txt").touch()
        (results.folder / "latest").symlink_to("third")

        assert [run.run_id for run in results.listed()] == ["third", "second", "first"]
        assert run_ids(results.folder) == ["first", "second", "third"]

    def test_missing_folder_has_no_runs(self, results: Results) -> None:
        """A folder that does not exist has no runs."""
        assert results.listed() == []

    def test_file_instead_of_a_folder_is_an_error(self, tmp_path: Path) -> None:
        """A file instead of a folder is an error."""
        (tmp_path / "file").touch()

        with pytest.raises(ArtifactError, match="can't be read"):
            list_runs(tmp_path / "file", FakeRunner())

    def test_incomplete_run_shows_its_progress(self, results: Results) -> None:
        """A run that is not done shows its progress."""
        made = results.finish()
        made.eval_path("t1").unlink()
        made.generation_path("t3").unlink()

        (run,) = results.listed()

        assert (run.done, run.generated, run.total, run.complete) == (1, 2, 3, False)
        assert (run.score, run.mean) == (None, 0)

    def test_complete_score_needs_no_tasks(self, results: Results) -> None:
        """If the score says that all is done, no task is read."""
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
    def test_incomplete_score_needs_the_tasks(
        self, results: Results, fields: dict[str, Any]
    ) -> None:
        """If the score does not say that all is done, the tasks are read."""
        made = results.finish()
        made.eval_path("t3").unlink()
        results.score(made, **fields)

        (run,) = results.listed()

        assert (run.done, run.complete, run.score) == (2, False, 0.75)

    def test_unreadable_run_has_its_error(self, results: Results) -> None:
        """A run that can't be read is listed with its error."""
        results.begin("good")
        results.begin("damaged").run_config_path.write_text("{")
        results.finish("lost").run_config_path.unlink()

        errors = {run.run_id: run.error for run in results.listed()}

        assert errors["good"] is None
        assert "damaged" in str(errors["damaged"])
        assert "no run_config.json" in str(errors["lost"])
