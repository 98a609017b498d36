"""The verdict on a comparison, and the differences that it lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.results.compare.findings import Concern
from benchmark_runner.results.compare.verdict import Difference, Verdict, judge
from tests.unit.results.compare.two_runs import (
    FAILED,
    MISSING,
    NO_TASK_SCORE,
    TIMED_OUT,
    UNGRADED,
    TwoRuns,
    passes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.compare.verdict import Judgement

WHOLE = passes(25, 15)


@pytest.fixture
def runs(tmp_path: Path) -> TwoRuns:
    return TwoRuns(tmp_path)


def judged(runs: TwoRuns) -> Judgement:
    return judge(runs.comparison())


def about(judgement: Judgement) -> tuple[list[Concern], list[Concern]]:
    """What the obstacles and the warnings are about."""
    obstacles, warnings = judgement.obstacles, judgement.warnings
    return [each.about for each in obstacles], [each.about for each in warnings]


class TestVerdicts:
    @pytest.mark.parametrize(
        ("passed", "verdict", "reason"),
        [
            (35, Verdict.BETTER, "B scores higher, and the 95 % interval of the difference "),
            (
                15,
                Verdict.WORSE,
                "B scores lower, and the 95 % interval of the difference leaves out 0",
            ),
            (27, Verdict.NO_DIFFERENCE_SHOWN, "the 95 % interval of the difference includes 0"),
            (25, Verdict.NO_DIFFERENCE_SHOWN, "each task has the same score in both"),
        ],
    )
    def test_they_follow_the_interval(
        self, runs: TwoRuns, passed: int, verdict: Verdict, reason: str
    ) -> None:
        runs.write("a", WHOLE)
        runs.write("b", passes(passed, 40 - passed))

        judgement = judged(runs)

        assert judgement.verdict is verdict
        assert judgement.reason.startswith(reason)
        assert about(judgement) == ([], [])

    def test_that_a_few_flips_may_be_chance_is_said(self, runs: TwoRuns) -> None:
        runs.write("a", passes(25, 15))
        runs.write("b", passes(30, 10))

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert "the exact test does not rule out chance (p = 0.063)" in judgement.reason

    def test_a_single_task_tells_nothing(self, runs: TwoRuns) -> None:
        runs.write("a", {"x": 0.0})
        runs.write("b", {"x": 1.0})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert "a single task" in judgement.reason
        clustered = judge(runs.comparison(clusters={"x": "c"}))
        assert "a single cluster" in clustered.reason

    def test_a_difference_that_is_shown_within_unrelated_tasks_may_be_none_of_clusters(
        self, runs: TwoRuns
    ) -> None:
        runs.write("a", passes(25, 15))
        runs.write("b", passes(35, 5))
        # All that B gains is in one cluster.
        clusters = {f"t{n}": "gains" if 25 <= n < 35 else f"c{n % 5}" for n in range(40)}

        assert judged(runs).verdict is Verdict.BETTER
        assert judge(runs.comparison(clusters=clusters)).verdict is Verdict.NO_DIFFERENCE_SHOWN


class TestScoresThatAreMissing:
    def test_they_must_not_hide_that_b_is_worse(self, runs: TwoRuns) -> None:
        runs.write("a", passes(40, 0))
        runs.write("b", passes(30, 0) | {f"t{n}": FAILED for n in range(30, 40)})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NOT_COMPARABLE
        (obstacle,) = judgement.obstacles
        assert obstacle.about is Concern.SCORES_MISSING_IN_B
        assert obstacle.task_ids == tuple(f"t{n}" for n in range(30, 40))
        assert "10 task(s)" in obstacle.text
        assert "-0.25" in obstacle.text
        assert judgement.reason == obstacle.text

    @pytest.mark.parametrize("why", [MISSING, UNGRADED, NO_TASK_SCORE])
    def test_why_they_are_missing_makes_no_difference(self, runs: TwoRuns, why: str) -> None:
        runs.write("a", passes(40, 0))
        runs.write("b", passes(30, 0) | {f"t{n}": why for n in range(30, 40)})

        assert about(judged(runs))[0] == [Concern.SCORES_MISSING_IN_B]

    def test_a_few_of_them_are_no_obstacle(self, runs: TwoRuns) -> None:
        runs.write("a", passes(40, 0))
        runs.write("b", passes(37, 0) | {f"t{n}": FAILED for n in range(37, 40)})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert about(judgement) == ([], [Concern.INCOMPLETE])

    def test_b_is_only_better_if_it_is_so_in_spite_of_them(self, runs: TwoRuns) -> None:
        runs.write("a", passes(20, 20))
        # 8 gained; of the 6 that it has no score for, A passes all.
        b = passes(28, 12) | {f"t{n}": FAILED for n in range(6)}
        runs.write("b", b)

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert "with its 6 task(s) without a score counted as 0" in judgement.reason

    def test_a_worse_b_stays_worse(self, runs: TwoRuns) -> None:
        runs.write("a", passes(30, 0) | {f"t{n}": FAILED for n in range(30, 40)})
        runs.write("b", passes(15, 25) | {"t0": FAILED})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.WORSE
        assert about(judgement) == ([], [Concern.INCOMPLETE, Concern.INCOMPLETE, Concern.FEW_TASKS])

    def test_what_ran_out_of_time_is_not_missing(self, runs: TwoRuns) -> None:
        runs.write("a", passes(40, 0))
        runs.write("b", passes(30, 0) | {f"t{n}": TIMED_OUT for n in range(30, 40)})

        assert judged(runs).verdict is Verdict.WORSE


class TestDifferences:
    def test_what_is_compared_is_listed_and_is_no_obstacle(self, runs: TwoRuns) -> None:
        runs.write(
            "a",
            WHOLE,
            sampling={"temperature": 0.5, "max_tokens": 10},
            options={"delay": "1"},
            operational={"timeout": 60.0, "parallelism": 1},
            generation_version="v1",
            runner_commit="abc",
            python_version="3.12.1",
        )
        runs.write(
            "b",
            WHOLE,
            model="m2",
            sampling={"max_tokens": 10, "top_p": 0.9},
            options={"delay": "2"},
            operational={"timeout": 90.0, "parallelism": 9},
            generation_version="v2",
            runner_commit="abc",
            runner_dirty=True,
            python_version="3.12.1",
        )

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert about(judgement) == ([], [])
        assert judgement.differences == [
            Difference("model", "m", "m2"),
            Difference("temperature", 0.5, None),
            Difference("top_p", None, 0.9),
            Difference("delay", "1", "2"),
            Difference("timeout", 60.0, 90.0),
            Difference("generation_version", "v1", "v2"),
            Difference("runner_dirty", None, True),
        ]

    def test_there_are_none_between_runs_of_the_same_settings(self, runs: TwoRuns) -> None:
        runs.write("a", WHOLE)
        runs.write("b", WHOLE)

        assert judged(runs).differences == []
