"""Simulated ends of a series of jobs: what is left of it costs so much, and takes so long."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from benchmark_runner._stats.cost_fit import CostFit, TailCosts
from benchmark_runner._stats.survival import History, Survival, Tail

_DRAWS = 64
#: Running jobs that are drawn one by one; of more, each stands for several.
_MOST_RUNNING = 24
#: Of the waiting jobs in the tail, the longest that are drawn, and values that stand for the rest.
_LONGEST, _NODES = 6, 5
#: Greatest logarithm of a duration over the start of the tail.
_FARTHEST = 20.0
#: A smaller share of a tail is not drawn.
_LEAST_SHARE = 1e-16
#: Below that expectation, a number is not drawn from the normal distribution.
_FEW = 12


class Simulation:
    """Draws how a series of jobs may end; the arguments are those of ``forecast()``.

    A running job is drawn from the durations longer than its own so far. Of the waiting jobs, the
    sum of those up to the tail is normal, and the longest beyond are drawn one by one, each time
    from another possible tail.
    """

    def __init__(
        self,
        history: History,
        elapsed: Sequence[float],
        waiting: int,
        parallelism: int,
        limit: float | None,
    ) -> None:
        self._survival = survival = Survival(history, elapsed, limit)
        self._waiting = waiting
        self._slots = max(min(parallelism, len(elapsed) + waiting), 1)
        self._random = random.Random(0)  # noqa: S311 (no secret)
        self._farthest = min(math.log(survival.limit / survival.start), _FARTHEST)
        self._shorter = [1 - share for share in survival.longer]
        self._costs = CostFit(history, survival.start)
        self._body = _Body(survival, self._costs.noise)
        self._running = [*self._representatives()]

    def outcomes(self) -> list[tuple[float, float]]:
        """Return the further dollars and the seconds of each draw."""
        tails = self._survival.tails()
        cumulated = [*accumulate(weight for weight, _ in tails)]
        places = ((draw + 0.5) / _DRAWS for draw in range(_DRAWS))
        chosen = (tails[min(bisect_left(cumulated, p), len(tails) - 1)][1] for p in places)
        return [self._outcome(tail) for tail in chosen]

    def _representatives(self) -> Iterator[tuple[float, float, float]]:
        """Yield the seconds of running jobs, the share of all that is longer, and z."""
        elapsed = self._survival.elapsed
        count = min(len(elapsed), _MOST_RUNNING)
        for number in range(count):  # from the end: the longest is always one of them
            so_far = elapsed[len(elapsed) - 1 - number * len(elapsed) // count]
            z = math.log(so_far / self._survival.start)
            yield so_far, self._survival.longer_than(so_far), max(z, 0.0)

    def _outcome(self, tail: Tail) -> tuple[float, float]:
        costs = self._costs.draw(self._random)
        weight = len(self._survival.elapsed) / max(len(self._running), 1)
        dollars = squares = work = longest = 0.0
        for so_far, seconds, cost in self._draw_running(tail, costs):
            left = max(seconds - so_far, 0.0)
            dollars += weight * cost
            squares += weight * cost * cost
            work += weight * left
            longest = max(longest, left)
        beyond = self._draw_count_beyond()
        body = self._body.draw(self._random, self._waiting - beyond)
        dollars += body[0]
        work += body[1]
        last: list[float] = []
        for number, (z, count) in enumerate(self._draw_tail(tail, beyond)):
            seconds, cost = tail.start * math.exp(z), costs.at(z)
            dollars += count * cost
            squares += count * cost * cost
            work += count * seconds
            if number < _LONGEST:
                last.append(seconds)
        dollars += self._random.gauss(0.0, math.sqrt(self._costs.noise * squares))
        for seconds in last:  # each starts some time before the last one
            begins = self._random.random() * max(work - seconds, 0.0) / self._slots
            longest = max(longest, begins + seconds)
        return max(dollars, 0.0), max(work / self._slots, longest)

    def _draw_running(self, tail: Tail, costs: TailCosts) -> Iterator[tuple[float, float, float]]:
        """Yield the seconds so far, the seconds in the end, and the cost of running jobs."""
        chance, survival, body = self._random.random, self._survival, self._body
        for so_far, share, z in self._running:
            longer = share * chance()
            if z > 0 or longer < survival.longer[-1]:
                end = min(tail.after(z, -math.log(1 - chance())), self._farthest)
                yield so_far, tail.start * math.exp(end), costs.at(end)
            else:
                place = min(bisect_left(self._shorter, 1 - longer), len(body.dollars) - 1)
                yield so_far, survival.times[place], body.dollars[place]

    def _draw_count_beyond(self) -> int:
        """Return how many of the waiting jobs reach the tail."""
        survival = self._survival
        if not self._waiting or not survival.longer[-1]:
            return 0
        # The share that does is known from those seen only.
        inside = survival.seen - survival.reached
        share = self._random.betavariate(survival.reached + 0.5, inside + 0.5)
        expected = self._waiting * share
        if expected < _FEW:
            return min(_poisson(self._random, expected), self._waiting)
        spread = math.sqrt(expected * (1 - share))
        return min(max(round(self._random.gauss(expected, spread)), 0), self._waiting)

    def _draw_tail(self, tail: Tail, count: int) -> Iterator[tuple[float, float]]:
        """Yield z of jobs in the tail, and how many have it: the longest, and then some.

        Source of the longest, one after the other: L. Devroye, "Non-Uniform Random Variate
        Generation", 1986, chapter V.
        """
        share = 0.0  # of the tail that is longer
        for place in range(min(count, _LONGEST)):
            among = -math.expm1(math.log1p(-self._random.random()) / (count - place))
            share = max(share + (1 - share) * among, _LEAST_SHARE)
            yield min(tail.after(0.0, -math.log(share)), self._farthest), 1
        if (rest := count - _LONGEST) > 0:
            step, upper = share ** (1 / _NODES), 1.0
            for _ in range(_NODES):
                z = tail.after(0.0, -math.log(upper * math.sqrt(step)))
                yield min(z, self._farthest), rest * upper * (1 - step) / (1 - share)
                upper *= step


class _Body:
    """The jobs up to the tail: the expected cost of each bin, and the sum of some jobs."""

    def __init__(self, survival: Survival, noise: float) -> None:
        bins = survival.bins
        self.dollars = [each.dollars / each.count for each in bins]
        before = [1.0, *survival.longer]
        weights = [high - low for high, low in zip(before, survival.longer, strict=False)]
        total = sum(weights)
        self._moments: list[tuple[float, float]] = []
        for values, squares in (
            (self.dollars, [each.squares / each.count for each in bins]),
            (survival.times, [t * t for t in survival.times]),
        ):
            mean = sum(w * v for w, v in zip(weights, values, strict=True)) / total
            square = sum(w * s for w, s in zip(weights, squares, strict=True)) / total
            floor = noise * mean * mean if values is self.dollars else 0.0
            self._moments.append((mean, max(square - mean * mean, floor)))
        self._known = (
            total * total / sum(w * w / each.count for w, each in zip(weights, bins, strict=True))
        )

    def draw(self, chance: random.Random, count: int) -> tuple[float, float]:
        """Return the dollars and seconds of so many jobs."""
        # With the variance of few, the error is that of Student's t.
        freedom = max(self._known - 1, 1.0)
        ratio = math.sqrt(chance.gammavariate(freedom / 2, 2 / freedom))
        off = chance.gauss(0.0, math.sqrt(count + count * count / self._known)) / ratio
        cost, seconds = (
            max(count * mean + off * math.sqrt(variance), 0.0) for mean, variance in self._moments
        )
        return cost, seconds


def _poisson(chance: random.Random, expected: float) -> int:
    """Return a number of the Poisson distribution, by multiplication (Knuth)."""
    bound, product, count = math.exp(-expected), chance.random(), 0
    while product > bound:
        product *= chance.random()
        count += 1
    return count
