from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.checkpoint import ImportedFile
from benchmark_runner.errors import UsageError
from benchmark_runner.results.reduced_score import (
    check_repeats,
    parse_reduction,
    reduce_run,
)
from benchmark_runner.results.run_list import list_runs
from benchmark_runner.results.run_view import open_view
from tests.fakes import FakeRunner
from tests.unit.results.compare.two_runs import FAILED, NO_TASK_SCORE, TIMED_OUT, TwoRuns

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.reduced_score import ReducedScore
    from benchmark_runner.results.run_view import RunScan
    from benchmark_runner.results.task_repeats import TaskRepeats

#: Three repeats of four tasks: passed 3, 2, 1 and 0 times.
REPEATS: list[dict[str, float | str]] = [
    {"t1": 1.0, "t2": 1.0, "t3": 1.0, "t4": 0.0},
    {"t1": 1.0, "t2": 1.0, "t3": 0.0, "t4": TIMED_OUT},
    {"t1": 1.0, "t2": 0.0, "t3": 0.0, "t4": 0.0},
]


@pytest.fixture
def runs(tmp_path: Path) -> TwoRuns:
    return TwoRuns(tmp_path)


def scan_of(runs: TwoRuns, repeats: list[dict[str, float | str]]) -> RunScan:
    runs.write_repeats("run", repeats)
    return open_view(runs.folder, "run", FakeRunner("https://grader.example")).scan()


def reduced(runs: TwoRuns, repeats: list[dict[str, float | str]], way: str) -> ReducedScore:
    found = reduce_run(scan_of(runs, repeats), Reduction.parse(way))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("way", "scores"),
    [
        ("pass@1", (1, 2 / 3, 1 / 3, 0)),
        ("pass@2", (1, 1, 2 / 3, 0)),
        ("pass^2", (1, 1 / 3, 0, 0)),
        ("pass^3", (1, 0, 0, 0)),
        ("max", (1, 1, 1, 0)),
    ],
)
def test_tasks_are_reduced_then_averaged(
    runs: TwoRuns, way: str, scores: tuple[float, ...]
) -> None:
    """Each task is reduced by itself; mean, error and interval are over tasks."""
    found = reduced(runs, REPEATS, way)

    assert [*found.scores.values()] == pytest.approx(scores)
    centre = sum(scores) / 4
    variance = sum((score - centre) ** 2 for score in scores) / 3
    assert found.mean == pytest.approx(centre)
    assert found.stderr == pytest.approx(math.sqrt(variance / 4))
    assert found.interval is not None
    assert found.interval.low < centre < found.interval.high


def test_mean_is_that_of_the_summary(runs: TwoRuns) -> None:
    """The mean needs no other score than the summary's, for which all tasks are read."""
    scan = scan_of(runs, REPEATS)

    assert reduce_run(scan, Reduction()) is None
    assert scan.summary.mean == pytest.approx(0.5)


@pytest.mark.parametrize("way", ["mean", "pass@2"])
def test_listener_gets_each_task(runs: TwoRuns, way: str) -> None:
    """A listener gets each task of the one pass, with its score by the reduction."""
    tasks: list[TaskRepeats] = []

    reduce_run(scan_of(runs, REPEATS), Reduction.parse(way), tasks.append)

    assert [task.task_id for task in tasks if task.is_flaky] == ["t2", "t3"]
    assert {str(task.reduction) for task in tasks} == {way}


def test_list_of_runs_reads_a_task_once(runs: TwoRuns) -> None:
    """The list finds the reduced score in the pass that counts what is done."""
    runs.write_repeats("run", REPEATS)
    runner = FakeRunner("https://grader.example")

    (run,) = list_runs(runs.folder, runner, Reduction.parse("pass@2"))

    assert run.reduced is not None
    assert run.reduced.mean == pytest.approx(2 / 3)
    assert (run.done, run.total) == (12, 12)
    assert len(runner.results) == 11  # of twelve repeats, one ran out of time


def test_list_counts_what_has_no_reduced_score(runs: TwoRuns) -> None:
    """A run without such a score is counted whole."""
    runs.write_repeats("run", [{"t1": 0.5, "t2": 1.0}, {"t1": 1.0, "t2": 1.0}])

    (run,) = list_runs(runs.folder, FakeRunner("https://g.example"), Reduction.parse("pass@2"))

    assert (run.reduced, run.done, run.mean) == (None, 4, 0.875)


def test_tasks_with_too_few_scores_are_named(runs: TwoRuns) -> None:
    """A task with fewer scored repeats than are asked for is left out and named."""
    found = reduced(runs, [*REPEATS[:2], {**REPEATS[2], "t2": FAILED}], "pass^3")

    assert found.left_out == ["t2"]
    assert [*found.scores] == ["t1", "t3", "t4"]
    assert found.mean == pytest.approx(1 / 3)
    assert found.notes == ["1 task with fewer than 3 scored repeats left out: t2"]
    assert found.facts()["left_out"] == ["t2"]


def test_no_task_with_enough_scores_is_no_mean(runs: TwoRuns) -> None:
    """Without any task that has enough scored repeats there is no mean."""
    found = reduced(runs, [{"t1": 1.0}, {"t1": FAILED}], "pass@2")

    assert (found.mean, found.stderr, found.interval) == (None, None, None)
    assert found.missing_text == "no task has 2 scored repeats"


def test_result_without_a_score_is_no_mean(runs: TwoRuns) -> None:
    """A result whose score is not known keeps the mean from being shown."""
    found = reduced(runs, [{"t1": 1.0, "t2": 1.0}, {"t1": 1.0, "t2": NO_TASK_SCORE}], "max")

    assert found.mean is None
    assert found.missing_text == "1 evaluated repeat without a numeric score"


def test_maximum_says_that_it_grows(runs: TwoRuns) -> None:
    """A maximum is not to be compared between different numbers of repeats."""
    assert reduced(runs, REPEATS, "max").notes == ["A maximum grows with the number of repeats."]


def test_passes_are_not_counted_in_shares(runs: TwoRuns) -> None:
    """The message names the task whose score is no pass and no failure."""
    with pytest.raises(UsageError, match=r"task 't2': pass@2 counts passes: .* not 0\.5"):
        reduced(runs, [{"t1": 1.0, "t2": 0.5}, {"t1": 1.0, "t2": 1.0}], "pass@2")


def test_unknown_reduction_is_a_usage_error() -> None:
    """A text that names no reduction is refused with those that there are."""
    with pytest.raises(UsageError, match="--reduce 'median' is none of mean, max, pass@K"):
        parse_reduction("median")


def test_more_repeats_than_there_are_is_refused(runs: TwoRuns) -> None:
    """A run of fewer repeats has no such score, and the hint says how it could get one."""
    runs.write_repeats("run", REPEATS)
    config = open_view(runs.folder, "run", FakeRunner("https://grader.example")).config

    check_repeats(Reduction.parse("pass@3"), config)
    with pytest.raises(UsageError, match="has 3 repeats of each task") as caught:
        check_repeats(Reduction.parse("pass@4"), config)
    assert "--repeats 4" in (caught.value.hint or "")
    file = ImportedFile(file="a.jsonl", sha256="0" * 64, answers=3, at=datetime.now(UTC))
    with pytest.raises(UsageError) as caught:
        check_repeats(Reduction.parse("pass@4"), config.model_copy(update={"imported": file}))
    assert "import answers of further repeats" in (caught.value.hint or "")
