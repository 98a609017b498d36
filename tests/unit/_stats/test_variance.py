from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats.means import standard_error
from benchmark_runner._stats.variance import (
    WithinVariance,
    between_variance,
    difference_variance,
    noise_floor,
    pooled_within,
    within_variance,
)

#: O. L. Davies, "Statistical Methods in Research and Production", 1947: yield of dyestuff in five
#: preparations of each of six batches, as in Box and Tiao, "Bayesian Inference", table 5.1.2.
DYESTUFF = [
    [1545.0, 1440, 1440, 1520, 1580],
    [1540.0, 1555, 1490, 1560, 1495],
    [1595.0, 1550, 1605, 1510, 1560],
    [1445.0, 1440, 1595, 1465, 1545],
    [1595.0, 1630, 1515, 1635, 1625],
    [1520.0, 1455, 1450, 1480, 1445],
]
TASKS = st.lists(st.lists(st.floats(-100, 100), max_size=6), max_size=8)


class TestTheSplit:
    def test_published_table_is_found(self) -> None:
        """The variances between and within batches are the published ones."""
        within = within_variance(DYESTUFF)

        assert within is not None
        assert within.variance == pytest.approx(2451.25)
        assert (within.degrees, within.tasks) == (24, 6)
        assert round(between_variance(DYESTUFF, within) or 0, 2) == 1764.05
        assert round(within.standard_deviation, 2) == 49.51

    @given(TASKS)
    def test_mean_squares_agree_with_scipy(self, tasks: list[list[float]]) -> None:
        """With SciPy's ratio of mean squares the variance within is that of this one."""
        within = within_variance(tasks)
        filled = [np.array(scores) for scores in tasks if scores]

        if all(len(scores) < 2 for scores in tasks):
            assert within is None
            return
        assert within is not None
        expected = sum(((scores - scores.mean()) ** 2).sum() for scores in filled) / sum(
            len(scores) - 1 for scores in filled
        )
        assert within.variance == pytest.approx(expected, abs=1e-9)
        if len(filled) > 1 and within.variance > 1e-3:
            total = np.concatenate(filled)
            among = sum(len(s) * (s.mean() - total.mean()) ** 2 for s in filled)
            ratio = stats.f_oneway(*filled).statistic
            assert among / (len(filled) - 1) / within.variance == pytest.approx(ratio, abs=1e-6)

    def test_single_repeats_tell_only_the_total(self) -> None:
        """Without repeats nothing is known within, and between there is the whole variance."""
        single = [[0.0], [1.0], [1.0], []]

        assert within_variance(single) is None
        assert between_variance(single, None) == pytest.approx(1 / 3)
        assert between_variance([[0.0, 1.0], []], within_variance([[0.0, 1.0]])) is None

    def test_noise_alone_leaves_nothing_between(self) -> None:
        """The variance between tasks, and that of a difference, is not below 0."""
        alike = [[0.0, 1.0], [1.0, 0.0]]
        within = within_variance(alike)
        assert between_variance(alike, within) == 0
        assert difference_variance(alike, alike, within) == 0

    @pytest.mark.sampled
    def test_unequal_repeats_are_unbiased(self) -> None:
        """On average over samples with unequal numbers of repeats, both variances are true."""
        chance = random.Random(3)
        sums = [0.0, 0.0]
        for _ in range(2000):
            tasks = [
                [centre + chance.gauss(0, 4) for _ in range(1 + number % 4)]
                for number in range(12)
                for centre in [chance.gauss(0, 3)]
            ]
            within = within_variance(tasks)
            assert within is not None
            sums[0] += within.variance / 2000
            sums[1] += (between_variance(tasks, within) or 0) / 2000

        assert sums == pytest.approx([16, 9], rel=0.05)

    def test_runs_are_pooled_by_degrees(self) -> None:
        """Two runs together have the variance within tasks of all of them."""
        first, second = DYESTUFF[:2], DYESTUFF[2:]
        parts = [within_variance(first), None, within_variance(second)]

        found = pooled_within(parts)

        assert found is not None
        assert found.variance == pytest.approx(2451.25)
        assert (found.degrees, found.tasks) == (24, 6)
        assert pooled_within([None, None]) is None


class TestTheNoiseFloor:
    def test_floor_is_t_times_the_error(self) -> None:
        """The floor is Student's t times the error of a difference of two single runs."""
        within = WithinVariance(variance=0.16, degrees=24, tasks=6)
        expected = stats.t.ppf(0.975, 24) * math.sqrt(2 * 0.16 / 500)

        assert noise_floor(within, [0.5] * 500) == pytest.approx(expected)
        assert (noise_floor(within, [0.5] * 500, level=0.5) or 0) < expected

    def test_shares_lie_at_most_1_apart(self) -> None:
        """However little is known, means of scores between 0 and 1 lie no further apart than 1."""
        little = WithinVariance(variance=0.5, degrees=1, tasks=1)

        assert noise_floor(little, [0.5, 1.0, 0.0]) == 1
        assert (noise_floor(little, [50.0, 1.0, 0.0]) or 0) > 7

    def test_nothing_repeated_has_no_floor(self) -> None:
        """Without repeats, or without scores, the floor is not known."""
        assert noise_floor(None, [0.5]) is None
        assert noise_floor(WithinVariance(0.5, 1, 1), []) is None

    @pytest.mark.sampled
    @pytest.mark.parametrize("repeats", [2, 5])
    def test_pairs_of_runs_lie_within_the_floor(self, repeats: int) -> None:
        """Of pairs of single runs of passes and failures, at least 95% lie within the floor."""
        chance = random.Random(repeats)
        rates = [chance.betavariate(0.6, 0.4) for _ in range(60)]

        def run() -> list[float]:
            return [float(chance.random() < rate) for rate in rates]

        inside = 0
        for _ in range(1000):
            within = within_variance(zip(*(run() for _ in range(repeats)), strict=True))
            assert within is not None
            apart = abs(sum(run()) - sum(run())) / 60
            inside += apart <= (noise_floor(within, rates) or 0)

        assert inside >= 940

    @pytest.mark.sampled
    @pytest.mark.parametrize("repeats", [2, 5])
    def test_error_over_tasks_holds_with_repeats(self, repeats: int) -> None:
        """The standard error over tasks is the spread of the means of samples of tasks."""
        chance = random.Random(repeats)
        means, errors = [], []
        for _ in range(1500):
            scores = [
                sum(chance.random() < rate for _ in range(repeats)) / repeats
                for rate in [chance.betavariate(0.6, 0.4) for _ in range(40)]
            ]
            means.append(sum(scores) / 40)
            errors.append((standard_error(scores) or 0) ** 2)

        assert math.sqrt(np.mean(errors)) == pytest.approx(np.std(means), rel=0.06)
