"""The variance of scores between tasks and within a task, and what it means for a single run.

The model is a one-way analysis of variance with random effects: a score is that of its task, plus
what a repeat adds by chance.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark_runner._stats.distributions import student_t_quantile
from benchmark_runner._stats.means import mean, standard_deviation


@dataclass(frozen=True, slots=True)
class WithinVariance:
    """The variance of the repeats of a task about their mean, over all tasks with two or more.

    Attributes:
        variance: The pooled sum of squares by ``degrees``.
        degrees: The degrees of freedom, one less than the repeats of each task.
        tasks: The number of tasks with two or more repeats.
    """

    variance: float
    degrees: int
    tasks: int

    @property
    def standard_deviation(self) -> float:
        """The standard deviation of one repeat of a task."""
        return math.sqrt(self.variance)


def noise_floor(
    within: WithinVariance | None, scores: Sequence[float], level: float = 0.95
) -> float | None:
    """Return the difference up to which two single runs of the same thing lie apart.

    ``t · sqrt(2·within/N)``, with the quantile of Student's t for the degrees of freedom of the
    variance within tasks. The tasks are the same in both: their difficulty cancels out. Means of
    scores between 0 and 1 lie no further apart than 1, however little is known.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), sections 3 and 4: a single
    answer a task has the conditional variance ``within/N``, and a paired difference of two such
    runs twice that.

    Args:
        within: The variance within tasks, if it is known.
        scores: The score of each task, N of them.
        level: The share of all pairs of runs that lie no further apart.

    Returns:
        The difference; ``None`` without scores, or if the variance is not known.
    """
    if within is None or not scores:
        return None
    reach = student_t_quantile((1 + level) / 2, within.degrees)
    floor = reach * math.sqrt(2 * within.variance / len(scores))
    return min(floor, 1.0) if all(0 <= score <= 1 for score in scores) else floor


def within_variance(repeats: Iterable[Sequence[float]]) -> WithinVariance | None:
    """Return the variance within tasks; ``None`` if no task has two repeats.

    ``Σ_i Σ_j (s_ij-m_i)² / Σ_i (n_i-1)``, the mean square within groups.

    Source: S. R. Searle, G. Casella and C. E. McCulloch, "Variance Components", 1992, chapter 3;
    NIST/SEMATECH e-Handbook of Statistical Methods, 7.4.3.3.

    Args:
        repeats: The scores of the repeats of each task; their numbers may differ.
    """
    several = [scores for scores in repeats if len(scores) > 1]
    if not several:
        return None
    degrees = sum(len(scores) - 1 for scores in several)
    deviation = math.hypot(
        *((standard_deviation(scores) or 0.0) * math.sqrt(len(scores) - 1) for scores in several)
    )
    return WithinVariance(deviation * deviation / degrees, degrees, len(several))


def pooled_within(parts: Iterable[WithinVariance | None]) -> WithinVariance | None:
    """Return the variance within the tasks of several runs, each by its degrees of freedom."""
    known = [part for part in parts if part]
    if not known:
        return None
    degrees = sum(part.degrees for part in known)
    variance = math.fsum(part.variance * (part.degrees / degrees) for part in known)
    return WithinVariance(variance, degrees, sum(part.tasks for part in known))


def between_variance(
    repeats: Iterable[Sequence[float]], within: WithinVariance | None
) -> float | None:
    """Return the variance of the true scores of tasks; ``None`` below two tasks.

    The variance of the tasks' means, less what the repeats add to it, ``within · mean(1/n_i)``:
    unbiased whatever the numbers of repeats, and for equal ones the usual ``(MSB-MSW)/n``; at
    least 0. If ``within`` is not known nothing is taken off, and it is an upper bound.

    Source: S. R. Searle, G. Casella and C. E. McCulloch, "Variance Components", 1992, chapter 3;
    of the unweighted means J. D. Thomas and R. A. Hultquist, Annals of Statistics 6(3), 1978.

    Args:
        repeats: The scores of the repeats of each task; tasks without any are left out.
        within: The variance within these tasks.
    """
    scored = [scores for scores in repeats if scores]
    spread = standard_deviation([mean(scores) or 0.0 for scores in scored])
    if spread is None:
        return None
    share = math.fsum(1 / len(scores) for scores in scored) / len(scored)
    return max(spread * spread - (within.variance * share if within else 0.0), 0.0)


def difference_variance(
    first: Sequence[Sequence[float]],
    second: Sequence[Sequence[float]],
    within: WithinVariance | None,
) -> float | None:
    """Return the variance over tasks of the true difference of two; ``None`` below two tasks.

    The variance of the differences of means, less what the repeats of both add to it; at least 0.
    If ``within`` is not known nothing is taken off, and it is an upper bound.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 5.

    Args:
        first: The scores of the repeats of each task, at least one, in the first run.
        second: The same of the second run, in the same order.
        within: The variance within the tasks of both.
    """
    pairs = [*zip(first, second, strict=True)]
    spread = standard_deviation([(mean(b) or 0.0) - (mean(a) or 0.0) for a, b in pairs])
    if spread is None:
        return None
    shares = math.fsum(1 / len(a) + 1 / len(b) for a, b in pairs) / len(pairs)
    return max(spread * spread - (within.variance * shares if within else 0.0), 0.0)
