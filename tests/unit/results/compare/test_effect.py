"""The difference of two runs; the numbers are computed by hand, or are in a table."""

from __future__ import annotations

import pytest

from benchmark_runner.results.compare.effect import Direction, PassFail, measure
from tests.unit.results.compare.two_runs import FAILED, MISSING, TwoRuns

A = dict(zip("vwxyz", [1.0, 1.0, 0.0, 0.0, 1.0], strict=True))
B = dict(zip("vwxyz", [1.0, 0.0, 1.0, 1.0, 1.0], strict=True))


def flipped(gained: int, lost: int, same: int) -> tuple[dict[str, float], dict[str, float]]:
    """Scores of two runs of which so many tasks changed sides."""
    a = [0.0] * gained + [1.0] * (lost + same)
    b = [1.0] * gained + [0.0] * lost + [1.0] * same
    return by_task(a), by_task(b)


def by_task(scores: list[float]) -> dict[str, float]:
    return {f"t{number}": score for number, score in enumerate(scores)}


class TestMeasuring:
    def test_error_is_that_of_the_differences(self) -> None:
        """The standard error is that of the paired differences."""
        effect = measure(A, B)

        assert effect is not None
        # The differences 0, -1, 1, 1, 0: their squared deviations from 0.2 add up to 2.8.
        assert (effect.mean_a, effect.mean_b) == (0.6, 0.8)
        assert effect.difference.mean == pytest.approx(0.2)
        assert effect.difference.standard_error == pytest.approx((2.8 / 4 / 5) ** 0.5)
        interval = effect.difference.interval
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((-0.838850, 1.238850), abs=1e-6)
        assert effect.detectable == pytest.approx((1.959964 + 0.841621) * 0.374166, abs=1e-5)

    def test_related_tasks_are_one_cluster(self) -> None:
        """Related tasks form one cluster."""
        clusters = {"v": "1", "w": "1", "x": "2", "y": "2", "z": "3"}

        effect = measure(A, B, clusters)

        assert effect is not None
        # Products of the deviations within clusters: twice 0.24, and twice 0.64.
        expected = (0.14 + (0.48 + 1.28) / 25) ** 0.5
        assert effect.difference.standard_error == pytest.approx(expected)
        interval = effect.difference.interval
        assert interval is not None
        assert interval.high == pytest.approx(0.2 + 4.302653 * expected, abs=1e-6)

    def test_passes_are_counted_by_run(self) -> None:
        """Passes and failures are counted by run and tested exactly."""
        a, b = flipped(gained=8, lost=1, same=3)

        effect = measure(a | {"n": 0.0}, b | {"n": 0.0})

        assert effect is not None
        # Twice the chance of at most 1 of 9: 2 * (1 + 9) / 512.
        expected = PassFail(3, 1, only_a=1, only_b=8, p_value=20 / 512)
        assert effect.pass_fail == pytest.approx(expected)

    def test_other_scores_are_no_passes(self) -> None:
        """Scores between 0 and 1 are not counted as passed or failed."""
        effect = measure(A | {"n": 0.5}, B | {"n": 0.5})

        assert effect is not None
        assert effect.pass_fail is None

    def test_no_tasks_have_no_effect(self) -> None:
        """Without a common task nothing is measured."""
        assert measure({}, {}) is None


class TestWhatIsShown:
    @pytest.mark.parametrize(
        ("scores", "shown"),
        [
            (flipped(gained=10, lost=1, same=20), Direction.BETTER),
            (flipped(gained=1, lost=10, same=20), Direction.WORSE),
            (flipped(gained=6, lost=4, same=20), Direction.NOT_SHOWN),
            (flipped(gained=0, lost=0, same=20), Direction.NOT_SHOWN),
        ],
    )
    def test_difference_is_shown_outside_0(
        self, scores: tuple[dict[str, float], dict[str, float]], shown: Direction
    ) -> None:
        """A difference is shown if its interval leaves out 0."""
        effect = measure(*scores)

        assert effect is not None
        assert effect.shows is shown

    def test_few_flips_need_the_exact_test(self) -> None:
        """With few flips the exact test has to agree."""
        five, six = (measure(*flipped(gained=n, lost=0, same=5)) for n in (5, 6))

        assert five is not None
        assert six is not None
        # Twice 1/32, and twice 1/64; the interval of both leaves out 0.
        assert (five.sign_p_value, six.sign_p_value) == pytest.approx((0.0625, 0.03125))
        for effect in (five, six):
            assert effect.difference.interval is not None
            assert 0 not in effect.difference.interval
        assert (five.shows, six.shows) == (Direction.NOT_SHOWN, Direction.BETTER)

    def test_equal_differences_on_few_tasks(self) -> None:
        """The same difference on each of few tasks shows nothing."""
        five, six = (measure(by_task([0.5] * n), by_task([0.625] * n)) for n in (5, 6))

        assert five is not None
        assert six is not None
        assert (five.shows, six.shows) == (Direction.NOT_SHOWN, Direction.BETTER)
        assert five.detectable is None

    def test_partial_scores_need_no_sign_test(self) -> None:
        """Scores between 0 and 1 need no sign test."""
        effect = measure(by_task([0.1, 0.2, 0.3]), by_task([0.5, 0.6, 0.75]))

        assert effect is not None
        assert effect.sign_p_value == pytest.approx(0.25)
        assert effect.shows is Direction.BETTER

    def test_one_task_or_cluster_shows_nothing(self) -> None:
        """One task or one cluster shows nothing."""
        one = measure({"x": 0.0}, {"x": 1.0})
        clustered = measure(*flipped(gained=9, lost=0, same=1), dict.fromkeys(by_task([0] * 10)))

        for effect in (one, clustered):
            assert effect is not None
            assert effect.difference.interval is None
            assert (effect.shows, effect.detectable) == (Direction.NOT_SHOWN, None)


class TestComparing:
    def test_only_compared_tasks_count(self, runs: TwoRuns) -> None:
        """Only tasks that have a score in both runs count."""
        runs.write("a", {"x": 1.0, "y": 0.0, "z": 1.0, "gone": 1.0})
        runs.write("b", {"x": 1.0, "y": 1.0, "z": FAILED, "new": 0.0})

        effect = runs.comparison().effect

        assert effect is not None
        assert (effect.difference.count, effect.mean_a, effect.mean_b) == (2, 0.5, 1.0)

    def test_worst_case_counts_missing_in_b_as_0(self, runs: TwoRuns) -> None:
        """In the worst case B's missing scores are 0 and A's are left out."""
        runs.write("a", {"x": 0.5, "y": 0.5, "z": 1.0, "w": FAILED, "gone": 1.0})
        runs.write("b", {"x": 0.5, "y": 1.0, "z": MISSING, "w": 1.0})

        worst = runs.comparison().worst_case

        assert worst is not None
        assert (worst.difference.count, worst.mean_b) == (3, 0.5)
        assert worst.difference.mean == pytest.approx((0 + 0.5 - 1) / 3)

    def test_largest_changes_come_first(self, runs: TwoRuns) -> None:
        """The largest changes come first."""
        runs.write("a", {"x": 0.5, "y": 0.5, "z": 0.5, "v": 0.5, "w": 0.5})
        runs.write("b", {"x": 0.75, "y": 1.0, "z": 0.5, "v": 0.25, "w": 0.0})

        comparison = runs.comparison()

        assert (comparison.higher, comparison.lower) == (["y", "x"], ["w", "v"])

    def test_clusters_are_those_of_compared_tasks(self, runs: TwoRuns) -> None:
        """Only the clusters of compared tasks count."""
        runs.write("a", {"x": 0.5, "y": 0.5, "z": 0.5})
        runs.write("b", {"x": 0.5, "y": 0.75, "z": FAILED})

        alone = runs.comparison()
        clustered = runs.comparison(clusters={"x": "1", "y": "1", "z": "2"})

        assert (alone.clusters, alone.units) == (None, 2)
        assert (clustered.clusters, clustered.units) == (1, 1)

    def test_groups_are_measured_separately(self, runs: TwoRuns) -> None:
        """Each group is measured by itself."""
        runs.write("a", {"x": 0.0, "y": 1.0, "z": 1.0, "w": 1.0})
        runs.write("b", {"x": 1.0, "y": 1.0, "z": 0.0, "w": FAILED})

        groups = runs.comparison(groups={"x": "u", "y": "u", "z": "v", "w": "w"}).groups

        assert {name: each.difference.count for name, each in groups.items()} == {"u": 2, "v": 1}
        assert {name: each.difference.mean for name, each in groups.items()} == {"u": 0.5, "v": -1}
        assert groups["u"].difference.standard_error == pytest.approx(0.5)
