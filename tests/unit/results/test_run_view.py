"""One run, read without touching it."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from benchmark_runner._run.plan import Reason
from benchmark_runner.checkpoint import Invocation
from benchmark_runner.errors import ArtifactError, RunnerDefinitionError, UsageError
from benchmark_runner.results.task_row import TaskState
from benchmark_runner.schemas import (
    GenerationResult,
    TokenUsage,
)
from tests.fakes import FakeRunner, make_plan, summarise
from tests.unit.results.stored_runs import START, TASKS, Results

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results")


class TestTheRows:
    def test_rows_keep_the_runs_order(self, results: Results) -> None:
        """Rows come in the order of the run with their scores."""
        results.finish()

        rows = [(row.task_id, row.state, row.score) for row in results.view().rows()]

        assert rows == [(task_id, TaskState.SCORED, n) for n, task_id in enumerate(TASKS)]

    def test_one_pass_gives_rows_summary_and_plan(self, results: Results) -> None:
        """One pass gives rows, summary, plan, times and counts."""
        made = results.finish()
        made.eval_path("t1").unlink()
        made.generation_path("t3").unlink()
        runner = FakeRunner()

        reading = results.view(runner=runner).scan()
        states = [row.state for row in reading]

        assert states == [TaskState.SCORED, TaskState.NOT_GRADED, TaskState.NOT_GENERATED]
        assert reading.summary == summarise(FakeRunner(), made, TASKS)
        assert reading.plan == make_plan(made, TASKS)
        assert reading.first_started == START + timedelta(hours=2)
        assert reading.last_ended == START + timedelta(hours=3)
        assert {state: n for state, n in reading.states.items() if n} == dict.fromkeys(states, 1)
        assert runner.results == [0]  # the author's code is called once a grade

    def test_tokens_include_all_attempts(self, results: Results) -> None:
        """Tokens are summed over all attempts."""
        made = results.begin()
        for count in (1, 2):
            made.keep_attempt("t1")
            usage = TokenUsage(input=count, cache_read=count * 10 if count == 2 else None)
            made.save_generation("t1", GenerationResult(usage=usage))
        made.save_generation("t2", GenerationResult())

        reading = results.view().scan().finish()

        assert reading.tokens == TokenUsage(input=3, cache_read=20)
        assert reading.finish().tokens == TokenUsage(input=3, cache_read=20)

    def test_reading_again_starts_over(self, results: Results) -> None:
        """Reading the rows again starts over."""
        results.finish()
        reading = results.view().scan()

        assert reading.finish().summary == reading.finish().summary
        assert reading.summary.counts.total == 3

    def test_skip_eval_plans_generations_only(self, results: Results) -> None:
        """With skip_eval only generations are planned."""
        results.finish()

        plan = results.view().scan(skip_eval=True).finish().plan

        assert {*plan.why} == {Reason.GENERATED}

    def test_long_texts_come_with_the_files(self, results: Results) -> None:
        """The long texts come with the files of a task."""
        made = results.finish()
        made.save_generation("t1", GenerationResult(question="why?", answer="so"))

        (row, files), *_ = (
            pair for pair in results.view().scan().with_files() if pair[0].task_id == "t1"
        )

        assert row.task_id == files.task_id
        assert files.generation is not None
        assert (files.generation.question, files.generation.data) == ("why?", "so")

    def test_task_score_may_use_the_options(self, results: Results) -> None:
        """A task_score() may use the options of its run."""

        class Options(BaseModel):
            weight: int = 1

        class Weighing(FakeRunner):
            OPTIONS_MODEL = Options

            def task_score(self, result: JsonValue) -> float | None:
                return self.options.weight * (super().task_score(result) or 0)

        results.finish("plain")
        results.finish("heavy", options={"weight": "10"})
        runner = Weighing()
        views = [results.view(run_id, runner=runner) for run_id in ("plain", "heavy")]

        assert [[row.score for row in view.rows()] for view in views] == [[0, 1, 2], [0, 10, 20]]

    def test_failing_task_score_is_an_error(self, results: Results) -> None:
        """A task_score() that fails is an error that names the task."""

        def task_score(result: JsonValue) -> float | None:
            raise KeyError(str(result))

        results.finish()

        with pytest.raises(RunnerDefinitionError, match="t2"):
            results.view(runner=FakeRunner(task_score=task_score)).scan().finish()


class TestTheScore:
    def test_score_is_valid_for_its_evaluations(self, results: Results) -> None:
        """A score is valid while the evaluations are those that it sums."""
        made = results.finish()
        score = results.score(made)

        assert results.view().scan().finish().score == score

        results.grade(made, "t1", 0)

        changed = results.view()
        assert changed.scan().finish().score is None
        assert changed.score_on_disk == score

    def test_missing_score_is_none(self, results: Results) -> None:
        """A run without a score has none."""
        results.finish()

        assert results.view().scan().finish().score is None


class TestNothingIsTouched:
    @pytest.mark.parametrize("name", ["generation.json", "eval.json", "attempts/1/generation.json"])
    def test_torn_file_stays_and_is_listed(self, results: Results, name: str) -> None:
        """A torn file stays in its place and is listed."""
        made = results.finish()
        made.keep_attempt("t1")
        results.grade(made, "t1", 1)
        (made.task_dir("t1") / name).write_text("{")
        before = results.state()

        reading = results.view().scan().finish()

        torn = [made.task_dir("t1") / name] if "attempts" not in name else []
        assert reading.unreadable == torn
        assert reading.summary.counts.total == 3
        assert results.state() == before

    @pytest.mark.parametrize("name", ["generation.json", "eval.json"])
    def test_link_is_listed_and_not_followed(
        self, results: Results, tmp_path: Path, name: str
    ) -> None:
        """A file that is a link is listed and not followed."""
        made = results.finish()
        path = made.task_dir("t1") / name
        path.rename(tmp_path / name)
        path.symlink_to(tmp_path / name)

        reading = results.view().scan()
        rows = {row.task_id: row for row in reading}

        assert rows["t1"].unreadable
        assert not rows["t1"].state.is_done
        assert rows["t3"].state is TaskState.SCORED
        assert reading.unreadable == [path]

    def test_unreadable_file_is_listed(self, results: Results) -> None:
        """A file that the system does not let read is listed."""
        made = results.finish()
        (made.task_dir("t2") / "attempts").touch()  # a file where a folder should be
        made.eval_path("t1").unlink()
        made.eval_path("t1").mkdir()
        made.final_score_path.mkdir()

        reading = results.view().scan().finish()

        assert (reading.summary.counts.scored, reading.score) == (2, None)
        assert sorted(reading.unreadable) == [
            made.final_score_path,
            made.eval_path("t1"),
            made.task_dir("t2") / "attempts",
        ]

    def test_running_run_can_be_read(self, results: Results) -> None:
        """A run that is in progress can be read."""
        made = results.finish()

        with made.locked():
            before = results.state()
            assert results.view().scan().finish().summary.complete
            assert results.state() == before


class TestOneTask:
    def test_task_is_read_with_its_texts(self, results: Results) -> None:
        """A single task is read with its texts."""
        results.finish()

        files = results.view().task_files("t3")

        assert files.evaluation is not None
        assert files.evaluation.result == 2

    def test_unknown_task_suggests_similar_ones(self, results: Results) -> None:
        """An unknown task is refused with similar names."""
        results.begin(tasks=["letters-1", "letters-2", "sums-1"])

        with pytest.raises(UsageError, match="no task 'letter-1'") as caught:
            results.view().task_files("letter-1")

        assert caught.value.hint == (
            "Did you mean letters-1 or letters-2? It has 3 tasks (letters-1, letters-2, sums-1)."
        )


class TestOpening:
    def test_unknown_run_suggests_similar_ones(self, results: Results) -> None:
        """An unknown run is refused with similar names."""
        results.begin("evening-1")

        with pytest.raises(UsageError, match="no run 'evning-1'") as caught:
            results.view("evning-1")

        assert caught.value.hint == "Did you mean evening-1? Check --results-dir."

    @pytest.mark.parametrize("generated", [True, False])
    def test_a_damaged_config_is_an_error_and_stays(
        self, results: Results, generated: bool
    ) -> None:
        """A damaged config is an error and stays in its place."""
        made = results.finish() if generated else results.begin()
        made.run_config_path.write_text("{")
        before = results.state()

        with pytest.raises(ArtifactError, match="damaged"):
            results.view()

        assert results.state() == before

    def test_generations_without_config_are_an_error(self, results: Results) -> None:
        """Generations without a config are an error."""
        results.finish().run_config_path.unlink()

        with pytest.raises(ArtifactError, match=r"no run_config\.json"):
            results.view()

    @pytest.mark.parametrize("run_id", ["..", "a/b", ""])
    def test_id_that_names_no_folder_is_refused(self, results: Results, run_id: str) -> None:
        """A run id that can't name a folder is refused."""
        with pytest.raises(UsageError, match="run id"):
            results.view(run_id)


class TestWhatItSaysOfItself:
    def test_start_and_last_invocation_are_known(self, results: Results) -> None:
        """A run has the times of its start and of its last invocation."""
        again = Invocation(at=START + timedelta(days=1), command="run")
        results.begin(created_at=START, history=[again])

        view = results.view()

        assert (view.started_at, view.last_invoked_at) == (START, again.at)

    def test_older_run_uses_the_time_of_its_config(self, results: Results) -> None:
        """An older run has the time of its config file instead."""
        made = results.begin()
        os.utime(made.run_config_path, (0, START.timestamp()))

        view = results.view()

        assert (view.started_at, view.last_invoked_at) == (START, START)

    def test_score_says_if_the_run_is_local(self, results: Results) -> None:
        """If the config does not say if a run is local, the score does."""
        results.score(results.finish(), local=True)
        results.begin("r2", local=False)

        assert results.view().local is True
        assert results.view("r2").local is False
