"""The shape in which a service is asked for a score, and how it has to agree with the grades."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._scores import default_task_score
from benchmark_runner.base.score_request import Grades, grades_of
from benchmark_runner.schemas import EvalResult, EvalStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

TASKS = ["t1", "t2"]


@pytest.mark.parametrize(
    ("scores", "final_score", "named"),
    [
        ([1.0, 0.0], 0.5, TASKS),
        ([1.0, 0.0], 50.0, ["t1"]),
        ([1.0, 0.0], 0.5, None),
        ([0.0, 0.0], 0.0, []),
        ([], 0.0, []),
        ([1.0, -1.0], 0.0, TASKS),
        ([1.0], -3.0, TASKS),
    ],
)
def test_other_number_is_no_contradiction(
    scores: Sequence[float], final_score: float, named: list[str] | None
) -> None:
    """A score in another unit, of some tasks, or of nothing right may be true."""
    assert Grades(TASKS, scores).contradict(final_score, named) is None


@pytest.mark.parametrize(
    ("final_score", "named", "said"),
    [
        (0.0, TASKS, "the score is 0, while the mean of the tasks' own scores is 0.5"),
        (0.0, None, "the score is 0"),
        (-0.0, TASKS, "the score is 0"),
        (0.5, [], "the score is 0.5, of none of 2 evaluated tasks"),
        (0.5, ["other"], "of none of"),
    ],
)
def test_zero_or_no_task_is_a_contradiction(
    final_score: float, named: list[str] | None, said: str
) -> None:
    """A score of 0, or of none of the tasks, contradicts grades that are not 0."""
    found = Grades(TASKS, [1.0, 0.0]).contradict(final_score, named)

    assert found is not None
    assert said in found


def test_grades_are_of_evaluated_tasks() -> None:
    """The grades are those of evaluated tasks, with the scores that are known."""
    evals = [
        EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result={"score": 0.5}),
        EvalResult(task_id="t2", status=EvalStatus.EVALUATED, result={"verdict": "good"}),
        EvalResult(task_id="t3", status=EvalStatus.DID_NOT_COMPLETE),
        EvalResult(task_id="t4", status=EvalStatus.ERROR, result={"score": 1}),
    ]

    assert grades_of(evals, default_task_score) == Grades(["t1", "t2"], [0.5])
