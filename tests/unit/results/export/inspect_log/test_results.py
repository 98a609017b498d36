"""The results of a log: its status, its metrics, and the score of each task."""

from __future__ import annotations

import math
from statistics import stdev
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.locks import LOCK_FILE, hold_lock
from benchmark_runner.checkpoint import Until
from benchmark_runner.errors import UsageError
from benchmark_runner.schemas import Phase, TokenUsage
from tests.unit.results.export.inspect_log.logs import Log
from tests.unit.results.export.outcomes import every_outcome
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> MadeRun:
    return MadeRun(tmp_path)


def add_repeats(run: MadeRun, *scores: tuple[float | None, ...]) -> None:
    """Give each task repeats with these scores; ``None`` for a failed evaluation."""
    for number, of_task in enumerate(scores, start=1):
        for repeat, score in enumerate(of_task, start=1):
            made = run if repeat == 1 else run.repeat(repeat)
            if score is None:
                made.failed(f"t{number}", "KeyError: 1", Phase.EVALUATE)
            else:
                made.graded(f"t{number}", score)


class TestMetrics:
    def test_they_are_those_of_the_runner(self, tmp_path: Path) -> None:
        """The mean and its error are the runner's, to the last digit."""
        view = every_outcome(tmp_path)

        log = Log(view)

        summary = view.scan().finish().summary
        assert log.metrics == {"mean": summary.mean, "stderr": summary.stderr}
        assert log["header"]["results"]["headline"] == {
            "scorer": "evaluation",
            "score": "evaluation",
            "metric": "mean",
            "reducer": "mean",
        }

    @pytest.mark.parametrize(
        ("reduce", "reducer", "expected"),
        [
            ("mean", "mean", [1 / 3, 1.0, 0.0]),
            ("max", "max", [1.0, 1.0, 0.0]),
            ("pass@2", "pass_at_2", [2 / 3, 1.0, 0.0]),
            ("pass^2", "pass_k_2", [0.0, 1.0, 0.0]),
        ],
    )
    def test_repeats_are_reduced(
        self, run: MadeRun, reduce: str, reducer: str, expected: list[float]
    ) -> None:
        """The metrics are over tasks, whose repeats are reduced as is asked for."""
        add_repeats(run, (1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))

        log = Log(run.save(), reduce)

        assert [*log.reduced.values()] == pytest.approx(expected)
        assert log.metrics["mean"] == pytest.approx(sum(expected) / 3, abs=1e-12)
        assert log.metrics["stderr"] == pytest.approx(stdev(expected) / math.sqrt(3), abs=1e-12)
        assert log.score["reducer"] == log["reductions"][0]["reducer"] == reducer
        assert log["header"]["eval"]["config"]["epochs_reducer"] == [reducer]
        facts = log["header"]["results"]["metadata"]
        assert {name: facts[name] for name in ("mean", "stderr")} == log.metrics
        assert (facts["reduce"], facts["tasks"]) == (reduce, 3)

    def test_unscored_repeats_do_not_count(self, run: MadeRun) -> None:
        """A task counts with the repeats that have a score, and one without any does not."""
        add_repeats(run, (1.0, None), (None, None), (0.0, 0.5))

        log = Log(run.save())

        assert log.reduced["t1"] == 1.0
        assert math.isnan(log.reduced["t2"])
        assert log.metrics["mean"] == 0.625
        assert (log.score["scored_samples"], log.score["unscored_samples"]) == (2, 1)

    def test_task_with_too_few_scores_does_not_count(self, run: MadeRun) -> None:
        """A task with fewer scored repeats than pass@K needs does not count."""
        add_repeats(run, (1.0, None), (1.0, 0.0))

        log = Log(run.save(), "pass@2")

        assert math.isnan(log.reduced["t1"])
        assert log.metrics == {"mean": 1.0}

    def test_scores_that_are_no_passes_are_refused(self, run: MadeRun) -> None:
        """Passes are counted of scores of 0 and 1 only."""
        add_repeats(run, (0.5, 1.0))

        with pytest.raises(UsageError, match="counts passes"):
            Log(run.save(), "pass@2")

    def test_one_task_has_no_error(self, run: MadeRun) -> None:
        """One task has a mean, and no error of it."""
        run.graded("t1", 0.5)

        assert Log(run.save()).metrics == {"mean": 0.5}

    def test_result_without_a_number_leaves_no_mean(self, run: MadeRun) -> None:
        """If an evaluated task has no score there is no mean, and the reason is stated."""
        run.graded("t1", 1.0)
        run.graded("t2", {"verdict": "fine"})

        log = Log(run.save())

        results = log["header"]["results"]
        assert (log.metrics, "headline" in results) == ({}, False)
        assert results["metadata"]["no_mean"] == "1 evaluated repeat without a numeric score"
        assert (log.score["scored_samples"], log.score["unscored_samples"]) == (1, 1)

    def test_final_score_beside_the_mean(self, run: MadeRun) -> None:
        """A final score that is another number than the mean is a metric, too, with a note."""
        run.graded("t1", 0.5)

        log = Log(run.save(final_score=50.0))

        facts = log["header"]["results"]["metadata"]
        assert log.metrics == {"mean": 0.5, "final_score": 50.0}
        assert log["header"]["results"]["headline"]["metric"] == "mean"
        assert (facts["final_score"], facts["mean"], facts["complete"]) == (50.0, 0.5, True)
        assert "in percent" in facts["score_notes"][0]
        assert "final_score" not in Log(run.view(), "max").metrics

    def test_final_score_that_is_the_mean(self, run: MadeRun) -> None:
        """A final score that is the mean is in the metadata alone."""
        run.graded("t1", 0.5)

        log = Log(run.save(final_score=0.5))

        assert log.metrics == {"mean": 0.5}
        assert log["header"]["results"]["metadata"]["final_score"] == 0.5

    def test_final_score_without_a_mean(self, run: MadeRun) -> None:
        """The final score is the headline of a run that has no mean."""
        run.graded("t1", {"verdict": "fine"})

        log = Log(run.save(final_score=0.75))

        assert log.metrics == {"final_score": 0.75}
        assert log["header"]["results"]["headline"]["metric"] == "final_score"

    def test_samples_are_counted(self, tmp_path: Path) -> None:
        """All samples of the run are counted, and those that ended without an error."""
        results = Log(every_outcome(tmp_path))["header"]["results"]

        assert (results["total_samples"], results["completed_samples"]) == (20, 8)


class TestStatus:
    def test_complete_run_is_a_success(self, run: MadeRun) -> None:
        """A complete run is a success, also with tasks that ran out of time."""
        run.graded("t1", 1.0)
        run.ran_out("t2")

        header = Log(run.save())["header"]

        assert (header["status"], "error" in header) == ("success", False)

    def test_failed_tasks_are_an_error(self, run: MadeRun) -> None:
        """A run with failures has an error that tells them by step and reason."""
        run.failed("t1", "ValueError: no luck")
        run.failed("t2", "KeyError: 'rubric'", Phase.EVALUATE)

        header = Log(run.save())["header"]

        assert header["status"] == "error"
        assert header["error"]["message"] == (
            "Generation failed for 1 task: ValueError: no luck\n"
            "Evaluation failed for 1 task: KeyError: 'rubric'"
        )

    def test_stopped_run_is_cancelled(self, run: MadeRun) -> None:
        """A run that nobody works on, with tasks to do and no failure, was cancelled."""
        run.graded("t1", 1.0)
        run.missing("t2")

        assert Log(run.save())["header"]["status"] == "cancelled"

    def test_running_run_is_started(self, run: MadeRun) -> None:
        """A run that a process works on is one that has started."""
        run.graded("t1", 1.0)
        run.failed("t2", "ValueError: no luck")

        with hold_lock(run.artifacts.run_dir / LOCK_FILE, "run"):
            header = Log(run.save())["header"]

        assert (header["status"], "error" in header) == ("started", False)

    def test_running_task_of_a_file_is_started(self, run: MadeRun) -> None:
        """A run of single tasks has started while a process works on one of them."""
        run.fields["task_source"] = "problem"
        run.graded("t1", 1.0)
        run.missing("t2")
        lock = run.artifacts.task_dir("t2") / LOCK_FILE
        lock.parent.mkdir()

        with hold_lock(lock, "task"):
            assert Log(run.save())["header"]["status"] == "started"

    def test_settled_run_is_a_success(self, run: MadeRun) -> None:
        """A run that stopped at its question has its answer, and no mean."""
        for number in range(30):
            run.graded(f"t{number}", 1.0)
        for number in range(30, 40):
            run.missing(f"t{number}")
        run.fields["until"] = Until(score=0.5, alpha=0.05, seed=1)

        header = Log(run.save())["header"]

        assert header["status"] == "success"
        assert header["results"]["metadata"]["verdict"] == "at least 0.5"
        assert header["results"]["scores"][0]["metrics"] == {}


class TestStatistics:
    def test_tokens_and_cost_are_those_of_all_attempts(self, run: MadeRun) -> None:
        """Tokens and cost are summed up over all attempts."""
        run.failed("t1", "ValueError: 1", usage=TokenUsage(input=5), cost=0.5)
        run.graded("t1", 1.0, usage=TokenUsage(input=7, output=1), cost=0.25, number=9)
        run.tasks = ["t1"]

        statistics = Log(run.save())["header"]["stats"]

        assert statistics["model_usage"] == {
            "none/some-model-1": {
                "input_tokens": 12, "output_tokens": 1, "total_tokens": 13, "total_cost": 0.75,
            }
        }  # fmt: skip
        assert statistics["started_at"] == "2026-05-04T03:02:01+00:00"
        assert statistics["completed_at"] == "2026-05-04T03:02:15+00:00"
