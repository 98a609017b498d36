from __future__ import annotations

import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats.means import (
    RunningMean,
    clustered_standard_error,
    mean,
    standard_deviation,
    standard_error,
)

SAMPLES = [
    [0.0, 1.0],
    [1.0, 0.0, 0.0, 1.0, 1.0, 0.5],
    [1e9 + 1, 1e9 + 2, 1e9 + 4],
    [-1e-9, 2e-9, 5e-9],
    [index / 97 for index in range(500)],
]
SCORES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)
#: Scores that differ enough for their spread to be told from rounding.
STEPS = st.lists(st.integers(-1000, 1000).map(lambda step: step / 8), min_size=2, max_size=30)


def naive_clustered_error(scores: list[float], clusters: list[int]) -> float:
    """The equation as it is printed, in quadratic time."""
    n, centre = len(scores), math.fsum(scores) / len(scores)
    plain = math.fsum((score - centre) ** 2 for score in scores) / (n - 1) / n
    alike = math.fsum(
        (scores[i] - centre) * (scores[j] - centre)
        for i in range(n)
        for j in range(n)
        if i != j and clusters[i] == clusters[j]
    )
    return math.sqrt(max(0.0, plain + alike / n**2))


@pytest.mark.parametrize("scores", SAMPLES)
def test_means_and_errors_agree_with_scipy(scores: list[float]) -> None:
    """Mean, standard deviation and standard error agree with SciPy."""
    assert mean(scores) == pytest.approx(np.mean(scores), rel=1e-12)
    assert standard_deviation(scores) == pytest.approx(stats.tstd(scores), rel=1e-9)
    assert standard_error(scores) == pytest.approx(stats.sem(scores), rel=1e-9)


def test_small_scores_beside_large_ones_count() -> None:
    """Small scores beside very large ones are not lost in rounding."""
    assert mean([1e16, 1.0, -1e16]) == pytest.approx(1 / 3)


def test_small_spread_is_not_lost() -> None:
    """A small spread far from 0 is not lost in rounding."""
    scores = [1e15 + step for step in (0.0, 1.0, 2.0, 3.0, 4.0)]

    assert mean(scores) == 1e15 + 2
    assert standard_deviation(scores) == pytest.approx(math.sqrt(2.5), rel=1e-12)


@given(st.floats(-1e6, 1e6), st.integers(2, 50))
def test_equal_scores_have_no_error(score: float, count: int) -> None:
    """Equal scores have themselves as mean and a standard error of 0."""
    assert mean([score] * count) == score
    assert standard_error([score] * count) == 0
    assert clustered_standard_error([score] * count, [*range(1, count), 1]) in (0, None)


@pytest.mark.parametrize("scores", [[1e308] * 3, [1.7e308, 1.7e308], [-1e308] * 5])
def test_sum_beyond_floats_has_a_mean(scores: list[float]) -> None:
    """Scores whose sum is no float have a mean, which is one."""
    assert mean(scores) == pytest.approx(scores[0])


def test_no_scores_have_no_mean() -> None:
    """Without scores there is neither mean nor error."""
    assert mean([]) is None
    assert standard_deviation([]) is None
    assert standard_error([]) is None
    assert clustered_standard_error([], []) is None


def test_one_score_has_a_mean_and_no_error() -> None:
    """One score has a mean and no error."""
    assert mean([0.5]) == 0.5
    assert standard_deviation([0.5]) is None
    assert standard_error([0.5]) is None
    assert clustered_standard_error([0.5], ["a"]) is None


@given(SCORES, st.randoms())
def test_the_order_of_scores_does_not_matter(scores: list[float], shuffler: random.Random) -> None:
    """The order of the scores does not matter."""
    pairs = [(score, index % 3) for index, score in enumerate(scores)]
    shuffled = shuffler.sample(pairs, len(pairs))

    for ours in (mean, standard_error):
        expected = ours(scores)
        assert ours([score for score, _ in shuffled]) == pytest.approx(expected, abs=1e-9)
    before, after = (
        clustered_standard_error(*zip(*each, strict=True)) for each in (pairs, shuffled)
    )
    assert after == pytest.approx(before, abs=1e-9)


@given(STEPS, st.floats(-100, 100), st.floats(0.01, 100))
def test_errors_scale_but_do_not_shift(scores: list[float], shift: float, scale: float) -> None:
    """Errors grow with the scale of the scores and not with a shift."""
    moved = [shift + scale * score for score in scores]
    clusters = [index % 4 for index in range(len(scores))]

    assert standard_error(moved) == pytest.approx(scale * (standard_error(scores) or 0), abs=1e-9)
    assert clustered_standard_error(moved, clusters) == pytest.approx(
        scale * (clustered_standard_error(scores, clusters) or 0), abs=1e-9
    )


class TestClusters:
    @given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, 5)), min_size=2, max_size=30))
    def test_clustered_error_is_the_equation(self, pairs: list[tuple[float, int]]) -> None:
        """The clustered error is that of the equation as it is printed."""
        scores, clusters = [score for score, _ in pairs], [cluster for _, cluster in pairs]

        error = clustered_standard_error(scores, clusters)

        if len(set(clusters)) < 2:
            assert error is None
        else:
            # What it rounds to near 0 the naive form can't know.
            assert error == pytest.approx(
                naive_clustered_error(scores, clusters), rel=1e-6, abs=1e-4
            )

    @given(STEPS)
    def test_clusters_of_one_task_change_nothing(self, scores: list[float]) -> None:
        """Clusters of one task each change nothing."""
        error = clustered_standard_error(scores, range(len(scores)))

        assert error == pytest.approx(standard_error(scores), rel=1e-12)

    @pytest.mark.parametrize("copies", [2, 5])
    @pytest.mark.parametrize("count", [3, 30, 3000])
    def test_copies_leave_the_error(self, count: int, copies: int) -> None:
        """Copies of each task in its cluster leave the error nearly as it was."""
        scores = [index % 7 / 7 for index in range(count)]
        clusters = list(range(count))

        error = clustered_standard_error(scores * copies, clusters * copies)

        # The equation divides by the number of clusters, the plain error by one less.
        plain = standard_error(scores)
        assert plain is not None
        assert error == pytest.approx(
            plain
            * math.sqrt((count - 1) / count + (count - 1) / count / (copies * count - 1) / copies)
        )
        assert error == pytest.approx(plain, rel=0.6 / count)
        assert error > 1.3 * (standard_error(scores * copies) or 0)

    def test_offsetting_scores_have_a_small_error(self) -> None:
        """Scores that offset each other within a cluster have a smaller error."""
        scores, clusters = [0.0, 1.0] * 50, [index // 2 for index in range(100)]

        error = clustered_standard_error(scores, clusters)

        assert error == pytest.approx(math.sqrt(25 / 99) / 100)
        assert error < (standard_error(scores) or 0)

    def test_single_cluster_has_no_error(self) -> None:
        """Scores of a single cluster have no error."""
        assert clustered_standard_error([0.0, 1.0, 1.0], ["a"] * 3) is None

    def test_a_score_without_a_cluster_is_an_error(self) -> None:
        """A score without a cluster is an error."""
        with pytest.raises(ValueError, match="2 scores, 1 clusters"):
            clustered_standard_error([0.0, 1.0], ["a"])


class TestRunningMean:
    def test_running_mean_is_that_of_all(self) -> None:
        """Mean and error of numbers that come one by one are those of all."""
        chance = random.Random(1)
        numbers = [1e9 + chance.random() for _ in range(1000)]
        running = RunningMean()
        for number in numbers:
            running.add(number)
        assert running.mean == pytest.approx(statistics.fmean(numbers), rel=1e-14)
        assert running.stderr == pytest.approx(standard_error(numbers), rel=1e-6)

    def test_running_mean_continues(self) -> None:
        """The running mean continues from a count, a mean and an error."""
        before, after = [0.0, 1.0, 1.0], [0.5, 0.25]
        running = RunningMean.of(3, statistics.fmean(before), standard_error(before))
        for number in after:
            running.add(number)
        assert running.count == 5
        assert running.mean == pytest.approx(statistics.fmean(before + after))
        assert running.stderr == pytest.approx(standard_error(before + after))

    def test_running_mean_resumes_from_huge_error(self) -> None:
        """A mean and an error of a log that are beyond reason end nothing."""
        running = RunningMean.of(3, 1e308, 1e308)
        running.add(1.0)

        assert running.count == 4

    def test_running_mean_of_one_has_no_error(self) -> None:
        """Below two scores there is no standard error."""
        running = RunningMean.of(0, None, None)
        assert (running.count, running.stderr) == (0, None)
        running.add(0.25)
        assert (running.mean, running.stderr) == (0.25, None)
        assert RunningMean.of(1, 0.25, None) == running
