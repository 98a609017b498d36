"""Verdicts on the mean score of all tasks while only some scores are known."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from enum import StrEnum

from benchmark_runner._stats.prefix_test import PrefixTest

#: A sum of all tasks' parts that are known, less than this, is of tasks that are all known.
_SLACK = 1e-9


class ThresholdSide(StrEnum):
    """The side of a threshold that a mean is on."""

    ABOVE = "above"
    BELOW = "below"


class ThresholdTest:
    """A test of the side of a threshold that the mean score of all tasks is on.

    The tasks are in a uniformly random order that was fixed before any score was known. Each
    score is in [0, 1] and known within bounds: 0 and 1 for a task that was not started, still runs
    or has an error. It may be looked at after every result, in whichever order they come.
    """

    def __init__(self, above: PrefixTest, below: PrefixTest, baseline: Sequence[float]) -> None:
        self._above = above
        self._below = below
        self._baseline = array("d", baseline)

    @classmethod
    def of_mean(cls, threshold: float, count: int, alpha: float) -> ThresholdTest:
        """Test the mean of ``count`` tasks; one of exactly ``threshold`` is above.

        The verdict is wrong with a probability of at most ``alpha``: as the mean is on one side,
        only the other can be claimed wrongly.
        """
        unknown = [0.0] * count
        above = PrefixTest(threshold, unknown, alpha, strict=False)
        return cls(above, PrefixTest(1 - threshold, unknown, alpha, strict=True), ())

    @classmethod
    def of_difference(cls, baseline: Sequence[float], alpha: float) -> ThresholdTest:
        """Test the mean difference from the scores of a baseline, task by task; 0 is no side.

        As both sides can be claimed wrongly then, each has half of ``alpha``.
        """
        # (score - baseline + 1) / 2 is in [0, 1], and half of that is known from the baseline.
        above = PrefixTest(0.5, [(1 - b) / 2 for b in baseline], alpha / 2, strict=True)
        return cls(
            above, PrefixTest(0.5, [b / 2 for b in baseline], alpha / 2, strict=True), baseline
        )

    def narrow(self, position: int, low: float, high: float) -> None:
        """Set the bounds of the score at a position of the order; they never widen."""
        if self._baseline:
            known = self._baseline[position]
            low, high = (low - known + 1) / 2, (high - known + 1) / 2
        self._above.raise_to(position, low)
        self._below.raise_to(position, 1 - high)

    @property
    def certain(self) -> bool:
        """True if the unknown scores can't change the verdict, or none is unknown."""
        return self._above.certain or self._below.certain or self._complete

    @property
    def side(self) -> ThresholdSide | None:
        """The side that the mean is on; ``None`` as long as that is not settled.

        Once certain, it is the true one, whatever was claimed before.
        """
        above, below = self._above, self._below
        claims = (above.certain, below.certain) if self.certain else (above.holds, below.holds)
        match claims:
            case True, False:
                return ThresholdSide.ABOVE
            case False, True:
                return ThresholdSide.BELOW
            case _:
                return None

    def interval(self) -> tuple[float, float]:
        """Return bounds of the mean, or of the mean difference.

        Each of the two is wrong, at any look, with a probability of at most that of a claim.
        """
        low, high = self._above.lower_bound(), 1 - self._below.lower_bound()
        if self._complete or low > high:
            low, high = self._above.least_mean, 1 - self._below.least_mean
        return (2 * low - 1, 2 * high - 1) if self._baseline else (low, high)

    @property
    def _complete(self) -> bool:
        return self._above.least_mean + self._below.least_mean >= 1 - _SLACK
