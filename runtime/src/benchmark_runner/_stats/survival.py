"""The distribution of durations of which some are only known to be longer than they are so far.

Short jobs finish first, so that a sample of finished ones alone is biased.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Width of a bin of the logarithm of the duration; shorter durations count as this many seconds.
_BIN, _SHORTEST = 0.1, 1e-3
#: A job that took more than this share of the limit was ended by it.
_AT_LIMIT = 0.98
#: The tail holds this share of the finished jobs, and more the more jobs have not finished;
#: the fewest, and the most if all have finished.
_TAIL_SHARE, _TAIL_SHARE_UNFINISHED = 0.2, 0.4
_FEWEST_OF_TAIL, _MOST_OF_TAIL = 7, 40
#: Hazards at the start of the tail that are tried, as shares of the index of a Pareto tail.
_LEVELS = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.8)
#: Number of slopes of the hazard that are tried, and the least: about that of a lognormal tail
#: with a standard deviation of 2; the greatest, beside the square of the index.
_SLOPES, _LEAST_SLOPE, _GREATEST_SLOPE = 7, 0.12, 8
#: The least index of a Pareto tail: one of 1 has no mean.
_LEAST_INDEX = 1.25
#: Weight of the Pareto tails before anything is known, beside 1 of those with a slope; and the
#: power of the likelihood with which the two are weighed: the beginning hardly tells which it is.
_PARETO_WEIGHT, _TEMPER = 1.5, 0.1


@dataclass(slots=True)
class Bin:
    """The finished jobs of about one duration, with the sums of their durations and costs.

    ``unknown`` is the number of those without a known cost, which add nothing to ``dollars`` and
    to ``squares``, the sum of the squares of the costs.
    """

    count: int = 0
    unknown: int = 0
    seconds: float = 0.0
    dollars: float = 0.0
    squares: float = 0.0

    @property
    def duration(self) -> float:
        """The mean duration in seconds."""
        return self.seconds / self.count


class History:
    """The durations and costs of finished jobs, in bins of the logarithm of the duration."""

    def __init__(self) -> None:
        self._bins: dict[int, Bin] = {}

    @property
    def count(self) -> int:
        """The number of the jobs."""
        return sum(each.count for each in self._bins.values())

    @property
    def unknown(self) -> int:
        """The number of those without a known cost."""
        return sum(each.unknown for each in self._bins.values())

    def add(self, seconds: float, dollars: float | None) -> None:
        """Add a job of that duration and cost, ``None`` if unknown."""
        seconds, cost = max(seconds, _SHORTEST), dollars or 0.0
        self.add_bin(Bin(1, int(dollars is None), seconds, cost, cost * cost))

    def add_bin(self, jobs: Bin) -> None:
        """Add jobs of about one duration."""
        found = self._bins.setdefault(math.floor(math.log(jobs.duration) / _BIN), Bin())
        found.count += jobs.count
        found.unknown += jobs.unknown
        found.seconds += jobs.seconds
        found.dollars += jobs.dollars
        found.squares += jobs.squares

    def bins(self) -> list[Bin]:
        """Return the bins that are not empty, the shortest durations first."""
        return [self._bins[key] for key in sorted(self._bins)]


@dataclass(frozen=True, slots=True)
class Tail:
    """The durations beyond ``start``: their hazard is linear in the logarithm of the duration.

    With z the logarithm of the duration over ``start``, the share that is longer is
    ``exp(-(level·z + slope·z²/2))``. Without a slope this is a Pareto tail of index ``level``;
    with one it is close to the tail of a lognormal distribution, whose hazard grows almost so.
    """

    start: float
    level: float
    slope: float

    def after(self, z: float, cumulated: float) -> float:
        """Return the z at which the hazard cumulated since ``z`` is ``cumulated``."""
        hazard = self.level + self.slope * z
        if not self.slope:
            return z + cumulated / hazard
        return z + (math.sqrt(hazard * hazard + 2 * self.slope * cumulated) - hazard) / self.slope


class Survival:
    """The Kaplan-Meier estimate of durations, with a tail that starts where few are known.

    Source: Kaplan and Meier, "Nonparametric Estimation from Incomplete Observations", Journal of
    the American Statistical Association 53, 1958.

    Attributes:
        limit: Seconds after which a job ends; infinite without a limit, or if one took longer.
        elapsed: The durations so far of the running jobs, sorted.
        bins: The bins of finished jobs up to the tail.
        times: Their durations.
        longer: For each of them, the share of all jobs that takes longer.
        start: The start of the tail, the last of these durations.
        reached: Number of jobs, finished or running, that have taken longer than that.
        seen: Number of jobs of which it is known whether they take longer.
    """

    def __init__(
        self, history: History, elapsed: Sequence[float], limit: float | None = None
    ) -> None:
        bins = history.bins()
        self.elapsed = sorted(max(seconds, _SHORTEST) for seconds in elapsed)
        self.limit = _usable_limit(limit, bins[0], max([bins[-1].duration, *self.elapsed[-1:]]))
        within = bisect_left([each.duration for each in bins], _AT_LIMIT * self.limit)
        self._ended_by_limit = sum(each.count for each in bins[within:])
        unfinished = len(elapsed) + self._ended_by_limit
        self.bins, self._tail_bins = _divided(bins[:within], unfinished)
        self.times = [each.duration for each in self.bins]
        self.longer: list[float] = []
        at_risk, share = history.count, 1.0
        for time, each in zip(self.times, self.bins, strict=True):
            running = len(self.elapsed) - bisect_left(self.elapsed, time)
            share *= 1 - each.count / (at_risk + running)
            at_risk -= each.count
            self.longer.append(share)
        self.start = self.times[-1]
        self._beyond = self.elapsed[bisect_left(self.elapsed, self.start) :]
        self.reached = at_risk + len(self._beyond)
        self.seen = history.count + len(self._beyond)

    def longer_than(self, seconds: float) -> float:
        """Return the share of all jobs that takes longer, up to the start of the tail."""
        place = bisect_left(self.times, seconds)
        return self.longer[place - 1] if place else 1.0

    def tails(self) -> list[tuple[float, Tail]]:
        """Return possible tails, each with its probability, from the lightest to the heaviest.

        The likelihood is that of the finished jobs in the tail, and of those that are running or
        were ended by the limit, which count as longer than that.
        """
        start = self.start
        events = [(math.log(each.duration / start), each.count) for each in self._tail_bins]
        ends = [(math.log(seconds / start), 1) for seconds in self._beyond]
        if self._ended_by_limit:
            ends.append((math.log(self.limit / start), self._ended_by_limit))
        exposed = sum(z * count for z, count in events + ends)
        squared = sum(z * z * count for z, count in events + ends) / 2
        index = (sum(count for _, count in events) + 0.5) / (exposed + 0.1)
        found: list[tuple[float, Tail]] = []
        for level, slope in _grid(index):
            likelihood = sum(count * math.log(level + slope * z) for z, count in events)
            likelihood -= level * exposed + slope * squared
            found.append((likelihood, Tail(start, level, slope)))
        return sorted(_weighted(found), key=lambda pair: pair[1].after(0.0, 3.0))


def _usable_limit(limit: float | None, shortest: Bin, longest: float) -> float:
    """Return the limit, if it is one; infinite where jobs take longer, or none is shorter."""
    if not limit or longest * _AT_LIMIT > limit or shortest.duration >= _AT_LIMIT * limit:
        return math.inf
    return limit


def _divided(bins: list[Bin], unfinished: int) -> tuple[list[Bin], list[Bin]]:
    """Divide the bins at the start of the tail, which is earlier the more has not finished."""
    count = sum(each.count for each in bins)
    censored = unfinished / (count + unfinished)
    share = _TAIL_SHARE + _TAIL_SHARE_UNFINISHED * censored
    most = _MOST_OF_TAIL + count * censored
    enough = min(max(count * share, _FEWEST_OF_TAIL), most)
    place, beyond = len(bins), 0
    # A bin of many is well known: it needs no tail.
    while place > 1 and beyond < enough and bins[place - 1].count <= max(enough, _MOST_OF_TAIL):
        place -= 1
        beyond += bins[place].count
    return bins[:place], bins[place:]


def _grid(index: float) -> Iterator[tuple[float, float]]:
    """Yield levels and slopes of a hazard; ``index`` is that of the Pareto tail that fits."""
    least = max(_LEAST_SLOPE, 0.05 * index * index)
    most = max(1.0, _GREATEST_SLOPE * index * index)
    ratio = (most / least) ** (1 / (_SLOPES - 1))
    for share in _LEVELS:
        level = share * index
        yield from ((level, least * ratio**step) for step in range(_SLOPES))
        if level > _LEAST_INDEX:
            yield level, 0.0
    yield _LEAST_INDEX, 0.0


def _weighted(tails: Sequence[tuple[float, Tail]]) -> Iterator[tuple[float, Tail]]:
    """Yield the tails with their probabilities, from their likelihoods.

    Source of the caution about the kinds: Clauset, Shalizi and Newman, "Power-Law Distributions in
    Empirical Data", SIAM Review 51, 2009.
    """
    kinds = [[(n, t) for n, t in tails if bool(t.slope) is sloped] for sloped in (False, True)]
    greatest = [max(likelihood for likelihood, _ in kind) for kind in kinds]
    shares = [math.exp((each - max(greatest)) * _TEMPER) for each in greatest]
    shares[0] *= _PARETO_WEIGHT
    for kind, most, share in zip(kinds, greatest, shares, strict=True):
        weights = [math.exp(likelihood - most) for likelihood, _ in kind]
        scale = share / sum(shares) / sum(weights)
        yield from ((w * scale, tail) for w, (_, tail) in zip(weights, kind, strict=True))
