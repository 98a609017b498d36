"""The difference between two runs, task by task."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import TypeVar

from benchmark_runner._stats.distributions import binomial_cdf
from benchmark_runner._stats.intervals import Interval, student_t_interval
from benchmark_runner._stats.means import clustered_standard_error, mean, standard_error

_Task = TypeVar("_Task", bound="Hashable")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The mean difference of two runs on the tasks that both have, above 0 if the second is higher.

    Its standard error and interval (Student's t) are ``None`` below two tasks, or two clusters.
    """

    count: int
    mean: float
    standard_error: float | None
    interval: Interval | None


def paired_difference(
    first: Mapping[_Task, float],
    second: Mapping[_Task, float],
    clusters: Mapping[_Task, Hashable] | None = None,
    level: float = 0.95,
) -> PairedDifference | None:
    """Compare two runs by the scores of the tasks that both have; ``None`` without such a task.

    The difficulty of a task cancels out. The error is that of the mean of the differences d,
    ``sqrt(Σ(d-m)²/(n-1)/n)``, and with the cluster of each task its clustered form.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 4.

    Raises:
        KeyError: a task is in no cluster.
    """
    common = [task for task in first if task in second]
    differences = [second[task] - first[task] for task in common]
    centre = mean(differences)
    if centre is None:
        return None
    of_each = None if clusters is None else [clusters[task] for task in common]
    return PairedDifference(
        count=len(common),
        mean=centre,
        standard_error=standard_error(differences)
        if of_each is None
        else clustered_standard_error(differences, of_each),
        interval=student_t_interval(differences, of_each, level),
    )


def minimum_detectable_effect(
    standard_error: float, *, power: float = 0.8, significance: float = 0.05
) -> float:
    """Return the least true difference that a comparison with this error is likely to show.

    ``(z_{1-significance/2} + z_{power})·SE``: 2.80 times the error by default.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 5.

    Args:
        standard_error: The standard error of the difference between the runs.
        power: The probability to show the difference.
        significance: The probability to show a difference if there is none.
    """
    z = NormalDist().inv_cdf
    return (z(1 - significance / 2) + z(power)) * standard_error


def exact_mcnemar(gained: int, lost: int) -> float:
    """Return the probability of changes at least as uneven, if both directions are equally likely.

    The exact, two-sided form of McNemar's test: twice the binomial tail of the smaller count, at
    most 1; 1 without changes. It errs on the cautious side.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12, 1947; in its exact form Fagerland, Lydersen
    and Laake, BMC Medical Research Methodology 13:91, 2013.

    Args:
        gained: Number of tasks that only the second run passed.
        lost: Number of tasks that only the first run passed.
    """
    return min(1.0, 2 * binomial_cdf(min(gained, lost), gained + lost, 0.5))
