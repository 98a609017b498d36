"""A figure, beside what bounds it, and the table they are printed in."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was measured of us and of what we are compared with, in one run on one machine.

    Attributes:
        goal: Which goal, and in which case.
        ours: What was measured of us.
        other: The same of the other one.
        other_is: What the other one is.
        unit: Of both.
        at_most: The most that the ratio, ours to the other's, may be.
        at_least: The least that it may be; without either the figure is only for comparison.
    """

    goal: str
    ours: float
    other: float
    other_is: str
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        """Ours to the other's; infinite if the other's was too small to measure."""
        return self.ours / self.other if self.other else float("inf")

    @property
    def bound(self) -> str:
        """What the ratio may be, in words."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g}"
        return "" if self.at_least is None else f"≥ {self.at_least:g}"

    @property
    def met(self) -> bool | None:
        """Whether it is; ``None`` where nothing is asked for."""
        if self.at_most is not None:
            return self.ratio <= self.at_most
        return None if self.at_least is None else self.ratio >= self.at_least


Measure = Callable[[bool], Iterator[Figure]]


def show(measures: Sequence[Measure], *, quick: bool) -> None:
    """Measure one goal after the other, and print the table."""
    console, progress = Console(width=max(100, Console().width)), Console(stderr=True)
    table = Table("goal", "ours", "compared with", "ratio", "asked", "met")
    for column in (1, 3, 4):
        table.columns[column].justify = "right"
    words = {True: "yes", False: "NO", None: ""}
    for measure in measures:
        for figure in measure(quick):
            row = (
                figure.goal,
                f"{figure.ours:,.4g} {figure.unit}",
                f"{figure.other:,.4g} {figure.unit}: {figure.other_is}",
                f"{figure.ratio:.3g}",
                figure.bound,
                words[figure.met],
            )
            table.add_row(*row)
            progress.print("  ".join(filter(None, row)), style="dim", highlight=False)
    console.print(table)


def main(*measures: Measure) -> None:
    """Measure and print, as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="Fewer tasks and repetitions.")
    show(measures, quick=parser.parse_args().quick)


def medians(*timed: Callable[[], object], times: int) -> list[float]:
    """Seconds that each of them takes, by turns, so that what disturbs one disturbs all."""
    taken: list[list[float]] = [[] for _ in timed]
    for call in timed:  # compiled, and in the system's memory
        call()
    for _ in range(times):
        for seconds, call in zip(taken, timed, strict=True):
            began = perf_counter()
            call()
            seconds.append(perf_counter() - began)
    return [statistics.median(seconds) for seconds in taken]
