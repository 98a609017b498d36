from __future__ import annotations

import math
import random

import pytest
from scipy import stats

from benchmark_runner._stats.survival import History, Survival, Tail


def test_kaplan_meier() -> None:
    """The shares that are longer are those of another implementation."""
    chance = random.Random(5)
    # Values far enough apart for bins of their own.
    steps = [*range(200)]
    chance.shuffle(steps)
    finished, elapsed = ([math.exp(n / 9) for n in part] for part in (steps[:120], steps[120:]))
    history = History()
    for seconds in finished:
        history.add(seconds, 1.0)
    survival = Survival(history, elapsed)
    data = stats.CensoredData(uncensored=finished, right=elapsed)
    other = stats.ecdf(data).sf
    for time, longer in zip(survival.times, survival.longer, strict=True):
        assert longer == pytest.approx(float(other.evaluate(time * (1 + 1e-9))))
    middle = survival.times[len(survival.times) // 2]
    assert survival.longer_than(middle * 1.001) == pytest.approx(
        float(other.evaluate(middle * 1.001))
    )
    assert survival.longer_than(0.0) == 1.0


@pytest.mark.parametrize(("level", "slope"), [(1.5, 0.0), (0.2, 0.7)])
def test_tail_inverts_hazard(level: float, slope: float) -> None:
    """The z after some hazard is where that much of it has cumulated."""
    tail = Tail(10.0, level, slope)
    for z in (0.0, 0.5, 3.0):
        end = tail.after(z, 1.3)
        assert level * (end - z) + slope * (end**2 - z**2) / 2 == pytest.approx(1.3)


@pytest.mark.parametrize("index", [1.5, 2.5])
def test_finds_pareto_index(index: float) -> None:
    """Of a Pareto sample, part of it unfinished, the likely Pareto tails have its index."""
    chance = random.Random(7)
    history, elapsed = History(), list[float]()
    for _ in range(4000):
        seconds, bound = (chance.paretovariate(shape) for shape in (index, 1.0))
        if seconds <= bound:
            history.add(seconds, None)
        else:
            elapsed.append(bound)
    tails = [(weight, tail) for weight, tail in Survival(history, elapsed).tails()]
    assert sum(weight for weight, _ in tails) == pytest.approx(1)
    weight, likely = max((pair for pair in tails if not pair[1].slope), key=lambda pair: pair[0])
    assert weight > 0.1
    assert likely.level == pytest.approx(index, rel=0.15)


def test_ended_by_limit() -> None:
    """Jobs that the limit ended have no duration of their own: they would take longer."""
    history = History()
    for seconds in [*range(10, 50), *[100.0] * 10]:
        history.add(float(seconds), 1.0)
    survival = Survival(history, [], limit=100.0)
    assert survival.limit == 100.0
    assert survival.longer[-1] >= 0.2
    assert survival.times[-1] < 50
    assert Survival(history, [], limit=60.0).limit == math.inf


def test_bins_are_bounded() -> None:
    """The memory of a history does not grow with the number of jobs."""
    chance, history = random.Random(1), History()
    for _ in range(20_000):
        history.add(chance.lognormvariate(4, 2), 1.0)
    assert history.count == sum(each.count for each in history.bins()) == 20_000
    assert len(history.bins()) < 250
