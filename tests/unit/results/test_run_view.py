"""Looking at a run: rows, what they come to, and that nothing is touched."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.checkpoint import Invocation
from benchmark_runner.errors import ArtifactError, UsageError
from tests.unit.results.stored_runs import START, Results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


class TestOneTask:
    def test_it_is_read_with_its_texts(self, results: Results) -> None:
        results.finish()

        files = results.view().task_files("t3")

        assert files.result is not None
        assert files.result.result == 2

    def test_of_an_unknown_one_it_says_what_is_near(self, results: Results) -> None:
        results.begin(tasks=["letters-1", "letters-2", "sums-1"])

        with pytest.raises(UsageError, match="no task 'letter-1'") as caught:
            results.view().task_files("letter-1")

        assert caught.value.hint == (
            "Did you mean letters-1 or letters-2? It has 3 task(s): letters-1, letters-2, sums-1."
        )


class TestOpening:
    def test_of_an_unknown_run_it_says_what_is_near(self, results: Results) -> None:
        results.begin("evening-1")

        with pytest.raises(UsageError, match="no run 'evning-1'") as caught:
            results.view("evning-1")

        assert caught.value.hint == "Did you mean evening-1? Check --results-dir."

    @pytest.mark.parametrize("generated", [True, False])
    def test_a_damaged_config_is_an_error_and_stays(
        self, results: Results, generated: bool
    ) -> None:
        made = results.finish() if generated else results.begin()
        made.run_config_path.write_text("{")
        before = results.state()

        with pytest.raises(ArtifactError, match="damaged"):
            results.view()

        assert results.state() == before

    def test_generations_of_nobody_knows_what_are_an_error(self, results: Results) -> None:
        results.finish().run_config_path.unlink()

        with pytest.raises(ArtifactError, match=r"no run_config\.json"):
            results.view()

    @pytest.mark.parametrize("run_id", ["..", "a/b", ""])
    def test_an_id_that_names_no_folder_is_refused(self, results: Results, run_id: str) -> None:
        with pytest.raises(UsageError, match="run id"):
            results.view(run_id)


class TestWhatItSaysOfItself:
    def test_when_it_was_started_and_last_worked_on(self, results: Results) -> None:
        again = Invocation(at=START + timedelta(days=1), command="run")
        results.begin(created_at=START, history=[again])

        view = results.view()

        assert (view.started_at, view.last_invoked_at) == (START, again.at)

    def test_where_an_older_run_does_not_say_its_config_does(self, results: Results) -> None:
        made = results.begin()
        os.utime(made.run_config_path, (0, START.timestamp()))

        view = results.view()

        assert (view.started_at, view.last_invoked_at) == (START, START)

    def test_whether_it_is_local_the_score_says_where_the_config_does_not(
        self, results: Results
    ) -> None:
        results.score(results.finish(), local=True)
        results.begin("r2", local=False)

        assert results.view().local is True
        assert results.view("r2").local is False
