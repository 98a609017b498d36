"""The verdict on a comparison, and the differences that it lists."""

from __future__ import annotations

import pytest

from benchmark_runner.results.compare.findings import Concern
from benchmark_runner.results.compare.verdict import Difference, Verdict, judge
from tests.unit.results.compare.two_runs import (
    FAILED,
    MISSING,
    NO_TASK_SCORE,
    TIMED_OUT,
    UNGRADED,
    WHOLE,
    TwoRuns,
    about,
    judged,
    passes,
)


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
    def test_verdict_follows_the_interval(
        self, runs: TwoRuns, passed: int, verdict: Verdict, reason: str
    ) -> None:
        """The verdict follows the interval of the difference."""
        runs.write("a", WHOLE)
        runs.write("b", passes(passed, 40 - passed))

        judgement = judged(runs)

        assert judgement.verdict is verdict
        assert judgement.reason.startswith(reason)
        assert about(judgement) == ([], [])

    def test_few_flips_may_be_chance(self, runs: TwoRuns) -> None:
        """The reason says if the exact test does not rule out chance."""
        runs.write("a", passes(25, 15))
        runs.write("b", passes(30, 10))

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert "the exact test does not rule out chance (p = 0.063)" in judgement.reason

    def test_single_task_shows_nothing(self, runs: TwoRuns) -> None:
        """A single task or cluster shows no difference."""
        runs.write("a", {"x": 0.0})
        runs.write("b", {"x": 1.0})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert "a single task" in judgement.reason
        clustered = judge(runs.comparison(clusters={"x": "c"}))
        assert "a single cluster" in clustered.reason

    def test_clusters_may_hide_a_difference(self, runs: TwoRuns) -> None:
        """A difference between tasks may be none between clusters."""
        runs.write("a", passes(25, 15))
        runs.write("b", passes(35, 5))
        # All that B gains is in one cluster.
        clusters = {f"t{n}": "gains" if 25 <= n < 35 else f"c{n % 5}" for n in range(40)}

        assert judged(runs).verdict is Verdict.BETTER
        assert judge(runs.comparison(clusters=clusters)).verdict is Verdict.NO_DIFFERENCE_SHOWN


class TestScoresThatAreMissing:
    def test_missing_scores_may_hide_a_worse_b(self, runs: TwoRuns) -> None:
        """Missing scores of B that could make it worse are an obstacle."""
        runs.write("a", passes(40, 0))
        runs.write("b", passes(30, 0) | {f"t{n}": FAILED for n in range(30, 40)})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NOT_COMPARABLE
        (obstacle,) = judgement.obstacles
        assert obstacle.about is Concern.SCORES_MISSING_IN_B
        assert obstacle.task_ids == tuple(f"t{n}" for n in range(30, 40))
        assert "10 tasks" in obstacle.text
        assert "-0.25" in obstacle.text
        assert judgement.reason == obstacle.text

    @pytest.mark.parametrize("why", [MISSING, UNGRADED, NO_TASK_SCORE])
    def test_cause_of_missing_scores_is_irrelevant(self, runs: TwoRuns, why: str) -> None:
        """The cause of missing scores does not matter."""
        runs.write("a", passes(40, 0))
        runs.write("b", passes(30, 0) | {f"t{n}": why for n in range(30, 40)})

        assert about(judged(runs))[0] == [Concern.SCORES_MISSING_IN_B]

    def test_few_missing_scores_are_no_obstacle(self, runs: TwoRuns) -> None:
        """A few missing scores are no obstacle, only a warning."""
        runs.write("a", passes(40, 0))
        runs.write("b", passes(37, 0) | {f"t{n}": FAILED for n in range(37, 40)})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert about(judgement) == ([], [Concern.INCOMPLETE])

    def test_better_must_hold_with_missing_as_0(self, runs: TwoRuns) -> None:
        """B is better only if it is so with its missing scores as 0."""
        runs.write("a", passes(20, 20))
        # 8 gained; of the 6 that it has no score for, A passes all.
        b = passes(28, 12) | {f"t{n}": FAILED for n in range(6)}
        runs.write("b", b)

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NO_DIFFERENCE_SHOWN
        assert "with its 6 tasks without a score counted as 0" in judgement.reason

    def test_worse_b_stays_worse(self, runs: TwoRuns) -> None:
        """A worse B stays worse with missing scores."""
        runs.write("a", passes(30, 0) | {f"t{n}": FAILED for n in range(30, 40)})
        runs.write("b", passes(15, 25) | {"t0": FAILED})

        judgement = judged(runs)

        assert judgement.verdict is Verdict.WORSE
        assert about(judgement) == ([], [Concern.INCOMPLETE, Concern.INCOMPLETE, Concern.FEW_TASKS])

    def test_timeouts_are_not_missing(self, runs: TwoRuns) -> None:
        """A task that ran out of time is not missing."""
        runs.write("a", passes(40, 0))
        runs.write("b", passes(30, 0) | {f"t{n}": TIMED_OUT for n in range(30, 40)})

        assert judged(runs).verdict is Verdict.WORSE


class TestDifferences:
    def test_differences_are_listed(self, runs: TwoRuns) -> None:
        """Differences of settings and code are listed and are no obstacle."""
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

    def test_same_settings_have_no_differences(self, runs: TwoRuns) -> None:
        """Runs of the same settings have no differences."""
        runs.write("a", WHOLE)
        runs.write("b", WHOLE)

        assert judged(runs).differences == []
