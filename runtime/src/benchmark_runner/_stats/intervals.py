"""Confidence intervals of a mean."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from benchmark_runner._stats.distributions import student_t_quantile
from benchmark_runner._stats.means import (
    clustered_standard_error,
    is_pass_fail,
    mean,
    standard_error,
)

#: With fewer passes or failures, Student's t is not reliable.
_ENOUGH = 15


class IntervalMethod(StrEnum):
    """The method that gave an interval."""

    STUDENT_T = "student_t"
    WILSON = "wilson"


@dataclass(frozen=True, slots=True)
class Interval:
    """Bounds that hold the true mean in a share of all samples, ``level``."""

    low: float
    high: float
    level: float
    method: IntervalMethod

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def interval_of_mean(scores: Sequence[float], level: float = 0.95) -> Interval | None:
    """Return the interval of a mean, by the method that suits the scores.

    Wilson's if each score is 0 or 1 and there are fewer than 15 passes or fewer than 15
    failures; otherwise Student's t. ``None`` below two scores.

    Source of the rule: Agresti, Franklin and Klingenberg, "Statistics: The Art and Science of
    Learning from Data", section 8.2, asks for 15 of each before the error of a rate is used.
    """
    by_t = student_t_interval(scores, level=level)
    if by_t is None or not is_pass_fail(scores):
        return by_t
    passed, total = sum(scores), len(scores)
    if min(passed, total - passed) >= _ENOUGH:
        return by_t
    return wilson_interval(passed, total, level)


def student_t_interval(
    scores: Sequence[float], clusters: Sequence[Hashable] | None = None, level: float = 0.95
) -> Interval | None:
    """Return the interval ``m ± t·SE``, with the quantile of Student's t.

    The degrees of freedom are the number of scores less 1, with clusters the number of clusters
    less 1. Equal scores give an interval of no width.

    Source: "Student", "The probable error of a mean", Biometrika 6, 1908; for clusters Cameron
    and Miller, "A Practitioner's Guide to Cluster-Robust Inference", Journal of Human Resources
    50(2), 2015, section VI.

    Args:
        scores: The scores, on any scale; the bounds may lie beyond its ends.
        clusters: The cluster of each score, in the same order, if tasks are related.
        level: The confidence level, between 0 and 1.

    Returns:
        The interval; ``None`` below two scores, or two clusters.
    """
    if clusters is None:
        error, units = standard_error(scores), len(scores)
    else:
        error, units = clustered_standard_error(scores, clusters), len(set(clusters))
    centre = mean(scores)
    if centre is None or error is None:
        return None
    reach = student_t_quantile(_share_below(level), units - 1) * error
    return Interval(centre - reach, centre + reach, level, IntervalMethod.STUDENT_T)


def wilson_interval(passed: float, total: float, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a pass rate, which has a width and is within 0 and 1.

    The bounds are the two rates p for which ``(passed/total - p)² = z²·p(1-p)/total``.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22, 1927; Brown, Cai and DasGupta, "Interval
    Estimation for a Binomial Proportion", Statistical Science 16(2), 2001, section 3.1.1.
    """
    square = NormalDist().inv_cdf(_share_below(level)) ** 2
    low = _lower_wilson_bound(passed, total, square)
    high = 1 - _lower_wilson_bound(total - passed, total, square)
    return Interval(low, high, level, IntervalMethod.WILSON)


def _share_below(level: float) -> float:
    """Return the share of all samples below the upper bound."""
    if not 0 < level < 1:
        raise ValueError(f"A level is between 0 and 1, such as 0.95, not {level}")
    return (1 + level) / 2


def _lower_wilson_bound(passed: float, total: float, square: float) -> float:
    # From the greater root and the product of both: a difference would lose the small one.
    middle = passed + square / 2
    spread = math.sqrt(square * (passed * (total - passed) / total + square / 4))
    return passed * passed / total / (middle + spread)
