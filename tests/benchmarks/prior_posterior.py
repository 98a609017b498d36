"""The prior-posterior ratio of a Beta-binomial working prior, to compare our test with.

Source: Waudby-Smith and Ramdas, "Confidence sequences for sampling without replacement" (arXiv
2006.04347), section 2. It has the interface of
:class:`benchmark_runner._stats.threshold_test.ThresholdTest`, for scores of 0 and 1.
"""

from __future__ import annotations

from math import ceil, inf, lgamma, log

from benchmark_runner._stats.threshold_test import ThresholdSide


class PriorPosteriorRatio:
    """The side of a threshold that a mean of 0s and 1s is on, with a uniform working prior."""

    def __init__(self, threshold: float, count: int, alpha: float) -> None:
        self._least = ceil(threshold * count - 1e-9)  # ones of a mean that is not below it
        self._needed = log(1 / alpha)
        self._lows, self._highs = [0] * count, [1] * count
        self._reach = 0
        self._side: ThresholdSide | None = None

    def narrow(self, position: int, low: float, high: float) -> None:
        """Set the bounds of the score at a position of the order."""
        self._lows[position], self._highs[position] = int(low), int(high)
        self._reach = max(self._reach, position + 1)

    @property
    def side(self) -> ThresholdSide | None:
        """The side, once it is certain or the ratio of a prefix is large enough."""
        if self._side is None:
            self._side = self._certain() or self._claimed()
        return self._side

    def _certain(self) -> ThresholdSide | None:
        if sum(self._lows) >= self._least:
            return ThresholdSide.ABOVE
        return ThresholdSide.BELOW if sum(self._highs) < self._least else None

    def _claimed(self) -> ThresholdSide | None:
        count, low, high = len(self._lows), 0, 0
        for known in range(1, self._reach + 1):
            low += self._lows[known - 1]
            high += self._highs[known - 1]
            share = self._least / count
            # Beyond the boundary, the ratio is greater still.
            if low / known > share and self._ratio(known, low, self._least - 1) >= self._needed:
                return ThresholdSide.ABOVE
            if high / known < share and self._ratio(known, high, self._least) >= self._needed:
                return ThresholdSide.BELOW
        return None

    def _ratio(self, known: int, ones: int, of_all: int) -> float:
        """Return the logarithm of the prior by the posterior of so many ones among all."""
        count = len(self._lows)
        if ones > of_all or known - ones > count - of_all:
            return inf
        marginal = lgamma(1 + ones) + lgamma(1 + known - ones) - lgamma(2 + known)
        return marginal - _choose(count - known, of_all - ones) + _choose(count, of_all)


def _choose(count: int, chosen: int) -> float:
    return lgamma(count + 1) - lgamma(chosen + 1) - lgamma(count - chosen + 1)
