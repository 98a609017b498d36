"""A one-sided test of a population's mean that may be looked at after every result."""

import math
from array import array
from collections.abc import Sequence

#: The differences from the threshold that are bet on, times the square root of the population's
#: size: such a difference can be told when a part of the population is known.
_SCALES = (1.5, 4.0)
#: The greatest part of the capital that is put at risk in one bet.
_MOST_AT_RISK = 0.7
#: Means closer than this are equal: floats have no better sum.
_SLACK = 1e-9
#: Halvings of an interval of at most 1 for a bound of the mean, which is exact to 0.0001.
_HALVINGS = 14


class PrefixTest:
    """A test of the claim that the mean of N values in [0, 1] is above a threshold.

    The values come in a uniformly random order that was fixed before any of them was known.
    Each value has a lower bound, 0 or higher until it is known. If the mean is not above the
    threshold, the claim is made with a probability of at most ``alpha``, however often it is
    looked at, and whichever values are known at a look.

    A gambler who starts with a capital of 1 bets on each value before it is drawn. If T is the
    mean, the values left after the sum S have the mean ``m = (N·T - S) / left``, so that a factor
    ``1 + λ·(x - m)`` of the capital is fair. A capital of ``1/alpha`` at the end of any prefix of
    the order has a probability of at most ``alpha`` then, and less if the mean is lower (Ville's
    inequality). The bet ``λ = δ·N / left / (m·(1-m))`` makes the capital, for values that are
    0 or 1, the ratio of their likelihoods with the means T + δ and T: the prior-posterior ratio,
    whose working prior is on a few δ, among which the capital is divided, instead of
    Beta-binomial, with which a decision takes longer (``tests/benchmarks/settled.py``). λ is at
    most ``0.7 / m``, so that no capital is ever lost whole.

    A lower bound may stand for a value, as the capital grows with each value x: its own factor
    does, and the m of later factors falls. A factor falls as m grows: with λ = d/(m(1-m)) its
    derivative is ``-d·((x-m)² + x·(1-x)) / (m(1-m))²``, and with λ = c/m it is ``1 - c + c·x/m``.
    That holds as the bets do not depend on the values but by m. For the same reason the capital
    falls as T grows.

    Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
    Journal of the Royal Statistical Society B 86(1), 2024 (arXiv 2006.04347), section 5.

    Args:
        threshold: The mean that the claim names.
        lows: The lower bound of each value before anything is known, in the random order.
        alpha: The probability to be wrong.
        strict: The claim is "above", not "at least".
    """

    def __init__(
        self, threshold: float, lows: Sequence[float], alpha: float, *, strict: bool
    ) -> None:
        count = len(lows)
        self._threshold, self._alpha, self._strict = threshold, alpha, strict
        self._lows = array("d", lows)
        self._sum = math.fsum(lows)
        self._needed = threshold * count
        self._shifts = [min(scale / math.sqrt(count), 1.0) for scale in _SCALES]
        # Of each prefix, the sum and the capital on each bet.
        self._sums = array("d", [0.0])
        self._capitals = array("d", [1 / len(_SCALES)] * len(_SCALES))
        self._reach = 0
        self._changed = 0
        self._reached = False

    def raise_to(self, position: int, low: float) -> None:
        """Raise the lower bound of the value at a position; a bound never falls."""
        before = self._lows[position]
        if low > before:
            self._lows[position] = low
            self._sum += low - before
            self._reach = max(self._reach, position + 1)
            self._changed = min(self._changed, position)

    @property
    def least_mean(self) -> float:
        """The mean if each value is at its lower bound."""
        return self._sum / len(self._lows)

    @property
    def certain(self) -> bool:
        """True if the claim is true whatever the unknown values are."""
        return self.least_mean >= self._threshold + (_SLACK if self._strict else -_SLACK)

    @property
    def holds(self) -> bool:
        """True if the claim is made: it is certain, or the capital was enough at some prefix.

        Takes time for the prefixes that end between the first change since the last look and the
        last value of which anything is known: a longer one has no more capital.
        """
        if not self._reached and self._changed < self._reach and not self.certain:
            self._reached = self._bet()
            self._changed = self._reach
        return self._reached or self.certain

    def lower_bound(self) -> float:
        """Return the greatest threshold above which the claim would be made, by bisection.

        Such bounds, at all looks together, are above the mean with a probability of at most
        ``alpha``.
        """
        low, high = self.least_mean, 1.0
        if self.holds:
            low = max(low, self._threshold)
        else:
            high = self._threshold
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            other = PrefixTest(middle, self._lows, self._alpha, strict=True)
            other._reach = self._reach
            low, high = (middle, high) if other.holds else (low, middle)
        return low

    def _bet(self) -> bool:
        """Bet on the values from the first changed one; return True once the capital is enough."""
        first, count, shifts = self._changed, len(self._lows), self._shifts
        del self._sums[first + 1 :], self._capitals[(first + 1) * len(shifts) :]
        total, capitals = self._sums[first], list(self._capitals[-len(shifts) :])
        for position in range(first, self._reach):
            value, left = self._lows[position], count - position
            mean = (self._needed - total) / left
            gain = (value - mean) / mean if mean > _SLACK else 0.0
            pace = count / left / (1 - mean) if mean < 1 else math.inf
            capitals = [
                capital * (1 + min(shift * pace, _MOST_AT_RISK) * gain)
                for capital, shift in zip(capitals, shifts, strict=True)
            ]
            if sum(capitals) * self._alpha >= 1:
                return True
            total += value
            self._sums.append(total)
            self._capitals.extend(capitals)
        return False
