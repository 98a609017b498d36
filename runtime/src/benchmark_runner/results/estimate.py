"""A mean of task scores with its interval, as reports show it."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark_runner._stats.intervals import Interval, interval_of_mean
from benchmark_runner._stats.means import mean
from benchmark_runner.results.phrases import interval_text, number

__all__ = ["Estimate", "estimate_of"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of task scores, with its 95 % interval if there are at least two tasks."""

    mean: float
    count: int
    interval: Interval | None

    @property
    def text(self) -> str:
        """The mean, its interval and the number of tasks."""
        bounds = f" ({interval_text(self.interval)})" if self.interval else ""
        return f"{number(self.mean)}{bounds}, n = {self.count:,}"


def estimate_of(scores: Sequence[float]) -> Estimate | None:
    """Return the mean of scores with its interval; ``None`` without scores."""
    centre = mean(scores)
    return None if centre is None else Estimate(centre, len(scores), interval_of_mean(scores))
