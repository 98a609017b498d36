"""Means and standard errors of scores."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass


def is_pass_fail(scores: Iterable[float]) -> bool:
    """Return True if each score is 0 or 1."""
    return all(score in (0, 1) for score in scores)


def mean(scores: Sequence[float]) -> float | None:
    """Return the arithmetic mean; ``None`` without scores."""
    if not scores:
        return None
    try:
        centre = math.fsum(scores) / len(scores)
    except OverflowError:  # the sum is no float, the mean is one
        centre = math.fsum(score / len(scores) for score in scores)
    # Rounding may put the mean of equal scores beside them, and then their spread is not 0.
    return min(max(centre, min(scores)), max(scores))


def standard_deviation(scores: Sequence[float]) -> float | None:
    """Return the sample standard deviation, ``sqrt(Σ(s-m)²/(n-1))``; ``None`` below two scores.

    Source: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.6.
    """
    return _spread(_deviations(scores)) if len(scores) > 1 else None


def standard_error(scores: Sequence[float]) -> float | None:
    """Return the standard error of the mean, ``sqrt(Σ(s-m)²/(n-1)/n)``; ``None`` below two scores.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 2.1.
    """
    spread = standard_deviation(scores)
    return None if spread is None else spread / math.sqrt(len(scores))


def clustered_standard_error(scores: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """Return the standard error of the mean of scores that are alike within clusters.

    ``sqrt(SEM² + (1/n²) Σ_c Σ_{i≠j∈c} (s_i-m)(s_j-m))``, with ``SEM`` the plain standard error,
    is ``sqrt(Σ(s-m)²/(n-1) + Σ_c T_c²) / n``, where ``T_c`` adds up the deviations of a cluster.
    It is too small for few clusters, by about ``sqrt((c-1)/c)`` with c of them.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 2.

    Args:
        scores: The scores.
        clusters: The cluster of each score, in the same order.

    Returns:
        The error; ``None`` below two clusters.

    Raises:
        ValueError: the numbers of scores and clusters differ.
    """
    if len(scores) != len(clusters):
        raise ValueError(
            f"Each score has a cluster: {len(scores)} scores, {len(clusters)} clusters"
        )
    deviations = _deviations(scores)
    of_cluster: defaultdict[Hashable, list[float]] = defaultdict(list)
    for cluster, deviation in zip(clusters, deviations, strict=True):
        of_cluster[cluster].append(deviation)
    if len(of_cluster) < 2:  # noqa: PLR2004 (a spread needs two)
        return None
    return math.hypot(_spread(deviations), *map(math.fsum, of_cluster.values())) / len(scores)


@dataclass(slots=True)
class RunningMean:
    """The mean of numbers that come one by one, and its standard error (Welford's method).

    Attributes:
        mean: 0 without any number.
    """

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    @classmethod
    def of(cls, count: int, mean: float | None, stderr: float | None) -> RunningMean:
        """Resume from ``count`` numbers of which only these are known."""
        if not count or mean is None:
            return cls()
        error = stderr or 0.0
        return cls(count, mean, error * error * count * (count - 1))

    def add(self, number: float) -> None:
        """Add one number."""
        self.count += 1
        off = number - self.mean
        self.mean += off / self.count
        self._squares += off * (number - self.mean)

    @property
    def stderr(self) -> float | None:
        """The standard error of the mean; ``None`` below two numbers."""
        if self.count < 2:  # noqa: PLR2004 (a spread needs two)
            return None
        return math.sqrt(max(self._squares, 0.0) / (self.count - 1) / self.count)


def _spread(deviations: Sequence[float]) -> float:
    return math.hypot(*deviations) / math.sqrt(len(deviations) - 1)


def _deviations(scores: Sequence[float]) -> list[float]:
    centre = mean(scores) or 0.0
    return [score - centre for score in scores]
