"""Which step of which run to break, and how: all that there are, or a sample."""

from __future__ import annotations

from dataclasses import dataclass
from errno import EIO, ENOSPC
from os import strerror
from typing import TYPE_CHECKING

from tests.crash.steps import REFUSED_BY_DISK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.crash.scenarios import Scenario
    from tests.crash.steps import How


@dataclass(frozen=True)
class Point:
    """One step of a run, and one way to break it."""

    scenario: Scenario
    step: str
    how: How
    error: int = 0

    @property
    def kind(self) -> str:
        return kind_of(self.step)

    def __str__(self) -> str:
        reason = f" ({strerror(self.error)})" if self.error else ""
        return f"{self.scenario.name}, {self.how}: {self.step}{reason}"


def kind_of(step: str) -> str:
    return step.partition(" ")[0]


def kills(scenario: Scenario, steps: Sequence[str]) -> list[Point]:
    """Before, in the middle of and after every step."""
    return [Point(scenario, step, how) for step in steps for how in _ways_to_kill(step)]


def faults(scenario: Scenario, steps: Sequence[str]) -> list[Point]:
    """Every step that a full or a faulty disk can refuse: for once, and from then on."""
    return [
        Point(scenario, step, how, error)
        for step in steps
        for error in (ENOSPC, EIO)
        if kind_of(step) in REFUSED_BY_DISK[error]
        for how in ("fail once", "fail from then on")
    ]


def sample(points: Sequence[Point], least: int) -> list[Point]:
    """The first and the last of each scenario, one of each kind of step, and others evenly
    spread over all until it is ``least``.
    """
    of_scenario: dict[str, list[int]] = {}
    of_kind: dict[str, list[int]] = {}
    for index, point in enumerate(points):
        of_scenario.setdefault(point.scenario.name, []).append(index)
        of_kind.setdefault(point.kind, []).append(index)
    chosen = {indexes[end] for indexes in of_scenario.values() for end in (0, -1)}
    chosen |= {indexes[len(indexes) // 2] for indexes in of_kind.values()}
    spread = (index * len(points) // least for index in range(least))
    while len(chosen) < min(least, len(points)):
        chosen.add(next(spread))
    return [points[index] for index in sorted(chosen)]


def _ways_to_kill(step: str) -> Iterator[How]:
    yield "kill before"
    if kind_of(step) in {"write", "pwrite"}:
        yield "kill halfway"
    yield "kill after"
