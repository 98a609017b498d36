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
    def test_it_agrees_with_scipy(self, scores: list[float], level: float) -> None:
        found = student_t_interval(scores, level=level)

        assert found is not None
        assert (found.level, found.method) == (level, IntervalMethod.STUDENT_T)
        if len(set(scores)) > 1:
            expected = stats.ttest_1samp(scores, 0).confidence_interval(level)
            assert bounds(found) == pytest.approx(tuple(expected), abs=1e-12)
        else:
            assert bounds(found) == (scores[0], scores[0])

    @given(SCORES, st.floats(-10, 10), st.floats(0.1, 10))
    def test_it_moves_and_grows_with_the_scores(
        self, scores: list[float], shift: float, scale: float
    ) -> None:
        low, high = bounds(student_t_interval(scores))

        moved = student_t_interval([shift + scale * score for score in scores])

        assert bounds(moved) == pytest.approx((shift + scale * low, shift + scale * high), abs=1e-9)

    def test_with_clusters_the_degrees_of_freedom_are_those_of_clusters(self) -> None:
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
    def test_its_bounds_are_the_published_ones(
        self, passed: int, total: int, low: float, high: float
    ) -> None:
        found = wilson_interval(passed, total)

        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
        assert (found.level, found.method) == (0.95, IntervalMethod.WILSON)

    @given(st.integers(0, 100_000), st.integers(0, 100_000), st.sampled_from([0.5, 0.95, 0.999]))
    def test_it_agrees_with_scipy(self, passed: int, failed: int, level: float) -> None:
        total = passed + failed or 1
        expected = stats.binomtest(passed, total).proportion_ci(level, method="wilson")

        # What scipy loses of a small bound by a subtraction is some 1e-16.
        assert bounds(wilson_interval(passed, total, level)) == pytest.approx(
            (expected.low, expected.high), rel=1e-9, abs=1e-15
        )

    @given(st.integers(0, 1000), st.integers(0, 1000))
    def test_passes_and_failures_may_change_places(self, passed: int, failed: int) -> None:
        total = passed + failed or 1
        low, high = bounds(wilson_interval(passed, total))

        assert bounds(wilson_interval(total - passed, total)) == pytest.approx((1 - high, 1 - low))

    def test_without_a_pass_it_begins_at_0_and_without_a_failure_it_ends_at_1(self) -> None:
        for total in (1, 7, 1000, 100_000):
            none, all_of_them = wilson_interval(0, total), wilson_interval(total, total)

            assert none.low == 0 < none.high < 1
            assert 0 < all_of_them.low < 1 == all_of_them.high

    def test_a_bound_next_to_0_is_not_lost_in_rounding(self) -> None:
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
    def test_with_few_passes_or_failures_it_is_wilsons_and_else_students(
        self, scores: list[float], method: IntervalMethod
    ) -> None:
        found = interval_of_mean(scores)

        assert found is not None
        assert found.method is method
        if method is IntervalMethod.WILSON:
            assert found == wilson_interval(sum(scores), len(scores))
        else:
            assert found == student_t_interval(scores)

    @pytest.mark.parametrize("scores", [[], [0.0], [1.0], [0.5]])
    def test_below_two_scores_there_is_none(self, scores: list[float]) -> None:
        assert interval_of_mean(scores) is None
        assert student_t_interval(scores, ["a"] * len(scores)) is None

    def test_within_a_single_cluster_there_is_none(self) -> None:
        assert student_t_interval([0.0, 1.0, 1.0], ["a"] * 3) is None

    @given(SCORES)
    def test_it_holds_the_mean(self, scores: list[float]) -> None:
        found = interval_of_mean(scores)

        assert found is not None
        assert mean(scores) in found

    @pytest.mark.parametrize("scores", [[0.25, 0.5, 0.75], [0.0, 1.0, 1.0]])
    def test_the_surer_the_wider(self, scores: list[float]) -> None:
        found = [bounds(interval_of_mean(scores, level=level)) for level in (0.5, 0.9, 0.95, 0.99)]

        for (low, high), (lower, higher) in pairwise(found):
            assert lower < low < high < higher

    @pytest.mark.parametrize("level", [-0.5, 0, 1, 95, math.nan])
    @pytest.mark.parametrize("scores", [[0.25, 0.5, 0.75], [0.0, 1.0, 1.0]])
    def test_a_level_beyond_0_and_1_is_an_error(self, scores: list[float], level: float) -> None:
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
    def test_of_a_normal_mean_it_is_exact_for_few_scores_too(self, count: int) -> None:
        drawn = random.Random(count)
        held = sum(
            10.0 in (interval_of_mean([drawn.gauss(10, 2) for _ in range(count)]) or ())
            for _ in range(self.SAMPLES)
        )

        # 1.96 standard errors hold it in 81%, 88% and 92% for 3, 5 and 10.
        assert held / self.SAMPLES == pytest.approx(0.95, abs=self.SLACK)

    @pytest.mark.parametrize("count", [20, 40])
    def test_of_a_mean_of_related_scores_it_is_near(self, count: int) -> None:
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
    def test_of_a_pass_rate_it_is_right_on_average_and_never_far_off(self, count: int) -> None:
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
