"""Runs of several repeats, compared task by task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.results.compare.findings import Concern
from benchmark_runner.results.compare.verdict import Verdict
from tests.unit.results.compare.two_runs import FAILED, MISSING, TIMED_OUT, about, judged, passes

if TYPE_CHECKING:
    from tests.unit.results.compare.two_runs import TwoRuns

EACH = "One run each does not show how much each varies from run to run."


class TestTheScores:
    def test_scores_are_means_of_repeats(self, runs: TwoRuns) -> None:
        """Tasks are compared by the mean of their repeats, whatever number each run has."""
        runs.write("a", {"t1": 0.0, "t2": 1.0})
        runs.write_repeats("b", [{"t1": 1.0, "t2": 1.0}, {"t1": TIMED_OUT, "t2": 1.0}])

        pairing = runs.pairing()

        assert (pairing.a, pairing.b) == ({"t1": 0, "t2": 1}, {"t1": 0.5, "t2": 1})

    def test_task_without_scored_repeats_is_excluded(self, runs: TwoRuns) -> None:
        """A task of which no repeat has a score is left out, with the reasons of all."""
        runs.write("a", {"t1": 0.0, "t2": 1.0})
        runs.write_repeats("b", [{"t1": 1.0, "t2": FAILED}, {"t1": 1.0, "t2": MISSING}])

        (excluded,) = runs.pairing().excluded

        assert excluded.task_ids == ["t2"]
        assert excluded.in_b == "failed in generation, not generated yet"

    def test_cost_of_a_task_is_that_of_its_repeats(self, runs: TwoRuns) -> None:
        """Cost and time of a task are those of all its repeats."""
        runs.write_repeats("a", [{"t1": 1.0}] * 3, generation={"cost": 0.25, "duration": 2.0})

        side = runs.side("a")

        assert (side.tasks["t1"].cost, side.tasks["t1"].seconds) == (0.75, 6)
        assert (side.cost.total, side.seconds.total) == (0.75, 6)


class TestWhatIsMissing:
    def test_tasks_with_fewer_scored_repeats_are_named(self, runs: TwoRuns) -> None:
        """Tasks of which not all repeats have a score are named in a warning."""
        runs.write("a", passes(20, 20))
        runs.write_repeats("b", [passes(20, 20), {**passes(20, 20), "t3": FAILED}])

        found = [w for w in judged(runs).warnings if w.about is Concern.REPEATS_MISSING]

        assert [(each.text, each.task_ids) for each in found] == [
            ("not all 2 repeats of 1 task have a score in B", ("t3",))
        ]

    def test_failed_repeats_may_make_b_worse(self, runs: TwoRuns) -> None:
        """Repeats that failed in B are no better than failed tasks: counted as 0 they decide."""
        runs.write("a", passes(40, 0))
        failed = {task: FAILED if place < 20 else 1.0 for place, task in enumerate(passes(40, 0))}
        runs.write_repeats("b", [passes(40, 0), failed])

        judgement = judged(runs)

        assert judgement.verdict is Verdict.NOT_COMPARABLE
        assert about(judgement)[0] == [Concern.SCORES_MISSING_IN_B]
        assert "no score for repeats of 20 tasks that A has one for" in judgement.reason

    def test_incomplete_run_counts_generations(self, runs: TwoRuns) -> None:
        """Of a run that is not complete, generations are counted."""
        runs.write("a", passes(20, 20))
        runs.write_repeats("b", [passes(20, 20), {**passes(20, 20), "t3": MISSING}])

        texts = [each.text for each in judged(runs).warnings]

        assert "B is not complete, with 1 of 80 generations not done" in texts

    def test_graders_of_all_repeats_are_compared(self, runs: TwoRuns) -> None:
        """Another grader of some repeats is found, as one of some tasks is."""
        runs.write("a", passes(20, 20), grader={"evaluator_version": "e2"})
        runs.write_repeats("b", [passes(20, 20)] * 2, grader={"evaluator_version": "e2"})

        obstacles, _ = about(judged(runs))

        # The second repeats are by the usual grader.
        assert obstacles == [Concern.EVALUATOR_VERSION]


class TestRemarks:
    @pytest.mark.parametrize(
        ("repeats", "remarks"),
        [
            ((1, 1), [EACH]),
            ((1, 2), ["A is one run, which does not show how much it varies from run to run."]),
            ((2, 1), ["B is one run, which does not show how much it varies from run to run."]),
            ((2, 2), []),
        ],
    )
    def test_remark_is_made_where_it_is_true(
        self, runs: TwoRuns, repeats: tuple[int, int], remarks: list[str]
    ) -> None:
        """That a run does not show its variation is said of runs without repeats only."""
        for name, outcomes, count in zip(
            "ab", (passes(2, 38), passes(38, 2)), repeats, strict=True
        ):
            runs.write_repeats(name, [outcomes] * count)

        judgement = judged(runs)

        assert judgement.verdict is Verdict.BETTER
        assert judgement.remarks == remarks
