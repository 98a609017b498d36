"""The difference between two runs, task by task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from benchmark_runner._stats.distributions import normal_quantile
from benchmark_runner._stats.intervals import student_t_interval
from benchmark_runner._stats.means import clustered_standard_error, mean, standard_error

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from benchmark_runner._stats.intervals import Interval

_Task = TypeVar("_Task", bound="Hashable")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """The mean difference of two runs on the tasks that both have.

    Attributes:
        count: The number of tasks that both have.
        mean: The mean of the differences; above 0 if the second run is higher.
        standard_error: Of that mean; ``None`` below two tasks, or two clusters.
        interval: Of that mean, by Student's t; ``None`` likewise.
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
    """Compare two runs on the tasks that both have: the difficulty of a task cancels out.

    The error is that of the mean of the differences d, ``sqrt(Σ(d-m)²/(n-1)/n)``, and with
    clusters its clustered form.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 4, paired
    analysis.

    Args:
        first: The score of each task in the first run.
        second: The score of each task in the second run.
        clusters: The cluster of each task, if tasks are related.
        level: The confidence level of the interval, between 0 and 1.

    Returns:
        The comparison; ``None`` without a task that both have.

    Raises:
        KeyError: a task is in no cluster.
        ValueError: ``level`` is not between 0 and 1.
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

    ``(z_{1-significance/2} + z_{power})·SE``, with the quantiles of the normal distribution: 2.80
    times the error by default.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 5.

    Args:
        standard_error: The standard error of the difference between the runs.
        power: The probability to show the difference, between 0 and 1.
        significance: The probability to show a difference if there is none.

    Raises:
        ValueError: ``power`` or ``significance`` is not between 0 and 1.
    """
    return (normal_quantile(1 - significance / 2) + normal_quantile(power)) * standard_error
