from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats import distributions
from benchmark_runner._stats.distributions import (
    binomial_cdf,
    student_t_quantile,
)

#: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2: critical values of Student's t.
T_TABLE = {
    # degrees: at 0.90, 0.95, 0.975, 0.99, 0.995
    1: (3.078, 6.314, 12.706, 31.821, 63.657),
    2: (1.886, 2.920, 4.303, 6.965, 9.925),
    3: (1.638, 2.353, 3.182, 4.541, 5.841),
    4: (1.533, 2.132, 2.776, 3.747, 4.604),
    5: (1.476, 2.015, 2.571, 3.365, 4.032),
    10: (1.372, 1.812, 2.228, 2.764, 3.169),
    30: (1.310, 1.697, 2.042, 2.457, 2.750),
    100: (1.290, 1.660, 1.984, 2.364, 2.626),
}
DEGREES = [1, 2, 3, 4, 9, 29, 30, 99, 1000, 99_999]
SHARES = [1e-10, 1e-4, 0.005, 0.025, 0.05, 0.3, 0.6, 0.8, 0.95, 0.975, 0.995, 0.9999]


def student_t_cdf(value: float, degrees: float) -> float:
    """Return the probability that Student's t is at most ``value``."""
    tail = distributions._student_t_tail(abs(value), degrees)
    return tail if value < 0 else 1 - tail


class TestStudentsT:
    @pytest.mark.parametrize("degrees", T_TABLE)
    def test_t_quantiles_match_the_table(self, degrees: int) -> None:
        """The quantiles of Student's t are those of the published table."""
        shares = (0.90, 0.95, 0.975, 0.99, 0.995)
        found = [round(student_t_quantile(share, degrees), 3) for share in shares]

        assert found == list(T_TABLE[degrees])

    @pytest.mark.parametrize("degrees", DEGREES)
    def test_t_quantiles_agree_with_scipy(self, degrees: int) -> None:
        """The quantiles of Student's t agree with SciPy."""
        for share in SHARES:
            expected = stats.t.ppf(share, degrees)
            assert student_t_quantile(share, degrees) == pytest.approx(expected, rel=1e-9)

    @pytest.mark.parametrize("degrees", [0.5, *DEGREES])
    def test_t_probabilities_agree_with_scipy(self, degrees: float) -> None:
        """The probabilities of Student's t agree with SciPy, far out, too."""
        for value in (0.0, 1e-9, 0.01, 0.7, 1.0, 1.96, 5.0, 60.0, 1e5):
            for signed in (value, -value):
                expected = stats.t.cdf(signed, degrees)
                assert student_t_cdf(signed, degrees) == pytest.approx(
                    expected, rel=1e-9, abs=1e-300
                )

    def test_one_degree_is_the_cauchy_distribution(self) -> None:
        """With one degree of freedom it is the Cauchy distribution."""
        for value in (-40.0, -1.0, 0.0, 0.3, 7.0):
            assert student_t_cdf(value, 1) == pytest.approx(0.5 + math.atan(value) / math.pi)

    @given(st.floats(1e-6, 1 - 1e-6), st.integers(1, 100_000))
    def test_quantile_inverts_the_probability(self, share: float, degrees: int) -> None:
        """The probability at a quantile is its share."""
        value = student_t_quantile(share, degrees)

        assert student_t_cdf(value, degrees) == pytest.approx(share, rel=1e-9)

    def test_t_is_symmetric_about_0(self) -> None:
        """Student's t is symmetric about 0."""
        assert student_t_quantile(0.5, 7) == 0
        assert student_t_quantile(0.25, 7) == -student_t_quantile(0.75, 7)
        assert student_t_cdf(-math.inf, 7) == 0
        assert student_t_cdf(math.inf, 7) == 1


class TestTheBinomialTail:
    @given(st.integers(1, 200), st.data())
    def test_binomial_is_the_sum_of_its_terms(self, trials: int, data: st.DataObject) -> None:
        """The binomial probability is the exact sum of its terms."""
        successes = data.draw(st.integers(0, trials))
        chance = data.draw(st.fractions(0, 1, max_denominator=50))
        exact = sum(
            math.comb(trials, count) * chance**count * (1 - chance) ** (trials - count)
            for count in range(successes + 1)
        )

        found = binomial_cdf(successes, trials, float(chance))

        assert found == pytest.approx(float(Fraction(exact)), rel=1e-10, abs=1e-300)

    @pytest.mark.parametrize("successes", [49_000, 49_900, 50_000, 50_100, 51_000])
    def test_binomial_agrees_with_scipy(self, successes: int) -> None:
        """The binomial probability agrees with SciPy for many trials."""
        expected = stats.binom.cdf(successes, 100_000, 0.5)

        assert binomial_cdf(successes, 100_000, 0.5) == pytest.approx(expected, rel=1e-9, abs=0)

    def test_binomial_ends_at_0_and_1(self) -> None:
        """Below no success the probability is 0, at all successes 1."""
        assert binomial_cdf(-1, 10, 0.5) == 0
        assert binomial_cdf(10, 10, 0.5) == 1
        assert binomial_cdf(0, 0, 0.5) == 1
