"""The final cost and the end of a series of jobs that run in parallel, while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark_runner._stats.simulation import Simulation
from benchmark_runner._stats.survival import History

#: With fewer finished jobs there is too little to say.
FEWEST = 5
#: The share of forecasts whose interval holds what comes out.
LEVEL = 0.9
#: Simulated outcomes within the interval: more, as the shape of the tail is a guess, and more
#: still while few jobs have finished.
_WITHIN, _WITHIN_OF_FEW, _FEW = 0.95, 0.98, 200


@dataclass(frozen=True, slots=True)
class Range:
    """The median of what may come out, and the bounds of its interval."""

    middle: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """The final cost of a series of jobs, and the seconds until its end.

    Attributes:
        dollars: The final cost, as far as costs are known; ``None`` if no cost is.
        seconds: The seconds until the last job has finished.
        finished: Number of finished jobs that it is made from.
        unknown: Number of those without a known cost, which count nothing.
    """

    dollars: Range | None
    seconds: Range
    finished: int
    unknown: int

    def seconds_until(self, spent: float, dollars: float) -> float:
        """Return the seconds until so much is spent, as if money went at a steady rate."""
        rest = self.dollars.middle - spent if self.dollars is not None else 0.0
        return self.seconds.middle * (dollars - spent) / rest if rest > 0 else 0.0


def forecast(
    history: History,
    *,
    elapsed: Sequence[float],
    waiting: int,
    parallelism: int,
    spent: float,
    limit: float | None = None,
) -> Forecast | None:
    """Return the forecast for a series; ``None`` while too few jobs have finished.

    The durations are taken as a sample, those of running jobs as longer than they are so far.
    Outcomes are simulated, always with the same random numbers.

    Args:
        history: The finished jobs.
        elapsed: Seconds that each of the running jobs has taken.
        waiting: Number of jobs that have not started.
        parallelism: Number of jobs that may run at a time.
        spent: Dollars spent.
        limit: Seconds after which a job ends in any case.
    """
    known = history.count > history.unknown
    if not elapsed and not waiting:
        final = Range(spent, spent, spent) if known or spent else None
        return Forecast(final, Range(0.0, 0.0, 0.0), history.count, history.unknown)
    if history.count < FEWEST:
        return None
    outcomes = Simulation(history, elapsed, waiting, parallelism, limit).outcomes()
    # Where most are still running, the tails that are possible are many, and it is wide anyway.
    few = len(elapsed) < history.count < _FEW
    within = _WITHIN_OF_FEW if few else _WITHIN
    dollars = _range([spent + cost for cost, _ in outcomes], within) if known else None
    seconds = _range([seconds for _, seconds in outcomes], within)
    return Forecast(dollars, seconds, history.count, history.unknown)


def _range(outcomes: Sequence[float], within: float) -> Range:
    values = sorted(outcomes)
    return Range(*(_quantile(values, q) for q in (0.5, (1 - within) / 2, (1 + within) / 2)))


def _quantile(values: Sequence[float], share: float) -> float:
    place = min(max(share * len(values) - 0.5, 0), len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (place - below) * (values[above] - values[below])
