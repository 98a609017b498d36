from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmark_runner._stats.means import clustered_standard_error
from benchmark_runner._stats.paired_difference import (
    exact_mcnemar,
    minimum_detectable_effect,
    paired_difference,
)

SCORES = st.dictionaries(st.integers(0, 40), st.integers(0, 8).map(lambda n: n / 8), max_size=40)

#: "Student", "The probable error of a mean", Biometrika 6, 1908: additional hours of sleep by two
#: drugs, in ten patients; the mean difference is 1.58, and its standard deviation by n 1.17.
FIRST = dict(enumerate([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]))
SECOND = dict(enumerate([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]))


def test_published_differences_are_found() -> None:
    """The published mean, deviation and interval of paired data are found."""
    found = paired_difference(FIRST, SECOND)

    assert found is not None
    assert found.interval is not None
    assert found.standard_error is not None
    assert found.count == 10
    assert round(found.mean, 2) == 1.58
    assert round(found.standard_error * math.sqrt(9), 2) == 1.17
    # As R's `t.test(extra ~ group, data = sleep, paired = TRUE)` prints it.
    assert (round(found.interval.low, 7), round(found.interval.high, 7)) == (0.7001142, 2.4598858)


@given(SCORES, SCORES)
def test_common_tasks_agree_with_scipy(first: dict[int, float], second: dict[int, float]) -> None:
    """Only common tasks count, and error and interval agree with SciPy."""
    common = sorted(first.keys() & second.keys())
    a, b = (np.array([run[task] for task in common]) for run in (first, second))

    found = paired_difference(first, second)

    if not common:
        assert found is None
        return
    assert found is not None
    assert found.count == len(common)
    assert found.mean == pytest.approx(np.mean(b - a), abs=1e-12)
    if len(common) < 2:
        assert found.standard_error is None
        assert found.interval is None
    else:
        assert found.standard_error == pytest.approx(stats.sem(b - a), rel=1e-9, abs=1e-15)
    if len(common) > 1 and np.ptp(b - a) > 0:
        expected = stats.ttest_rel(b, a).confidence_interval(0.95)
        assert found.interval is not None
        assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected))


@given(SCORES, SCORES)
def test_swapping_runs_changes_the_sign(first: dict[int, float], second: dict[int, float]) -> None:
    """Exchanging the runs changes the sign of difference and interval."""
    there, back = paired_difference(first, second), paired_difference(second, first)

    if there is None or back is None:
        assert there is back
        return
    assert there.mean == pytest.approx(-back.mean, abs=1e-12)
    if there.interval is not None and back.interval is not None:
        assert there.interval.low == pytest.approx(-back.interval.high, abs=1e-12)


def test_interval_has_the_requested_level() -> None:
    """The interval has the level that was asked for."""
    found = paired_difference(FIRST, SECOND, level=0.9)

    expected = stats.ttest_rel([*SECOND.values()], [*FIRST.values()]).confidence_interval(0.9)
    assert found is not None
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(expected))


def test_task_difficulty_adds_no_error() -> None:
    """Differences between tasks do not add to the error of the difference."""
    hardness = random.Random(5)
    first = {task: hardness.random() for task in range(100)}
    second = {task: score + 0.1 + task % 2 / 50 for task, score in first.items()}

    found = paired_difference(first, second)

    assert found is not None
    assert found.mean == pytest.approx(0.11)
    assert found.standard_error == pytest.approx(0.001005, rel=1e-3)


def test_clusters_set_error_and_degrees() -> None:
    """With clusters, the error and the degrees of freedom are those of the clusters."""
    clusters = {task: task % 4 for task in FIRST}
    differences = [SECOND[task] - FIRST[task] for task in FIRST]

    found = paired_difference(FIRST, SECOND, clusters)

    error = clustered_standard_error(differences, [task % 4 for task in FIRST])
    assert found is not None
    assert found.interval is not None
    assert error is not None
    assert found.standard_error == pytest.approx(error)
    reach = stats.t.ppf(0.975, 3) * error
    assert (found.interval.low, found.interval.high) == pytest.approx(
        (found.mean - reach, found.mean + reach)
    )


def test_cluster_is_needed_for_common_tasks() -> None:
    """Clusters may name other tasks, but each common task needs one."""
    clusters = dict.fromkeys(range(20), "a") | {1: "b"}

    assert paired_difference(FIRST, SECOND | {15: 1.0}, clusters) is not None
    del clusters[0]
    with pytest.raises(KeyError):
        paired_difference(FIRST, SECOND, clusters)


class TestTheMinimumDetectableEffect:
    def test_default_effect_is_2_8_errors(self) -> None:
        """By default the minimum detectable effect is 2.802 standard errors."""
        assert round(minimum_detectable_effect(1.0), 3) == 2.802
        assert minimum_detectable_effect(0.03) == pytest.approx(
            (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 0.03
        )
        assert minimum_detectable_effect(0.0) == 0

    @pytest.mark.parametrize(("power", "significance"), [(0.8, 0.05), (0.9, 0.01)])
    def test_effect_has_the_requested_power(self, power: float, significance: float) -> None:
        """A difference of the effect's size is found with the power asked for."""
        effect = minimum_detectable_effect(0.5, power=power, significance=significance)

        critical = stats.norm.ppf(1 - significance / 2) * 0.5
        assert stats.norm.sf(critical, loc=effect, scale=0.5) == pytest.approx(power)


def test_exact_test_matches_the_published_value() -> None:
    """The exact test gives the published probability."""
    # Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13:91, 2013, table 1: the
    # airways of 21 children before and after a transplantation.
    assert round(exact_mcnemar(gained=7, lost=1), 3) == 0.070


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_exact_test_agrees_with_scipy(gained: int, lost: int) -> None:
    """The exact test agrees with SciPy, both ways round."""
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0

    assert exact_mcnemar(gained, lost) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert exact_mcnemar(lost, gained) == exact_mcnemar(gained, lost)


def test_even_or_no_flips_show_no_difference() -> None:
    """Without flips, and with as many each way, the probability is 1."""
    assert exact_mcnemar(0, 0) == 1
    assert exact_mcnemar(4, 4) == 1
