"""Scores against effort in a report: the tasks in quarters by their turns, and by their tokens."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from benchmark_runner._stats.quartiles import quarters
from benchmark_runner.results.report.run_figures import Group, RunFigures

__all__ = ["Effort", "Quarter", "efforts"]

#: Of fewer tasks, a quarter would be one or two.
_FEWEST = 12
_UNITS = {"G": 1e9, "M": 1e6, "k": 1e3}


class Quarter(NamedTuple):
    """A quarter of the tasks, whose agents used from ``low`` to ``high``."""

    low: float
    high: float
    group: Group


@dataclass(frozen=True, slots=True)
class Effort:
    """The scores of the tasks by what their agents used.

    Attributes:
        unit: ``turns`` or ``tokens``.
        quarters: The quarters of the tasks, the one that used least first.
        unknown: Number of generated tasks whose effort is not known, and which are left out.
    """

    unit: str
    quarters: list[Quarter]
    unknown: int

    @property
    def groups(self) -> list[Group]:
        """The quarters as groups of tasks, named by what they used."""
        return [quarter.group for quarter in self.quarters]


def efforts(figures: RunFigures) -> Iterator[Effort]:
    """Yield the scores by turns and by tokens, as far as they are known of enough tasks."""
    known = {"turns": figures.agents.turns, "tokens": figures.agents.tokens}
    for unit, amounts in known.items():
        found = _quarters(figures, amounts)
        if any(quarter.group.estimate for quarter in found):
            yield Effort(unit, found, figures.agents.generated - len(amounts))


def _quarters(figures: RunFigures, amounts: Mapping[str, float]) -> list[Quarter]:
    ids, values = [*amounts], [*amounts.values()]
    found = quarters(values) if len(values) >= _FEWEST else []
    if len(found) <= 1:  # all used the same
        return []
    return [_quarter(figures, {ids[each]: values[each] for each in places}) for places in found]


def _quarter(figures: RunFigures, amounts: Mapping[str, float]) -> Quarter:
    low, high = min(amounts.values()), max(amounts.values())
    name = _short(low) if low == high else f"{_short(low)} to {_short(high)}"
    return Quarter(low, high, figures.group(name, [*amounts]))


def _short(value: float) -> str:
    """Return a number of turns or tokens for a narrow column: ``1,204``, ``53.1k``."""
    if value < 10 * _UNITS["k"]:
        return f"{value:,.4g}"
    unit, size = next(item for item in _UNITS.items() if value >= item[1])
    return f"{value / size:.3g}{unit}"
