"""A run opened by its path, as notebooks do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.errors import ArtifactError, UsageError
from benchmark_runner.results import TaskState, list_runs, open_run
from tests.fakes import FakeRunner
from tests.unit.results.stored_runs import TASKS, Results

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path / "results")


class TestOpening:
    @pytest.mark.parametrize("runner", [FakeRunner, FakeRunner()], ids=["class", "instance"])
    @pytest.mark.parametrize("form", [str, Path, "{}/".format, "./{}".format, "{}/t1/..".format])
    def test_run_is_opened_by_its_path(
        self,
        results: Results,
        runner: FakeRunner | type[FakeRunner],
        form: Callable[[str], str | Path],
    ) -> None:
        """A run is opened by a path of any form, with a runner or its class."""
        results.finish()

        run = open_run(form("results/r1"), runner)

        assert run.run_id == "r1"
        assert [row.task_id for row in run.rows()] == TASKS
        assert {row.state for row in run.rows()} == {TaskState.SCORED}

    def test_run_is_opened_from_within(
        self, results: Results, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run is opened where the working directory is its folder."""
        monkeypatch.chdir(results.finish().run_dir)

        assert open_run(".", FakeRunner).run_id == "r1"

    def test_link_leads_to_the_run(self, results: Results, tmp_path: Path) -> None:
        """A link to a run opens that run."""
        (tmp_path / "newest").symlink_to(results.finish().run_dir)

        assert open_run("newest", FakeRunner).run_id == "r1"

    def test_runs_are_listed_with_a_class(self, results: Results) -> None:
        """Runs are listed with the class of a runner, too."""
        results.finish()

        (listed,) = list_runs("results", FakeRunner)

        assert (listed.run_id, listed.mean) == ("r1", 1)


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "message", "hint"),
        [
            (
                "results/evning-1",
                "there is no run results/evning-1",
                "mean results/evening-1 or",
            ),
            (
                "evening-1",
                "there is no run evening-1",
                "mean results/evening-1 or",
            ),
            ("nowhere/evening-2", "no run nowhere/evening-2", "mean results/evening-2 or"),
            ("results/zzz", "no run results/zzz", "2 runs: results/evening-1, results/evening-2."),
            (
                "results",
                "results is a folder of runs",
                "2 runs: results/evening-1, results/evening-2.",
            ),
            ("results/evening-1/t1", "is part of a run", "results/evening-1"),
            ("results/evening-1/run_config.json", "is part of a run", "results/evening-1"),
            ("other", "other is no run: it has no run_config.json", "such as results/my-run"),
        ],
    )
    def test_wrong_path_names_the_runs(
        self, results: Results, tmp_path: Path, path: str, message: str, hint: str
    ) -> None:
        """A path that is no run is an error that names the runs that are there."""
        results.finish("evening-1")
        results.finish("evening-2")
        (tmp_path / "other").mkdir()

        with pytest.raises(UsageError, match=message) as caught:
            open_run(path, FakeRunner)

        assert hint in str(caught.value.hint)
        assert caught.value.__notes__ == [caught.value.hint]

    def test_no_runs_anywhere_names_the_working_folder(self, results: Results) -> None:
        """Without any run, the error names the working directory."""
        with pytest.raises(UsageError) as caught:
            open_run("results/r1", FakeRunner)

        assert caught.value.hint == (
            f"results has no runs; the working directory is {results.folder.parent}."
        )

    def test_damaged_config_is_an_error(self, results: Results) -> None:
        """A damaged config is an error with its hint in the traceback."""
        results.finish().run_config_path.write_text("{")

        with pytest.raises(ArtifactError, match="damaged") as caught:
            open_run("results/r1", FakeRunner)

        assert "Restore the file" in caught.value.__notes__[0]
