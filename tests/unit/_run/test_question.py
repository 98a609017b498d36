from __future__ import annotations

import pytest

from benchmark_runner._run.question import Question
from benchmark_runner._stats.threshold_test import ThresholdSide, ThresholdTest
from benchmark_runner.checkpoint import RunConfig, Until
from benchmark_runner.schemas import TaskRepeat

TASKS = [f"t{number}" for number in range(20)]


def question(
    *, repeats: int = 1, baseline: list[float] | None = None, seed: int = 7, alpha: float = 0.05
) -> Question:
    """Return whether a run of twenty tasks has at least 0.5, or differs from a baseline."""
    config = RunConfig(run_id="r1", model="m", tasks=TASKS, repeats=repeats)
    asked: dict[str, object] = {"score": 0.5} if baseline is None else {"against": "r0"}
    until = Until.model_validate({**asked, "alpha": alpha, "seed": seed, "baseline": baseline})
    return Question(config, until)


def test_order_is_that_of_the_seed() -> None:
    """The order depends on the seed alone, as in each version before."""
    keys = [TaskRepeat(task_id) for task_id in TASKS]

    assert sorted(keys, key=question().place) == sorted(keys, key=question().place)
    assert sorted(keys, key=question().place) != sorted(keys, key=question(seed=8).place)
    first = [key.task_id for key in sorted(keys, key=question().place)][:5]
    assert first == ["t8", "t6", "t10", "t3", "t11"]


def test_repeats_of_a_task_are_in_succession() -> None:
    """All repeats of a task stand before the next task."""
    keys = [TaskRepeat(task_id, repeat) for repeat in (1, 2, 3) for task_id in TASKS]

    ordered = sorted(keys, key=question(repeats=3).place)

    assert [key.repeat for key in ordered] == [1, 2, 3] * len(TASKS)
    assert all(len({key.task_id for key in ordered[at : at + 3]}) == 1 for at in range(0, 60, 3))


def test_baseline_is_paired_by_task() -> None:
    """Each score is compared with that of the same task in the baseline, as bets tell."""
    baseline = [float(number < 10) for number in range(20)]
    asked = question(baseline=baseline, alpha=0.5)
    assert asked.verdict().side is None
    order = sorted(range(20), key=lambda at: asked.place(TaskRepeat(TASKS[at])))
    expected = ThresholdTest.of_difference([baseline[at] for at in order], 0.5)
    for place, at in enumerate(order[:8]):
        asked.add(TaskRepeat(TASKS[at]), 1.0, graded=True)
        expected.narrow(place, 1.0, 1.0)

    verdict = asked.verdict()

    assert verdict.side is ThresholdSide.ABOVE
    assert (verdict.low, verdict.high) == expected.interval()


@pytest.mark.parametrize("baseline", [None, [0.5] * 20])
def test_alpha_is_that_of_the_question(baseline: list[float] | None) -> None:
    """The greater the probability to be wrong, the sooner a side is settled."""
    needed: list[int] = []
    for alpha in (0.5, 0.05, 1e-6):
        asked = question(baseline=baseline, alpha=alpha)
        keys = sorted(map(TaskRepeat, TASKS), key=asked.place)
        while asked.side is None:
            asked.add(keys.pop(0), 1.0, graded=True)
        needed.append(len(TASKS) - len(keys))

    assert needed == sorted({*needed})


def test_equal_scores_settle_nothing() -> None:
    """A run with the scores of its baseline is on no side."""
    baseline = [float(number < 10) for number in range(20)]
    asked = question(baseline=baseline)
    for task_id, score in zip(TASKS, baseline, strict=True):
        asked.add(TaskRepeat(task_id), score, graded=True)
    assert asked.side is None

    verdict = asked.verdict()

    assert (verdict.certain, verdict.low, verdict.high) == (True, 0, 0)


def test_unknown_repeats_widen_the_interval() -> None:
    """A task of which a repeat is unknown counts within bounds."""
    asked = question(repeats=2)
    for task_id in TASKS:
        asked.add(TaskRepeat(task_id), 1.0, graded=True)
        asked.add(TaskRepeat(task_id, 2), None, graded=False)

    verdict = asked.verdict()

    assert (verdict.side, verdict.certain) == (ThresholdSide.ABOVE, True)
    assert verdict.low >= 0.5
    assert verdict.high == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("score", "message"), [(None, "no numeric score"), (1.5, "1.5"), (-0.25, "-0.25")]
)
def test_scores_that_cannot_answer_it(score: float | None, message: str) -> None:
    """A result without a score from 0 to 1 makes the question unusable, and an error does not."""
    asked = question()
    asked.add(TaskRepeat("t3"), None, graded=False)
    assert asked.unusable is None

    asked.add(TaskRepeat("t2"), score, graded=True)

    for task_id in TASKS:
        asked.add(TaskRepeat(task_id), 0.0, graded=True)
    asked.add(TaskRepeat("t4"), 7.0, graded=True)
    assert asked.unusable is not None
    assert message in asked.unusable.message
    assert asked.side is None
