"""The mean of numbers that come one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class RunningMean:
    """The mean of numbers that come one by one, and its standard error (Welford's method).

    Attributes:
        count: The number of numbers.
        mean: Their mean; 0 without any.
    """

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    @classmethod
    def of(cls, count: int, mean: float | None, stderr: float | None) -> RunningMean:
        """Resume from ``count`` numbers of which only these are known."""
        if not count or mean is None:
            return cls()
        return cls(count, mean, (stderr or 0.0) ** 2 * count * (count - 1))

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
