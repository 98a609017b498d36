"""Means, quantiles and standard errors of scores."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence


def mean(scores: Sequence[float]) -> float | None:
    """Return the arithmetic mean; ``None`` without scores."""
    if not scores:
        return None
    centre = math.fsum(scores) / len(scores)
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

    ``sqrt(SEM² + (1/n²) Σ_c Σ_{i≠j∈c} (s_i-m)(s_j-m))``, with ``SEM`` the plain standard error.
    The inner sum is ``T_c² - Σ_{i∈c} (s_i-m)²``, where ``T_c`` adds up the deviations of a
    cluster, so that the whole is ``sqrt(Σ(s-m)²/(n-1) + Σ_c T_c²) / n``: linear in n, and never
    the square root of a negative number. It equals the plain error where each cluster has one
    score, and is less where the scores of a cluster offset each other. It is too small for few
    clusters, by about ``sqrt((c-1)/c)`` with c of them.

    Source: E. Miller, "Adding Error Bars to Evals" (arXiv 2411.00640), section 2, clustered
    standard errors.

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


def median(values: Sequence[float]) -> float | None:
    """Return the middle value, or the mean of the middle two; ``None`` without values."""
    (middle,) = quantiles(values, [0.5]) or (None,)
    return middle


def quantiles(values: Sequence[float], shares: Sequence[float]) -> list[float] | None:
    """Return the values that given shares of all values are at or below, interpolated linearly.

    Source: Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American
    Statistician 50(4), 1996, definition 7: that of R, NumPy and spreadsheets.

    Args:
        values: The values, in any order.
        shares: The shares, from 0 (the least value) to 1 (the greatest).

    Returns:
        One for each share; ``None`` without values.

    Raises:
        ValueError: a share is not from 0 to 1.
    """
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"Shares are from 0 to 1, not {list(shares)}")
    if not values:
        return None
    ordered = sorted(values)
    return [_between(ordered, share * (len(ordered) - 1)) for share in shares]


def _between(ordered: Sequence[float], position: float) -> float:
    before = math.floor(position)
    after = min(before + 1, len(ordered) - 1)
    return ordered[before] + (ordered[after] - ordered[before]) * (position - before)


def _spread(deviations: Sequence[float]) -> float:
    return math.hypot(*deviations) / math.sqrt(len(deviations) - 1)


def _deviations(scores: Sequence[float]) -> list[float]:
    centre = mean(scores) or 0.0
    return [score - centre for score in scores]
