"""When a run is to start no new task: it has cost enough, or goes wrong again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from benchmark_runner._run.failure_kinds import common_reason
from benchmark_runner.errors import RunPausedError
from benchmark_runner.schemas import GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.schemas import GenerationResult

#: So many identical errors in a row, without a success, and the next task would fail, too.
IDENTICAL_ERRORS = 10


@dataclass(slots=True)
class Costs:
    """What generations have cost.

    Attributes:
        dollars: The sum of what is recorded.
        unknown: How many generations have no cost recorded, or none that can be one.
    """

    dollars: float = 0.0
    unknown: int = 0

    def add(self, generation: GenerationResult) -> None:
        """Count one generation."""
        cost = known_cost(generation)
        if cost is None:
            self.unknown += 1
        else:
            self.dollars += cost


def known_cost(generation: GenerationResult) -> float | None:
    """US dollars that a generation cost; ``None`` where none are recorded that can be."""
    cost = generation.cost
    return cost if cost is not None and isfinite(cost) and cost >= 0 else None


def recorded_costs(artifacts: RunArtifacts, task_ids: Iterable[str]) -> Costs:
    """Sum up what is recorded on disk, earlier attempts included: they were paid for, too."""
    costs = Costs()
    for task_id in task_ids:
        generation = artifacts.load_generation(task_id)
        for paid in [*artifacts.earlier_generations(task_id), generation]:
            if paid is not None:
                costs.add(paid)
    return costs


@dataclass(slots=True)
class Caps:
    """Counts generations, and says when to pause.

    Attributes:
        max_cost: US dollars that the run may cost, as far as costs are recorded.
        max_errors: The most generation errors of this invocation.
        costs: What the run has cost so far.
    """

    max_cost: float | None = None
    max_errors: int | None = None
    costs: Costs = field(default_factory=Costs)
    _errors: int = 0
    _same_error: str = ""
    _in_a_row: int = 0

    def count(self, task_id: str, generation: GenerationResult) -> None:
        """Take a finished generation into account."""
        self.costs.add(generation)
        if generation.status is not GenerationStatus.ERROR:
            self._in_a_row = 0
            return
        self._errors += 1
        reason = common_reason(generation.error or "", task_id)
        self._in_a_row = self._in_a_row + 1 if reason == self._same_error else 1
        self._same_error = reason

    def reached(self) -> RunPausedError | None:
        """Why no new task is to be started, if so."""
        if self.max_cost is not None and self.costs.dollars >= self.max_cost:
            return RunPausedError(
                f"paused at a cost of ${self.costs.dollars:.2f}: --max-cost is "
                f"{self.max_cost:g}{self._unknown_costs()}",
                hint="Run it again with a higher --max-cost to go on.",
            )
        if self.max_errors is not None and self._errors >= self.max_errors:
            return RunPausedError(
                f"paused after {self._errors} generation error(s): --max-errors is "
                f"{self.max_errors}",
                hint="Correct what they name, then run it again to go on.",
            )
        if self._in_a_row >= IDENTICAL_ERRORS:
            return RunPausedError(
                f"paused after {self._in_a_row} generations in a row failed in the same way: "
                f"{self._same_error or 'no reason given'}",
                hint="Correct what it names, then run it again to go on.",
            )
        return None

    def _unknown_costs(self) -> str:
        unknown = self.costs.unknown
        return f" ({unknown} generation(s) without a recorded cost not counted)" if unknown else ""
