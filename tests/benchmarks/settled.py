"""How often a run that stops when its question is settled is wrong, and how much of it is done.

Runs are simulated with the test that a run uses: its tasks begin in a random order, so many at a
time, failures take longer, and errors leave no score. Half of the runs have a mean above the
threshold, half below, by the gap; a verdict is wrong if it contradicts the scores of all tasks.
The control applies the same test to the tasks in the order they finish, where those that still
run are left out instead of counted at their worst. All seeds are fixed.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from statistics import median
from time import perf_counter
from typing import Protocol

from benchmark_runner._stats.threshold_test import ThresholdSide, ThresholdTest
from tests.benchmarks.figures import Figure, main
from tests.benchmarks.prior_posterior import PriorPosteriorRatio

_ALPHA = 0.05
_THRESHOLD = 0.7
#: Of tasks that a second run changes, if it is compared with a baseline.
_CHANGED = 0.2
_MOST_STARTED = 0.45
_WIDE_GAP = 0.1
_MOST_MS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Runs of one kind.

    Attributes:
        gap: Difference of the mean from the threshold, or from the baseline.
        slowdown: Duration of a task that fails, in relation to one that passes.
        errors: Share of the tasks that get no score.
        paired: Compare with a baseline, task by task.
    """

    tasks: int
    parallelism: int
    gap: float
    slowdown: float
    errors: float
    paired: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """The end of a simulated run."""

    settled: bool
    wrong: bool
    started: float


Order = Callable[[int, int], int]


def prefix_order(position: int, finished: int) -> int:
    """Return the place of a result: its position in the frozen order."""
    return position


def completion_order(position: int, finished: int) -> int:
    """Return the place of a result for the control: after those that finished before."""
    return finished


class Test(Protocol):
    """A test of the side that a mean is on."""

    def narrow(self, position: int, low: float, high: float) -> None:
        """Set the bounds of the score at a position of the order."""

    @property
    def side(self) -> ThresholdSide | None:
        """The side, once it is settled."""


def simulate(
    case: Case,
    order: Order,
    chance: random.Random,
    test_of: Callable[[float, int, float], Test] = ThresholdTest.of_mean,
) -> Run:
    """Run the tasks until the test is settled, or there are none left."""
    truth = chance.choice(list(ThresholdSide))
    gap = case.gap if truth is ThresholdSide.ABOVE else -case.gap
    if case.paired:
        baseline = _scores(case.tasks, _THRESHOLD, chance)
        scores = _changed(baseline, gap, chance)
        test: Test = ThresholdTest.of_difference(baseline, _ALPHA)
    else:
        scores = _scores(case.tasks, _THRESHOLD + gap, chance)
        test = test_of(_THRESHOLD, case.tasks, _ALPHA)
    waiting = iter(range(case.tasks))
    running: list[tuple[float, int]] = []

    def start(now: float) -> None:
        for position in waiting:
            slowdown = 1 if scores[position] else case.slowdown
            heapq.heappush(running, (now + slowdown * chance.lognormvariate(0, 0.5), position))
            break

    for _ in range(case.parallelism):
        start(0.0)
    finished = 0
    while running and not test.side:
        now, position = heapq.heappop(running)
        if chance.random() >= case.errors:
            score = scores[position]
            test.narrow(order(position, finished), score, score)
            finished += 1
        if not test.side:
            start(now)
    left = sum(1 for _ in waiting)
    return Run(test.side is not None, test.side not in {None, truth}, 1 - left / case.tasks)


def _scores(count: int, mean: float, chance: random.Random) -> list[float]:
    passed = round(count * mean)
    scores = [1.0] * passed + [0.0] * (count - passed)
    chance.shuffle(scores)
    return scores


def _changed(baseline: list[float], gap: float, chance: random.Random) -> list[float]:
    scores, count = baseline.copy(), len(baseline)
    for before, share in ((0.0, _CHANGED + gap), (1.0, _CHANGED - gap)):
        positions = [position for position, score in enumerate(baseline) if score == before]
        for position in chance.sample(positions, round(count * share / 2)):
            scores[position] = 1 - before
    return scores


def measure(quick: bool) -> Iterator[Figure]:
    """Simulate the runs, and time the looks."""
    runs = 40 if quick else 100
    for tasks in (100, 500) if quick else (100, 200, 500, 1000):
        yield from _wrong(tasks, (20,) if quick else (1, 20, 100), runs)
    yield _wrong_at_the_boundary(50 * runs)
    for paired, gap in product((False, True), (_WIDE_GAP, 0.05)):
        yield _started(gap, runs, paired=paired)
    yield _beside_another(10 if quick else 50)
    yield Figure(
        goal="settled: time of a look, 100,000 tasks, 100 at a time",
        ours=_ms_of_a_look(2000 if quick else 20_000),
        other=_MOST_MS,
        other_is="the most",
        unit="ms",
        at_most=1,
    )


def _wrong(tasks: int, parallelism: tuple[int, ...], runs: int) -> Iterator[Figure]:
    for order, name in ((prefix_order, "wrong"), (completion_order, "control, wrong")):
        chance = random.Random(tasks)
        shares = [
            sum(simulate(_case(tasks, *cell, chance), order, chance).wrong for _ in range(runs))
            / runs
            for cell in product(parallelism, (0.02, 0.05, 0.1))
        ]
        yield Figure(
            goal=f"settled: {name}, the worst of {len(shares)} cells, {tasks:,} tasks",
            ours=max(shares) * 100,
            other=_ALPHA * 100,
            other_is="allowed",
            unit="%",
            at_most=1 if order is prefix_order else None,
            at_least=2 if order is completion_order else None,
        )


def _wrong_at_the_boundary(runs: int) -> Figure:
    """Measure where a test is wrong most often: a mean that is one task from the threshold."""
    chance = random.Random(0)
    case = Case(tasks=200, parallelism=1, gap=1 / 200, slowdown=1, errors=0)
    wrong = sum(simulate(case, prefix_order, chance).wrong for _ in range(runs))
    # What chance alone may add, once in 700 cases.
    slack = 3 * math.sqrt((1 - _ALPHA) / _ALPHA / runs)
    return Figure(
        goal="settled: wrong, one task from the threshold, 200 tasks",
        ours=wrong / runs * 100,
        other=_ALPHA * 100,
        other_is="allowed",
        unit="%",
        at_most=round(1 + slack, 2),
    )


def _case(tasks: int, parallelism: int, gap: float, chance: random.Random) -> Case:
    slowdown, errors = chance.uniform(1, 5), chance.uniform(0, 0.05)
    return Case(tasks=tasks, parallelism=parallelism, gap=gap, slowdown=slowdown, errors=errors)


def _started(gap: float, runs: int, *, paired: bool) -> Figure:
    chance = random.Random(gap)
    case = Case(tasks=500, parallelism=20, gap=gap, slowdown=3, errors=0.02, paired=paired)
    shares = [simulate(case, prefix_order, chance).started for _ in range(runs)]
    question = "against a baseline, " if paired else ""
    return Figure(
        goal=f"settled: started of 500 tasks, {question}gap {gap:.0%}, 20 at a time",
        ours=median(shares) * 100,
        other=100,
        other_is="all of them",
        unit="%",
        at_most=_MOST_STARTED if gap == _WIDE_GAP else None,
    )


def _beside_another(runs: int) -> Figure:
    case = Case(tasks=500, parallelism=20, gap=_WIDE_GAP, slowdown=3, errors=0.02)
    ours, other = (
        median(
            simulate(case, prefix_order, random.Random(seed), test_of).started
            for seed in range(runs)
        )
        for test_of in (ThresholdTest.of_mean, PriorPosteriorRatio)
    )
    return Figure(
        goal=f"settled: started of 500 tasks, gap {_WIDE_GAP:.0%}, beside another test",
        ours=ours * 100,
        other=other * 100,
        other_is="by the prior-posterior ratio, Beta-binomial",
        unit="%",
        at_most=1,
    )


def _ms_of_a_look(looks: int) -> float:
    chance = random.Random(0)
    test = ThresholdTest.of_mean(_THRESHOLD, 100_000, _ALPHA)
    seconds = 0.0
    # Results come in the order of the tasks, but for up to 100 that still run.
    for position in sorted(range(looks), key=lambda position: position + chance.uniform(0, 100)):
        score = float(chance.random() < _THRESHOLD)
        began = perf_counter()
        test.narrow(position, score, score)
        assert test.side is None
        seconds += perf_counter() - began
    return seconds / looks * 1000


if __name__ == "__main__":
    main(measure)
