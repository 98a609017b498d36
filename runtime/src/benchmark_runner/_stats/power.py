"""The tasks and repeats that two runs need for their comparison to show a difference."""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from benchmark_runner._stats.distributions import student_t_quantile

#: Above so many tasks, Student's t adds less than a task to what the normal distribution says.
_MANY = 10_000
#: More tasks than any dataset has, and more repeats than anybody wants to pay for.
_MOST_TASKS, _MOST_REPEATS = 10**9, 100


@dataclass(frozen=True, slots=True)
class StudyVariance:
    """The variances of which the paired difference of two runs is made.

    Attributes:
        differences: The variance over tasks of the true difference between the two.
        within: The variance of one repeat of a task in the first, plus that in the second.
        pass_fail: True if each score is 0 or 1, so that an exact McNemar test has to agree.
    """

    differences: float
    within: float
    pass_fail: bool = False

    def least_difference(
        self, tasks: int, repeats: int, *, power: float = 0.8, level: float = 0.95
    ) -> float:
        """Return the least true difference that a comparison is likely to show.

        ``(t_{(1+level)/2} + t_{power})·SE`` with ``SE² = (differences + within/K)/N``: with many
        tasks the minimum detectable effect, with few of them more, by Student's t.
        A difference that single runs of the same thing may have shows nothing, so that the first
        term is at least their noise floor, ``z_{(1+level)/2}·sqrt(within/N)``.

        Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), sections 3.1 and 5.

        Args:
            tasks: The number of tasks of each run, N, at least 2.
            repeats: The number of repeats of each task in each run, K.
            power: The probability to show the difference, from 0.5 to below 1.
            level: The level of the comparison's interval.
        """
        z, z_power = map(NormalDist().inv_cdf, ((1 + level) / 2, power))
        t, t_power = z, z_power
        if tasks <= _MANY:
            t = student_t_quantile((1 + level) / 2, tasks - 1)
            t_power = student_t_quantile(power, tasks - 1)
        error = math.sqrt((self.differences + self.within / repeats) / tasks)
        floor = z * math.sqrt(self.within / tasks)
        by_interval = max(t * error, floor) + t_power * error
        if not self.pass_fail or repeats > 1:
            return by_interval
        return max(by_interval, _by_exact_test(error, tasks, z, z_power))

    def tasks_needed(
        self, difference: float, repeats: int, *, power: float = 0.8, level: float = 0.95
    ) -> int | None:
        """Return the smallest number of tasks that show a difference; ``None`` above 10^9."""
        return _least(
            range(2, _MOST_TASKS),
            lambda tasks: (
                self.least_difference(tasks, repeats, power=power, level=level) <= difference
            ),
        )

    def repeats_needed(
        self, difference: float, tasks: int, *, power: float = 0.8, level: float = 0.95
    ) -> int | None:
        """Return the smallest number of repeats with which so many tasks show a difference.

        ``None`` if 100 do not: repeats take off nothing of the differences between tasks.
        """
        return _least(
            range(1, _MOST_REPEATS + 1),
            lambda repeats: (
                self.least_difference(tasks, repeats, power=power, level=level) <= difference
            ),
        )


def _by_exact_test(error: float, tasks: int, z: float, z_power: float) -> float:
    """Return the least difference of pass rates that the exact McNemar test is likely to show.

    The root D of ``D = z·sqrt(SE² + D²/N) + z_{power}·SE + 1/N``: the test takes the share of
    tasks that changed, ``N·SE² + D²``, for the variance; 1/N is its continuity correction.

    Source: R. J. Connor, "Sample Size for Testing Differences in Proportions for the
    Paired-Sample Design", Biometrics 43(1), 1987; A. L. Edwards, Psychometrika 13, 1948.
    """
    rest, share = z_power * error + 1 / tasks, z * z / tasks
    if share >= 1:
        return math.inf
    product = rest * rest - (z * error) ** 2
    return (rest + math.sqrt(rest * rest - (1 - share) * product)) / (1 - share)


def _least(numbers: range, suffices: Callable[[int], bool]) -> int | None:
    """Return the least number that suffices, as all above it do; ``None`` without any."""
    index = bisect_left(numbers, True, key=suffices)
    return numbers[index] if index < len(numbers) else None
