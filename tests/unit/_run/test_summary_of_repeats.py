"""The summary of a run with repeats: counts of generations, scores and errors of tasks."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.summary import Summaries
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.schemas import EvalStatus, GenerationStatus, ScoreCounts, TaskRepeat
from tests.fakes import FakeRunner, RunFolder, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmark_runner._run.summary import RunSummary


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "results")


def summary_of(
    run: RunFolder, scores: Mapping[str, Sequence[float | None]], repeats: int = 3
) -> RunSummary:
    """Sum up tasks with these scores by repeat; ``None`` is a repeat that is not generated."""
    for task_id, values in scores.items():
        for repeat, value in enumerate(values, start=1):
            if value is not None:
                run.add_evaluation(task_id, value, repeat=repeat)
    return summarise(FakeRunner(), run.artifacts, [*scores], repeats)


def test_generations_are_counted(run: RunFolder) -> None:
    """Each repeat counts by its own outcome, and each that lacks something is named."""
    run.add_evaluation("t1", 1.0)
    run.add_generation("t1", GenerationStatus.ERROR, 2, error="ValueError: no")
    run.add_evaluation(
        *("t2", None, EvalStatus.DID_NOT_COMPLETE), generated=GenerationStatus.MAX_TIME, repeat=3
    )
    run.add_generation("t2", repeat=2)
    found = summarise(FakeRunner(), run.artifacts, ["t1", "t2"], 3)
    assert found.counts == ScoreCounts(
        total=6, attempted=4, scored=1, error=1, max_time=1, max_turns=0
    )
    assert found.without_generation == [TaskRepeat("t1", 3), TaskRepeat("t2")]
    assert found.without_eval == [TaskRepeat("t2", 2)]
    assert [group.keys for group in found.failures] == [[TaskRepeat("t1", 2)]]
    assert not found.complete


def test_mean_and_error_are_over_tasks(run: RunFolder) -> None:
    """A task's score is the mean of its repeats, and the error is over tasks."""
    scores = {"t1": (1, 1, 1), "t2": (0, 0, 1), "t3": (0, 1, 1), "t4": (0, 0, 0)}
    found = summary_of(run, scores)
    means = [statistics.mean(values) for values in scores.values()]
    assert found.mean == pytest.approx(statistics.mean(means))
    assert found.stderr == pytest.approx(statistics.stdev(means) / math.sqrt(4))
    assert [*found.scores] == pytest.approx(means)
    assert [[*each] for each in found.repeats] == [[*each] for each in scores.values()]
    assert found.complete


def test_mean_is_of_scored_repeats(run: RunFolder) -> None:
    """Repeats without a score do not count in the mean of a task, and widen the bounds."""
    found = summary_of(run, {"t1": (None, 1, 0), "t2": (1, None, None), "t3": (None, None, None)})
    assert [*found.scores] == [0.5, 1.0]
    assert [[*each] for each in found.repeats] == [[1, 0], [1]]
    assert found.unknown == 6
    assert found.bounds is not None
    assert (found.bounds.errors_as_0, found.bounds.errors_as_1) == pytest.approx((2 / 9, 8 / 9))


@pytest.mark.parametrize(
    "scores",
    [
        {"t1": (1, None), "t2": (0, 1), "t3": (1, None)},
        {"t1": (None, 1), "t2": (0, 1), "t3": (None, None)},
        {"t1": (1, None), "t2": (None, 1), "t3": (0, None)},
    ],
)
def test_first_task_with_repeats_may_be_any(
    run: RunFolder, scores: Mapping[str, Sequence[float | None]]
) -> None:
    """The scores of all tasks are there, whichever is the first that has several."""
    found = summary_of(run, scores, 2)
    known = [[each for each in values if each is not None] for values in scores.values()]
    assert [[*each] for each in found.repeats] == [each for each in known if each]
    assert [*found.scores] == [statistics.mean(each) for each in known if each]


def test_run_of_one_repeat_keeps_no_lists(run: RunFolder) -> None:
    """A run without repeats holds one number for each task."""
    found = summary_of(run, {"t1": (1,), "t2": (0,)}, 1)
    assert (found.repeats, [*found.scores]) == ([], [1, 0])


def test_graders_have_repeats_but_grades_have_tasks(run: RunFolder) -> None:
    """Repeats are listed by grader, and the tasks behind a score once each."""
    found = summary_of(run, {"t1": (1, 0), "t2": (1, 1)}, 2)
    assert found.graded[GradedBy(None, None, None)] == [
        TaskRepeat(task_id, repeat) for task_id in ("t1", "t2") for repeat in (1, 2)
    ]
    assert [*found.grades.task_ids] == ["t1", "t2"]
    assert [*found.grades.scores] == [0.5, 1]


def test_chosen_tasks_are_summed_up_with_all_repeats(run: RunFolder) -> None:
    """The summary of chosen tasks has all their repeats, and no other task."""
    summary_of(run, {"t1": (1, 0), "t2": (1, 1)}, 2)
    both = Summaries(FakeRunner(), ["t2"])
    for task_id in ("t1", "t2"):
        for repeat in (1, 2):
            both.add(TaskFiles(run.artifacts, task_id, repeat))
    overall, chosen = both.result()
    assert (overall.counts.total, chosen.counts.total) == (4, 2)
    assert ([*overall.scores], [*chosen.scores]) == ([0.5, 1], [1])
