from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.results.task_repeats import TaskRepeats, by_task
from benchmark_runner.results.task_row import TaskRow, TaskState
from benchmark_runner.schemas import GenerationStatus
from tests.unit.results.stored_runs import TASKS, Results

if TYPE_CHECKING:
    from pathlib import Path

SUCCESS = GenerationStatus.SUCCESS


def row(score: float | None = None, state: TaskState = TaskState.SCORED) -> TaskRow:
    return TaskRow(task_id="t1", state=state, score=score)


def task(*rows: TaskRow | float | None, reduction: str = "mean") -> TaskRepeats:
    made = tuple(each if isinstance(each, TaskRow) else row(each) for each in rows)
    return TaskRepeats(made, Reduction.parse(reduction))


class TestTheScore:
    def test_score_is_the_mean_of_scored_repeats(self) -> None:
        """A task's score is the mean of its repeats that have one."""
        found = task(1.0, 0.0, row(None, TaskState.FAILED_GRADING), 0.5)

        assert found.score == 0.5
        assert found.least_score == 0.375

    def test_task_without_a_scored_repeat_has_none(self) -> None:
        """A task without a scored repeat has neither a score nor a spread."""
        found = task(row(None, TaskState.FAILED_GENERATING))

        assert (found.score, found.spread, found.is_flaky) == (None, None, False)
        assert found.least_score == 0

    def test_other_reductions_apply(self) -> None:
        """Another reduction makes another score of the same repeats."""
        assert task(1.0, 0.0, 0.0, reduction="max").score == 1
        assert task(1.0, 0.0, reduction="pass^2").score == 0
        assert task(1.0, reduction="pass@2").score is None


class TestFlakiness:
    @pytest.mark.parametrize("scores", [[], [0.5], [1.0, 1.0], [0.1 + 0.2, 0.3]])
    def test_equal_scores_are_not_flaky(self, scores: list[float]) -> None:
        """A task whose repeats agree, but for rounding, is not flaky."""
        assert not task(*scores).is_flaky

    def test_spread_is_the_standard_deviation(self) -> None:
        """The spread is the standard deviation of one repeat; one repeat has none."""
        assert task(1.0, 0.0).spread == pytest.approx(0.5**0.5)
        assert task(1.0).spread is None
        assert task(1.0, 0.0).is_flaky


class TestTheStrip:
    def test_each_outcome_has_a_sign_of_its_own(self) -> None:
        """Each outcome has a sign that no other has, whatever its colour."""
        states = [state for state in TaskState if state is not TaskState.SCORED]
        found = task(1.0, 0.0, 0.5, *(row(None, state) for state in states))

        assert found.strip == "PF~TONEE--"

    def test_other_scales_do_not_tell_what_passed(self) -> None:
        """Of scores beyond 0 and 1 it is not known which passed."""
        assert task(1.0, 40.0, 0.5).strip == "SSS"

    def test_score_that_is_unknown_is_scored(self) -> None:
        """A grade without a number is neither passed nor failed."""
        assert task(None).strip == "S"


class TestTotals:
    def test_total_is_over_the_generations(self) -> None:
        """A sum is over the repeats that were generated."""
        paid = (
            TaskRow(task_id="t1", state=TaskState.SCORED, generation_status=SUCCESS, cost=0.25),
            TaskRow(task_id="t1", state=TaskState.SCORED, generation_status=SUCCESS, cost=0.5),
            TaskRow(task_id="t1", state=TaskState.NOT_GENERATED),
        )

        assert TaskRepeats(paid).total("cost") == 0.75
        assert TaskRepeats(paid[2:]).total("cost") is None

    def test_unknown_part_makes_the_total_unknown(self) -> None:
        """A sum with an unknown part is unknown, not smaller."""
        generated = TaskRow(task_id="t1", state=TaskState.SCORED, generation_status=SUCCESS)
        paid = TaskRow(task_id="t1", state=TaskState.SCORED, generation_status=SUCCESS, cost=1.0)

        assert TaskRepeats((paid, generated)).total("cost") is None


def test_rows_are_grouped_in_the_runs_order(tmp_path: Path) -> None:
    """The rows of a run are grouped to its tasks, in its order, with all repeats of each."""
    results = Results(tmp_path)
    made = results.begin(repeats=2)
    results.grade(made, "t1", 1)
    results.grade(made.of_repeat(2), "t1", 0)

    tasks = [*by_task(results.view().scan().with_files())]

    assert [(found.task_id, found.strip) for found, _ in tasks] == [
        (task_id, "PF" if task_id == "t1" else "--") for task_id in TASKS
    ]
    assert [[str(each.key) for each in files] for _, files in tasks][1] == ["t1", "t1 (repeat 2)"]
