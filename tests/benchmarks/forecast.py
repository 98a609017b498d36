"""How often the forecast's interval of 90% holds the final cost, after 10% of the tasks.

Runs with heavy-tailed durations are simulated with fixed seeds, the same on each machine: each
task costs by the second, give or take 30%, and tasks start in their order, as places are free.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass
from statistics import median
from time import process_time
from typing import TYPE_CHECKING

from benchmark_runner._stats.forecast import Forecast, forecast
from benchmark_runner._stats.survival import History
from tests.benchmarks.figures import Figure, main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ASKED, _SHARE, _NOISE = 0.85, 0.1, 0.3
_DOLLARS_PER_SECOND = 0.001
_TIMEOUT = 600.0
#: Number of tasks, and parallelism.
_SIZES = [(100, 1), (100, 20), (500, 1), (500, 20), (500, 100), (1000, 100)]
_LARGE, _LOOKS = 100_000, 20

#: Seconds that tasks take, and the time limit of the run.
DURATIONS: dict[str, tuple[Callable[[random.Random], float], float | None]] = {
    "lognormal, sigma 1": (lambda chance: 100 * chance.lognormvariate(0, 1), None),
    "lognormal, sigma 1.5": (lambda chance: 100 * chance.lognormvariate(0, 1.5), None),
    "Pareto, index 1.5": (lambda chance: 100 * chance.paretovariate(1.5), None),
    "Pareto, index 2.5": (lambda chance: 100 * chance.paretovariate(2.5), None),
}
_TIMED_OUT = "lognormal, sigma 1.5, timeouts"


@dataclass(frozen=True, slots=True)
class Look:
    """A simulated run at some moment, and how it ends.

    Attributes:
        history: The finished tasks.
        elapsed: The seconds of each running one.
        waiting: Number of those that have not started.
        spent: Dollars of the finished ones.
        cost: Final cost.
        seconds: Seconds until the end.
    """

    history: History
    elapsed: list[float]
    waiting: int
    spent: float
    cost: float
    seconds: float

    @property
    def naive(self) -> float:
        """The final cost if each task cost as much as the mean of the finished ones."""
        finished = self.history.count
        return self.spent / finished * (finished + len(self.elapsed) + self.waiting)


def simulate(
    duration: Callable[[random.Random], float],
    tasks: int,
    parallelism: int,
    chance: random.Random,
    share: float = _SHARE,
) -> Look:
    """Simulate a run up to the moment when that share of its tasks has finished."""
    free, spans, costs = [0.0] * parallelism, list[tuple[float, float]](), list[float]()
    for _ in range(tasks):
        seconds = duration(chance)
        began = heapq.heappop(free)
        heapq.heappush(free, began + seconds)
        spans.append((began, began + seconds))
        costs.append(seconds * _DOLLARS_PER_SECOND * chance.lognormvariate(0, _NOISE))
    ends = sorted(end for _, end in spans)
    now = ends[math.ceil(share * tasks) - 1]
    history, spent = History(), 0.0
    for (began, end), cost in zip(spans, costs, strict=True):
        if end <= now:
            history.add(end - began, cost)
            spent += cost
    elapsed = [now - began for began, end in spans if began <= now < end]
    waiting = sum(began > now for began, _ in spans)
    return Look(history, elapsed, waiting, spent, math.fsum(costs), ends[-1] - now)


def forecast_at(look: Look, parallelism: int, limit: float | None = None) -> Forecast:
    """Return the forecast at that moment."""
    found = forecast(
        look.history,
        elapsed=look.elapsed,
        waiting=look.waiting,
        parallelism=parallelism,
        spent=look.spent,
        limit=limit,
    )
    assert found is not None
    return found


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the coverage with what is asked for, and the forecast with a naive one."""
    timed_out = (lambda chance: min(100 * chance.lognormvariate(0, 1.5), _TIMEOUT), _TIMEOUT)
    for name, (duration, limit) in (DURATIONS | {_TIMED_OUT: timed_out}).items():
        for tasks, parallelism in [(500, 20)] if quick else _SIZES:
            case = f"{name}: {tasks:,} tasks, parallelism {parallelism}"
            chance = random.Random(case)
            looks = [
                simulate(duration, tasks, parallelism, chance)
                for _ in range(100 if quick else 1000)
            ]
            yield from _figures(
                case, [(look, forecast_at(look, parallelism, limit)) for look in looks]
            )
    yield _speed()


def _figures(case: str, pairs: list[tuple[Look, Forecast]]) -> Iterator[Figure]:
    costs = [(look, found.dollars) for look, found in pairs if found.dollars is not None]
    held = sum(each.low <= look.cost <= each.high for look, each in costs)
    in_time = sum(found.seconds.low <= look.seconds <= found.seconds.high for look, found in pairs)
    width = median((each.high - each.low) / look.cost for look, each in costs)
    yield Figure(
        goal=f"forecast, {case}; width {width:.0%} of the final cost",
        ours=held / len(pairs) * 100,
        other=_ASKED * 100,
        other_is="asked for",
        unit="% held",
        at_least=1.0,
    )
    yield Figure(
        goal=f"forecast, {case}: median of forecast / final cost",
        ours=median(each.middle / look.cost for look, each in costs) * 100,
        other=median(look.naive / look.cost for look, _ in costs) * 100,
        other_is="from the mean of the finished",
        unit="%",
    )
    yield Figure(
        goal=f"forecast, {case}: the end",
        ours=in_time / len(pairs) * 100,
        other=_ASKED * 100,
        other_is="asked for of the cost",
        unit="% held",
    )


def _speed() -> Figure:
    chance, history = random.Random(1), History()
    for _ in range(_LARGE):
        seconds = 100 * chance.lognormvariate(0, 1.5)
        history.add(seconds, seconds * _DOLLARS_PER_SECOND)
    look = Look(history, [50.0 * n for n in range(1, 101)], _LARGE, 1.0, 0.0, 0.0)
    taken: list[float] = []
    for _ in range(_LOOKS):
        began = process_time()
        forecast_at(look, 100)
        taken.append(process_time() - began)
    return Figure(
        goal=f"forecast: a look at {_LARGE:,} finished tasks, 100 running",
        ours=median(taken) * 1000,
        other=5.0,
        other_is="asked for",
        unit="ms",
        at_most=1.0,
    )


if __name__ == "__main__":
    main(measure)
