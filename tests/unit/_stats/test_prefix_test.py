from __future__ import annotations

import math
import random
from fractions import Fraction
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats import prefix_test
from benchmark_runner._stats.prefix_test import PrefixTest

if TYPE_CHECKING:
    from collections.abc import Sequence

#: An alpha that no capital is enough for, and a threshold between 0 and 1.
NEVER = 1e-300
UNIT = st.integers(0, 12).map(lambda twelfths: twelfths / 12)
THRESHOLD = st.integers(1, 19).map(lambda twentieths: twentieths / 20)
#: Populations that are small enough to see each of their orders.
POPULATIONS = [
    [0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
    [0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
    [0.1, 0.2, 0.3, 0.4, 1.0, 1.0],
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.6],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 1.0],
]


def known(values: Sequence[float], threshold: float, alpha: float = NEVER) -> PrefixTest:
    """Return a test that knows each value of a population."""
    test = PrefixTest(threshold, [0.0] * len(values), alpha, strict=True)
    for position, value in enumerate(values):
        test.raise_to(position, value)
    return test


def bet(test: PrefixTest) -> list[float]:
    """Return the capital after each of the values, zeros at the end included."""
    test._reach = len(test._lows)
    assert not test._bet()
    kept, count = test._capitals, len(prefix_test._SCALES)
    return [sum(kept[at : at + count]) for at in range(count, len(kept), count)]


def exact_capitals(values: Sequence[float], threshold: float) -> list[float]:
    """Return the capital after each value by its definition, in exact fractions."""
    count, total = len(values), Fraction(0)
    shifts = [Fraction(min(scale / math.sqrt(count), 1.0)) for scale in prefix_test._SCALES]
    shares = [Fraction(1, len(shifts))] * len(shifts)
    found: list[float] = []
    for drawn, value in enumerate(map(Fraction, values)):
        mean = (Fraction(threshold) * count - total) / (count - drawn)
        if mean <= prefix_test._SLACK:
            break
        for number, shift in enumerate(shifts):
            most = Fraction(prefix_test._MOST_AT_RISK) / mean
            fair = shift * count / (count - drawn) / (mean * (1 - mean)) if mean < 1 else most
            shares[number] *= 1 + min(fair, most) * (value - mean)
        total += value
        found.append(float(sum(shares)))
    return found


@given(st.lists(UNIT, min_size=1, max_size=12), THRESHOLD)
def test_capital_is_as_defined(values: list[float], threshold: float) -> None:
    """The capital agrees with its definition in exact fractions."""
    expected = exact_capitals(values, threshold)

    assert bet(known(values, threshold))[: len(expected)] == pytest.approx(expected, rel=1e-6)


@given(st.lists(UNIT, min_size=1, max_size=12), THRESHOLD)
def test_claim_is_made_once_the_capital_suffices(values: list[float], threshold: float) -> None:
    """A claim is made if it is certain, or the capital was enough after any prefix."""
    most = max(exact_capitals(values, threshold))
    assume(most > 1.05)  # as at the start it is 1
    mean = sum(values) / len(values)
    for alpha in (0.98 / most, 1.02 / most):
        test = known(values, threshold, alpha)

        assert test.holds is (mean > threshold + 1e-6 or alpha > 1 / most)


@pytest.mark.parametrize(("null", "other"), [(20, 25), (10, 30), (33, 36)])
def test_binary_capital_is_a_ratio_of_likelihoods(
    monkeypatch: pytest.MonkeyPatch, null: int, other: int
) -> None:
    """For 0 and 1, the capital on a difference is the ratio of hypergeometric likelihoods."""
    count = 40
    monkeypatch.setattr(prefix_test, "_SCALES", [(other - null) / count * math.sqrt(count)])
    monkeypatch.setattr(prefix_test, "_MOST_AT_RISK", 1.0)
    values = [1.0] * 24 + [0.0] * 16
    random.Random(null).shuffle(values)
    # As long as either mean may be true: after that, no ratio.
    drawn = [(n + 1, round(sum(values[: n + 1]))) for n in range(25)]
    drawn = [(n, passed) for n, passed in drawn if passed < null and n - passed < count - other]

    found = bet(known(values, null / count))[: len(drawn)]

    ratio = [
        stats.hypergeom.pmf(passed, count, other, n) / stats.hypergeom.pmf(passed, count, null, n)
        for n, passed in drawn
    ]
    assert len(drawn) > 10
    assert found == pytest.approx(ratio)


@pytest.mark.parametrize("values", POPULATIONS)
@pytest.mark.parametrize("above", [0.0, 0.05, 0.2])
def test_bets_are_fair_over_all_orders(values: list[float], above: float) -> None:
    """Over all orders the mean capital is 1 at the true mean, and less above it."""
    threshold = min(sum(values) / len(values) + above, 0.99)
    orders = list(permutations(values))

    capitals = [bet(known(order, threshold)) for order in orders]

    for after in zip(*capitals, strict=True):
        expected = math.fsum(after) / len(orders)
        assert expected == pytest.approx(1.0, abs=1e-6) if not above else expected <= 1


@pytest.mark.parametrize("values", POPULATIONS)
@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5])
def test_wrong_claims_are_at_most_alpha(values: list[float], alpha: float) -> None:
    """Over all orders, a claim that is wrong is made in at most the share alpha."""
    threshold = sum(values) / len(values)
    orders = list(permutations(values))

    wrong = sum(known(order, threshold, alpha).holds for order in orders)

    assert wrong <= alpha * len(orders)


@given(st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=12), THRESHOLD)
def test_capital_grows_with_each_value(pairs: list[tuple[float, float]], threshold: float) -> None:
    """Values that are lower never have more capital, after any prefix."""
    lower = bet(known([min(pair) for pair in pairs], threshold))
    higher = bet(known([max(pair) for pair in pairs], threshold))

    total = 0.0
    for low, high, pair in zip(lower, higher, pairs, strict=False):
        total += max(pair)
        if total >= threshold * len(pairs) - 1e-6:
            break  # certain
        assert low <= high * (1 + 1e-9)


@given(st.lists(UNIT, min_size=1, max_size=12), st.tuples(THRESHOLD, THRESHOLD))
def test_capital_falls_with_the_threshold(
    values: list[float], thresholds: tuple[float, float]
) -> None:
    """A higher threshold never has more capital, after any prefix."""
    more, less = (bet(known(values, threshold)) for threshold in sorted(thresholds))

    total = 0.0
    for high, low, value in zip(more, less, values, strict=False):
        total += value
        if total >= min(thresholds) * len(values) - 1e-6:
            break  # certain
        assert low <= high * (1 + 1e-9)


@given(st.lists(UNIT, min_size=1, max_size=30), THRESHOLD, st.randoms(use_true_random=False))
def test_looks_agree_with_a_new_test(
    values: list[float], threshold: float, chance: random.Random
) -> None:
    """A test that looked after every result says what one says that has not looked yet."""
    test = PrefixTest(threshold, [0.0] * len(values), 0.3, strict=True)
    lows = [0.0] * len(values)
    for position in chance.sample(range(len(values)), len(values)):
        lows[position] = values[position]

        test.raise_to(position, values[position])

        assert test.holds == known(lows, threshold, 0.3).holds


def test_a_bound_never_falls() -> None:
    """A bound that is lower than the one known before changes nothing."""
    test = known([1.0, 0.5], 0.7)

    test.raise_to(0, 0.2)

    assert test.least_mean == 0.75


@pytest.mark.parametrize(("threshold", "count"), [(0.07, 100), (1 / 3, 3), (0.7, 10), (1.0, 7)])
def test_the_threshold_itself(threshold: float, count: int) -> None:
    """A mean of exactly the threshold is at least it, and not above it, in spite of rounding."""
    passed = round(threshold * count)
    for strict in (False, True):
        test = PrefixTest(threshold, [0.0] * count, 1e-9, strict=strict)
        for position in range(passed):
            test.raise_to(position, 1.0)

        assert test.certain is not strict
        assert test.holds is not strict


def test_a_third_of_each_repeat_adds_up() -> None:
    """Scores that floats can't write still add up to the threshold."""
    test = PrefixTest(1 / 3, [0.0] * 3000, 0.05, strict=False)
    for position in range(3000):
        for passed in (0.1, 0.2, 1 / 3):
            test.raise_to(position, passed)

    assert test.certain


@given(st.lists(UNIT, min_size=1, max_size=30), st.sampled_from([0.01, 0.1, 0.5]))
def test_lower_bound_is_where_claims_end(values: list[float], alpha: float) -> None:
    """Each claim below the lower bound is made, and none far above it."""
    half = values[: len(values) // 2] + [0.0] * (len(values) - len(values) // 2)
    found = known(half, 0.5, alpha).lower_bound()

    assert sum(half) / len(half) <= found <= 1
    for threshold in (found * 0.5, found - 1e-6, found + 0.001):
        if 0 < threshold < 1:
            assert known(half, threshold, alpha).holds is (threshold < found)


def test_lower_bound_rises_with_alpha() -> None:
    """A greater probability to be wrong gives a higher bound."""
    values = [1.0, 1.0, 0.0, 1.0, 1.0, 1.0] * 5 + [0.0] * 30
    bounds = [known(values, 0.45, alpha).lower_bound() for alpha in (0.001, 0.01, 0.05, 0.3)]

    assert bounds == sorted(bounds)
    assert bounds[0] < bounds[-1]
