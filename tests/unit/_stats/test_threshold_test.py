from __future__ import annotations

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_runner._stats.threshold_test import ThresholdSide, ThresholdTest
from tests.benchmarks.settled import Case, completion_order, prefix_order, simulate

SCORES = st.lists(st.integers(0, 8).map(lambda eighths: eighths / 8), min_size=1, max_size=40)


def side_of_all(test: ThresholdTest, scores: list[float]) -> ThresholdSide | None:
    """Return the side once each score is known."""
    for position, score in enumerate(scores):
        test.narrow(position, score, score)
    return test.side


@given(SCORES, st.integers(0, 10).map(lambda tenths: tenths / 10))
def test_all_scores_tell_the_true_side(scores: list[float], threshold: float) -> None:
    """With each score known, the side is the true one, and the interval is the mean."""
    test = ThresholdTest.of_mean(threshold, len(scores), 0.5)
    above = sum(scores) / len(scores) >= threshold - 1e-9

    assert side_of_all(test, scores) is (ThresholdSide.ABOVE if above else ThresholdSide.BELOW)
    assert test.certain
    assert test.interval() == pytest.approx((sum(scores) / len(scores),) * 2)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_all_differences_tell_the_true_side(pairs: list[tuple[int, int]]) -> None:
    """With each difference known, the side is the true one, and none if they cancel out."""
    baseline, scores = ([one / 4 for one in of_run] for of_run in zip(*pairs, strict=True))
    test = ThresholdTest.of_difference(baseline, 0.5)
    difference = (sum(scores) - sum(baseline)) / len(pairs)
    expected = {1: ThresholdSide.ABOVE, -1: ThresholdSide.BELOW, 0: None}[
        (difference > 0) - (difference < 0)
    ]

    assert side_of_all(test, scores) is expected
    assert test.certain
    assert test.interval() == pytest.approx((difference, difference))


def test_nothing_is_settled_at_first() -> None:
    """Without a score there is no side, unless no score could change it."""
    assert ThresholdTest.of_mean(0.7, 500, 0.05).side is None
    assert ThresholdTest.of_mean(0.0, 500, 0.05).side is ThresholdSide.ABOVE
    assert ThresholdTest.of_difference([1.0, 0.0], 0.05).side is None
    assert ThresholdTest.of_mean(0.7, 500, 0.05).interval() == (0.0, 1.0)


def test_what_is_certain_needs_no_chance() -> None:
    """Enough passes settle a side for certain, whatever the rest may be."""
    test = ThresholdTest.of_mean(0.5, 10, 1e-9)
    for position in range(4):
        test.narrow(position, 1.0, 1.0)
    assert test.side is None

    test.narrow(9, 1.0, 1.0)

    assert (test.side, test.certain) == (ThresholdSide.ABOVE, True)


def test_a_claim_gives_way_to_certainty() -> None:
    """A side that was claimed wrongly is corrected once all scores are known."""
    scores = [1.0] * 30 + [0.0] * 70
    test = ThresholdTest.of_mean(0.5, 100, 0.05)
    for position in range(30):
        test.narrow(position, 1.0, 1.0)
    assert (test.side, test.certain) == (ThresholdSide.ABOVE, False)

    assert side_of_all(test, scores) is ThresholdSide.BELOW


def test_repeats_narrow_the_bounds() -> None:
    """A task of which some repeats are known counts within its bounds."""
    test = ThresholdTest.of_mean(0.5, 2, 0.05)
    test.narrow(0, 1 / 3, 2 / 3)
    assert test.interval() == pytest.approx((1 / 6, 5 / 6), abs=1e-3)

    test.narrow(0, 2 / 3, 2 / 3)
    test.narrow(1, 1 / 3, 1.0)

    assert (test.side, test.certain) == (ThresholdSide.ABOVE, True)


def test_known_baseline_halves_what_is_unknown() -> None:
    """A task that the baseline failed can only be better."""
    test = ThresholdTest.of_difference([0.0] * 4 + [1.0], 0.05)
    assert test.interval() == pytest.approx((-0.2, 0.8))

    test.narrow(2, 1.0, 1.0)
    test.narrow(3, 0.5, 0.5)

    assert (test.side, test.certain) == (ThresholdSide.ABOVE, True)


@pytest.mark.parametrize("alpha", [0.1, 0.4])
@pytest.mark.parametrize("scores", [[0, 1, 1, 0, 0, 1, 0.5], [0.5, 0.5, 0, 1, 0.5, 1, 0]])
def test_wrong_sides_are_at_most_alpha(scores: list[float], alpha: float) -> None:
    """Over all orders, at most the share alpha is wrong at any look, with or without a baseline."""
    baseline = [1, 0, 0.5, 0.5, 1, 0.5, 0]
    orders = list(permutations(range(len(scores))))
    claimed = {"mean": 0, "difference": 0}
    for order in orders:
        tests = {
            # The mean is 0.5, and equal to that of the baseline.
            "mean": ThresholdTest.of_mean(0.5, len(order), alpha),
            "difference": ThresholdTest.of_difference([baseline[at] for at in order], alpha),
        }
        for kind, test in tests.items():
            seen = set[ThresholdSide | None]()
            for position, at in enumerate(order):
                test.narrow(position, scores[at], scores[at])
                seen.add(test.side)
            claimed[kind] += bool(
                seen & ({ThresholdSide.BELOW} if kind == "mean" else {*ThresholdSide})
            )

    assert max(claimed.values()) <= alpha * len(orders)


@pytest.mark.parametrize("paired", [False, True])
def test_verdicts_hold_in_simulated_runs(paired: bool) -> None:
    """In simulated runs with slow failures and errors, few verdicts contradict the full run."""
    chance = random.Random(14)
    case = Case(tasks=100, parallelism=20, gap=0.1, slowdown=5, errors=0.05, paired=paired)

    runs = [simulate(case, prefix_order, chance) for _ in range(60)]

    assert sum(run.wrong for run in runs) <= 3
    assert sum(run.settled for run in runs) > 40


def test_completion_order_is_wrong() -> None:
    """The same rule on tasks in the order they finished is wrong far too often."""
    chance = random.Random(14)
    case = Case(tasks=200, parallelism=100, gap=0.02, slowdown=5, errors=0)

    wrong = sum(simulate(case, completion_order, chance).wrong for _ in range(40))

    assert wrong > 10
