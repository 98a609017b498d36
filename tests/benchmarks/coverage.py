"""How often an interval of 95% holds the true mean, in samples whose true mean is known.

The other one is what was asked for. Pass rates are computed, as each number of passes has its
probability; the rest are samples, drawn with fixed seeds: the same on each machine.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

from benchmark_runner._stats.distributions import binomial_cdf
from benchmark_runner._stats.intervals import interval_of_mean, student_t_interval
from benchmark_runner._stats.paired_difference import paired_difference
from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._stats.variance import noise_floor, within_variance
from tests.benchmarks.figures import Figure, main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LEVEL = 0.95
_RATES = [step / 100 for step in range(1, 100)]


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the coverage with the level."""
    for count in (5, 20, 100) if quick else (5, 10, 20, 30, 50, 100, 300, 1000):
        covered = [_of_pass_rate(count, rate) for rate in _RATES]
        average = math.fsum(covered) / len(covered)
        yield _figure(f"pass rates of 1% to 99%, {count:,} tasks", average, at_least=0.99)
        yield _figure(f"the worst of them, {count:,} tasks", min(covered), at_least=0.86)
    samples = 1000 if quick else 10_000
    for name, at_least, few, draw in _CASES:
        for count in (5, 30) if quick else (3, 5, 10, 30, 100, 300):
            if count >= few:
                chance = random.Random(f"{name}, {count}")
                held = sum(draw(chance, count) for _ in range(samples)) / samples
                # What chance alone may take away, once in 700 cases.
                slack = 3 * math.sqrt(_LEVEL * (1 - _LEVEL) / samples) / _LEVEL
                yield _figure(f"{name}, {count}", held, at_least=round(at_least - slack, 3))


def _figure(case: str, covered: float, at_least: float) -> Figure:
    return Figure(
        goal=f"coverage: {case}",
        ours=covered * 100,
        other=_LEVEL * 100,
        other_is="asked for",
        unit="%",
        at_least=at_least,
    )


def _of_pass_rate(count: int, rate: float) -> float:
    # The numbers of passes whose interval holds the rate are neighbours.
    held = [passed for passed in range(count + 1) if _holds(passed, count, rate)]
    return binomial_cdf(held[-1], count, rate) - binomial_cdf(held[0] - 1, count, rate)


_intervals: dict[tuple[int, int], tuple[float, float]] = {}


def _holds(passed: int, count: int, rate: float) -> bool:
    if (passed, count) not in _intervals:
        found = interval_of_mean([1.0] * passed + [0.0] * (count - passed))
        assert found is not None
        _intervals[passed, count] = (found.low, found.high)
    low, high = _intervals[passed, count]
    return low <= rate <= high


def _normal(chance: random.Random, count: int) -> bool:
    return 0.0 in (interval_of_mean([chance.gauss(0, 1) for _ in range(count)]) or ())


def _uniform(chance: random.Random, count: int) -> bool:
    return 0.5 in (interval_of_mean([chance.random() for _ in range(count)]) or ())


def _skewed(chance: random.Random, count: int) -> bool:
    return 1.0 in (interval_of_mean([chance.expovariate(1) for _ in range(count)]) or ())


def _clustered(chance: random.Random, count: int) -> bool:
    """Four scores a cluster, of which half the variance is the cluster's."""
    centres = [chance.gauss(0, 1) for _ in range(count)]
    scores = [centre + chance.gauss(0, 1) for centre in centres for _ in range(4)]
    clusters = [cluster for cluster in range(count) for _ in range(4)]
    return 0.0 in (student_t_interval(scores, clusters) or ())


def _paired(chance: random.Random, count: int) -> bool:
    """Two runs of the same tasks, the second 0.1 better."""
    first = {task: chance.gauss(0, 1) for task in range(count)}
    second = {task: score + 0.1 + chance.gauss(0, 0.3) for task, score in first.items()}
    found = paired_difference(first, second)
    assert found is not None
    return 0.1 in (found.interval or ())


#: Of pass rates of Beta(0.6, 0.4): most tasks are passed, or failed, nearly always.
_MEAN_RATE = 0.6


def _runs(chance: random.Random, tasks: int, repeats: int) -> list[list[float]]:
    """Draw passes and failures of tasks, of which each has a pass rate of its own."""
    rates = [chance.betavariate(_MEAN_RATE, 1 - _MEAN_RATE) for _ in range(tasks)]
    return [[float(chance.random() < rate) for _ in range(repeats)] for rate in rates]


def _repeated(chance: random.Random, count: int) -> bool:
    """The mean of tasks with three repeats each, by the error over tasks."""
    means = [math.fsum(scores) / 3 for scores in _runs(chance, count, 3)]
    return _MEAN_RATE in (interval_of_mean(means) or ())


def _reduced(chance: random.Random, count: int) -> bool:
    """The mean of pass^2 from three repeats, whose true value is the mean squared rate."""
    each_passes = Reduction.parse("pass^2")
    scores = [each_passes.reduce(scores) or 0.0 for scores in _runs(chance, count, 3)]
    # The variance of Beta(a, b) with a + b = 1 is ab/2.
    true = _MEAN_RATE**2 + _MEAN_RATE * (1 - _MEAN_RATE) / 2
    return true in (interval_of_mean(scores) or ())


def _floor(chance: random.Random, count: int) -> bool:
    """Two more single runs of tasks that had three repeats lie within the noise floor."""
    runs = _runs(chance, count, 5)
    within = within_variance(scores[:3] for scores in runs)
    apart = math.fsum(scores[3] - scores[4] for scores in runs) / count
    return abs(apart) <= (noise_floor(within, [0.5] * count) or 0.0) + 1e-12


#: What is drawn, the least ratio, and the fewest scores or clusters that it is asked of. Student's
#: t is exact for normal scores; few very skewed scores are the known limit of any such interval.
_CASES: list[tuple[str, float, int, Callable[[random.Random, int], bool]]] = [
    ("normal scores", 1.0, 3, _normal),
    ("paired differences", 1.0, 3, _paired),
    ("uniform scores", 0.97, 3, _uniform),
    ("exponential scores", 0.92, 5, _skewed),
    ("clusters of 4 scores", 0.97, 3, _clustered),
    ("tasks with 3 repeats", 0.97, 10, _repeated),
    ("pass^2 of tasks with 3 repeats", 0.97, 10, _reduced),
    ("noise floor of tasks with 3 repeats", 0.97, 10, _floor),
]


if __name__ == "__main__":
    main(measure)
