from __future__ import annotations

import math
import random
from decimal import Decimal, localcontext
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats.intervals import (
    Interval,
    IntervalMethod,
    interval_of_mean,
    student_t_interval,
    wilson_interval,
)
from benchmark_runner._stats.means import clustered_standard_error, mean

SCORES = st.lists(st.integers(0, 8).map(lambda step: step / 8), min_size=2, max_size=40)


def passes_and_failures(passed: int, failed: int) -> list[float]:
    return [1.0] * passed + [0.0] * failed


def bounds(interval: Interval | None) -> tuple[float, float]:
    assert interval is not None
    return interval.low, interval.high


class TestStudentsT:
    @given(SCORES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
    def test_t_interval_agrees_with_scipy(self, scores: list[float], level: float) -> None:
        """The t interval agrees with SciPy at each level."""
        found = student_t_interval(scores, level=level)

        assert found is not None
        assert (found.level, found.method) == (level, IntervalMethod.STUDENT_T)
        if len(set(scores)) > 1:
            expected = stats.ttest_1samp(scores, 0).confidence_interval(level)
            assert bounds(found) == pytest.approx(tuple(expected), abs=1e-12)
        else:
            assert bounds(found) == (scores[0], scores[0])

    @given(SCORES, st.floats(-10, 10), st.floats(0.1, 10))
    def test_t_interval_moves_and_scales(
        self, scores: list[float], shift: float, scale: float
    ) -> None:
        """The t interval moves and grows with the scores."""
        low, high = bounds(student_t_interval(scores))

        moved = student_t_interval([shift + scale * score for score in scores])

        assert bounds(moved) == pytest.approx((shift + scale * low, shift + scale * high), abs=1e-9)

    def test_t_interval_counts_clusters(self) -> None:
        """With clusters, the degrees of freedom are those of the clusters."""
        scores = [0.1, 0.2, 0.9, 0.8, 0.4, 0.6]
        clusters = ["a", "a", "b", "b", "c", "c"]

        low, high = bounds(student_t_interval(scores, clusters))

        error = clustered_standard_error(scores, clusters)
        assert error is not None
        assert low == pytest.approx(0.5 - stats.t.ppf(0.975, 2) * error)
        assert high == pytest.approx(0.5 + stats.t.ppf(0.975, 2) * error)


class TestWilson:
    @pytest.mark.parametrize(
        ("passed", "total", "low", "high"),
        [
            # Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
            # Medicine 17, 1998, table I, method 3.
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0000, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ],
    )
    def test_wilson_matches_published_bounds(
        self, passed: int, total: int, low: float, high: float
    ) -> None:
        """The bounds of Wilson's interval are the published ones."""
        found = wilson_interval(passed, total)

        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
        assert (found.level, found.method) == (0.95, IntervalMethod.WILSON)

    @given(st.integers(0, 100_000), st.integers(0, 100_000), st.sampled_from([0.5, 0.95, 0.999]))
    def test_wilson_agrees_with_scipy(self, passed: int, failed: int, level: float) -> None:
        """Wilson's interval agrees with SciPy."""
        total = passed + failed or 1
        expected = stats.binomtest(passed, total).proportion_ci(level, method="wilson")

        # What scipy loses of a small bound by a subtraction is some 1e-16.
        assert bounds(wilson_interval(passed, total, level)) == pytest.approx(
            (expected.low, expected.high), rel=1e-9, abs=1e-15
        )

    @given(st.integers(0, 1000), st.integers(0, 1000))
    def test_wilson_is_symmetric(self, passed: int, failed: int) -> None:
        """Exchanging passes and failures mirrors Wilson's interval."""
        total = passed + failed or 1
        low, high = bounds(wilson_interval(passed, total))

        assert bounds(wilson_interval(total - passed, total)) == pytest.approx((1 - high, 1 - low))

    def test_wilson_reaches_0_and_1(self) -> None:
        """Without a pass the interval begins at 0, without a failure it ends at 1."""
        for total in (1, 7, 1000, 100_000):
            none, all_of_them = wilson_interval(0, total), wilson_interval(total, total)

            assert none.low == 0 < none.high < 1
            assert 0 < all_of_them.low < 1 == all_of_them.high

    def test_wilson_bound_near_0_is_exact(self) -> None:
        """A bound next to 0 is not lost in rounding."""
        passed, total = 1e-6, 100.0
        with localcontext(prec=60):
            square, k, n = (Decimal(x) for x in (NormalDist().inv_cdf(0.975) ** 2, passed, total))
            spread = (square * (k * (n - k) / n + square / 4)).sqrt()
            exact = (k + square / 2 - spread) / (n + square)

        assert wilson_interval(passed, total).low == pytest.approx(float(exact), rel=1e-12, abs=0)


class TestTheChoice:
    @pytest.mark.parametrize(
        ("scores", "method"),
        [
            (passes_and_failures(15, 15), IntervalMethod.STUDENT_T),
            (passes_and_failures(14, 200), IntervalMethod.WILSON),
            (passes_and_failures(200, 14), IntervalMethod.WILSON),
            (passes_and_failures(15, 1000), IntervalMethod.STUDENT_T),
            (passes_and_failures(0, 1000), IntervalMethod.WILSON),
            ([0.0, 1.0, 0.5], IntervalMethod.STUDENT_T),
            ([0.0, 100.0, 100.0], IntervalMethod.STUDENT_T),
        ],
    )
    def test_few_passes_or_failures_use_wilson(
        self, scores: list[float], method: IntervalMethod
    ) -> None:
        """Few passes or failures get Wilson's interval, all other scores Student's."""
        found = interval_of_mean(scores)

        assert found is not None
        assert found.method is method
        if method is IntervalMethod.WILSON:
            assert found == wilson_interval(sum(scores), len(scores))
        else:
            assert found == student_t_interval(scores)

    @pytest.mark.parametrize("scores", [[], [0.0], [1.0], [0.5]])
    def test_below_two_scores_there_is_no_interval(self, scores: list[float]) -> None:
        """Fewer than two scores have no interval."""
        assert interval_of_mean(scores) is None
        assert student_t_interval(scores, ["a"] * len(scores)) is None

    def test_single_cluster_has_no_interval(self) -> None:
        """Scores of a single cluster have no interval."""
        assert student_t_interval([0.0, 1.0, 1.0], ["a"] * 3) is None

    @given(SCORES)
    def test_interval_contains_the_mean(self, scores: list[float]) -> None:
        """The interval contains the mean."""
        found = interval_of_mean(scores)

        assert found is not None
        assert mean(scores) in found

    @pytest.mark.parametrize("scores", [[0.25, 0.5, 0.75], [0.0, 1.0, 1.0]])
    def test_higher_level_is_wider(self, scores: list[float]) -> None:
        """The higher the level, the wider the interval."""
        found = [bounds(interval_of_mean(scores, level=level)) for level in (0.5, 0.9, 0.95, 0.99)]

        for (low, high), (lower, higher) in pairwise(found):
            assert lower < low < high < higher

    @pytest.mark.parametrize("level", [-0.5, 0, 1, 95, math.nan])
    @pytest.mark.parametrize("scores", [[0.25, 0.5, 0.75], [0.0, 1.0, 1.0]])
    def test_level_outside_0_and_1_is_an_error(self, scores: list[float], level: float) -> None:
        """A level that is not between 0 and 1 is an error."""
        with pytest.raises(ValueError, match="A level is between 0 and 1, such as"):
            interval_of_mean(scores, level=level)


class TestCoverage:
    """How often an interval of 95% holds the true mean, where that is known.

    Of samples drawn with a fixed seed, within five standard errors of a count of so many: a
    correct interval would miss that for one seed in two million.
    """

    SAMPLES = 4000
    SLACK = 5 * math.sqrt(0.95 * 0.05 / SAMPLES)

    @pytest.mark.parametrize("count", [3, 5, 10, 30])
    def test_normal_mean_is_covered_exactly(self, count: int) -> None:
        """The interval of a normal mean holds it at its level, for few scores, too."""
        drawn = random.Random(count)
        held = sum(
            10.0 in (interval_of_mean([drawn.gauss(10, 2) for _ in range(count)]) or ())
            for _ in range(self.SAMPLES)
        )

        # 1.96 standard errors hold it in 81%, 88% and 92% for 3, 5 and 10.
        assert held / self.SAMPLES == pytest.approx(0.95, abs=self.SLACK)

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("count", [20, 40])
    def test_mean_of_clusters_is_covered(self, count: int) -> None:
        """The interval of clustered scores holds the mean nearly at its level."""
        drawn = random.Random(count)
        clusters = [index // 4 for index in range(4 * count)]

        def sample() -> list[float]:
            return [
                centre + drawn.gauss(0, 1)
                for centre in (drawn.gauss(0, 1) for _ in range(count))
                for _ in range(4)
            ]

        held = plainly = 0
        for scores in (sample() for _ in range(self.SAMPLES)):
            held += 0.0 in (student_t_interval(scores, clusters) or ())
            plainly += 0.0 in (interval_of_mean(scores) or ())

        # A hundredth for the few clusters, by which the equation is known to be too small.
        assert held / self.SAMPLES == pytest.approx(0.945, abs=0.01 + self.SLACK)
        assert plainly / self.SAMPLES < 0.85

    @pytest.mark.parametrize("count", [5, 10, 20, 50, 100, 300])
    def test_pass_rate_is_covered(self, count: int) -> None:
        """The interval of a pass rate is right on average and never far off."""
        rates = np.linspace(0.001, 0.999, 999)
        # No samples are needed: each number of passes has its probability.
        coverage = np.zeros_like(rates)
        for passed in range(count + 1):
            low, high = bounds(interval_of_mean(passes_and_failures(passed, count - passed)))
            within = (low <= rates) & (rates <= high)
            coverage += within * stats.binom.pmf(passed, count, rates)

        # Student's t alone: 67% on average for 5, and for 100 still 10% at the ends.
        assert coverage.mean() == pytest.approx(0.9525, abs=0.0075)
        assert coverage.min() > 0.82
