"""The tasks of two runs that are compared, and that each other one is accounted for."""

from __future__ import annotations

from benchmark_runner.results.compare.pairing import ExclusionReason
from tests.unit.results.compare.two_runs import (
    FAILED,
    FAILED_GRADING,
    MISSING,
    NO_TASK_SCORE,
    TIMED_OUT,
    TORN,
    UNGRADED,
    UNGRADED_TIMEOUT,
    TwoRuns,
)


class TestPairing:
    def test_common_tasks_keep_the_order_of_a(self, runs: TwoRuns) -> None:
        """Tasks with a score in both runs are paired in the order of A."""
        runs.write("a", {"y": 0.25, "x": 1.0})
        runs.write("b", {"x": 0.5, "y": 0.75})

        pairing = runs.pairing()

        assert [*pairing.a.items()] == [("y", 0.25), ("x", 1.0)]
        assert [*pairing.b.items()] == [("y", 0.75), ("x", 0.5)]
        assert (pairing.excluded, pairing.unverified, pairing.lacking_in_b) == ([], [], {})

    def test_timeouts_count_0(self, runs: TwoRuns) -> None:
        """A task that ran out of time counts 0."""
        runs.write("a", {"x": 1.0, "y": TIMED_OUT})
        runs.write("b", {"x": TIMED_OUT, "y": TIMED_OUT})

        pairing = runs.pairing()

        assert (pairing.a, pairing.b) == ({"x": 1.0, "y": 0.0}, {"x": 0.0, "y": 0.0})
        assert pairing.excluded == []

    def test_other_tasks_are_excluded_with_a_reason(self, runs: TwoRuns) -> None:
        """Each other task is excluded with its reason."""
        runs.write("a", {
            "pair": 1.0, "gone": 1.0, "gone-2": FAILED, "failed": 0.5, "failed-2": 0.25,
            "grading": 1.0, "ungraded": 1.0, "timeout": 1.0, "plain": 1.0, "missing": 1.0,
            "torn": 1.0, "recovered": FAILED, "neither": FAILED,
        })  # fmt: skip
        runs.write("b", {
            "new": 1.0, "pair": 0.0, "failed": FAILED, "failed-2": FAILED,
            "grading": FAILED_GRADING, "ungraded": UNGRADED, "timeout": UNGRADED_TIMEOUT,
            "plain": NO_TASK_SCORE, "missing": MISSING, "torn": TORN, "recovered": 1.0,
            "neither": MISSING,
        })  # fmt: skip

        pairing = runs.pairing()

        assert pairing.a.keys() == {"pair"}
        found = [(each.because, each.in_a, each.in_b, each.task_ids) for each in pairing.excluded]
        in_b = ExclusionReason.NO_SCORE_IN_B
        assert found == [
            (ExclusionReason.ONLY_IN_A, None, None, ["gone", "gone-2"]),
            (ExclusionReason.ONLY_IN_B, None, None, ["new"]),
            (ExclusionReason.NO_SCORE_IN_A, "failed in generation", None, ["recovered"]),
            (in_b, None, "failed in generation", ["failed", "failed-2"]),
            (in_b, None, "failed in grading", ["grading"]),
            (in_b, None, "not graded yet", ["ungraded"]),
            (in_b, None, "timed out, not graded yet", ["timeout"]),
            (in_b, None, "graded, without a task score", ["plain"]),
            (in_b, None, "not generated yet", ["missing"]),
            (in_b, None, "can't be read", ["torn"]),
            (
                ExclusionReason.NO_SCORE_IN_EITHER,
                "failed in generation",
                "not generated yet",
                ["neither"],
            ),
        ]
        everything = [task_id for each in pairing.excluded for task_id in each.task_ids]
        assert len(everything) == len(set(everything)) == 13
        assert pairing.lacking_in_b == {
            "failed": 0.5, "failed-2": 0.25, "grading": 1.0, "ungraded": 1.0, "timeout": 1.0,
            "plain": 1.0, "missing": 1.0, "torn": 1.0,
        }  # fmt: skip

    def test_changed_task_is_not_compared(self, runs: TwoRuns) -> None:
        """Another task under the same id is not compared."""
        runs.write("a", {"x": 1.0, "y": 1.0})
        runs.write("b", {"x": 1.0, "y": 0.0}, task_hashes={"x": "hash of x", "y": "changed"})

        pairing = runs.pairing()

        assert pairing.a.keys() == {"x"}
        assert pairing.because(ExclusionReason.OTHER_CONTENT) == ["y"]
        assert pairing.lacking_in_b == {}

    def test_tasks_without_hashes_are_unverified(self, runs: TwoRuns) -> None:
        """Tasks whose content is not recorded are compared and listed."""
        runs.write("a", {"x": 1.0, "y": 1.0})
        runs.write("b", {"x": 1.0, "y": 0.0}, task_hashes={"x": "hash of x"})

        pairing = runs.pairing()

        assert pairing.a.keys() == {"x", "y"}
        assert pairing.unverified == ["y"]

    def test_rounding_is_no_difference(self, runs: TwoRuns) -> None:
        """Scores that differ only by rounding are equal."""
        runs.write("a", {"x": 0.1 + 0.2, "y": 0.3})
        runs.write("b", {"x": 0.3, "y": 0.3001})

        pairing = runs.pairing()

        assert pairing.b["x"] == pairing.a["x"]
        assert pairing.b["y"] == 0.3001
