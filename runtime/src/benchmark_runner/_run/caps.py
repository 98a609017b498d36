"""When a run is to start no new task: it has cost enough, or goes wrong again and again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark_runner._run.failure_kinds import common_reason
from benchmark_runner._spend import Spend
from benchmark_runner._text import dollars
from benchmark_runner.errors import RunPausedError
from benchmark_runner.schemas import GenerationStatus

if TYPE_CHECKING:
    from benchmark_runner.schemas import GenerationResult

#: So many identical errors in a row, without a success, and the next task would fail, too.
IDENTICAL_ERRORS = 10


@dataclass(slots=True)
class Caps:
    """Counts generations, and says when to pause.

    Attributes:
        max_cost: US dollars that the run may cost, as far as costs are recorded.
        max_errors: The most generation errors of this invocation.
        spend: The cost of the run so far.
    """

    max_cost: float | None = None
    max_errors: int | None = None
    spend: Spend = field(default_factory=Spend)
    _errors: int = 0
    _same_error: str = ""
    _in_a_row: int = 0

    def count(self, task_id: str, generation: GenerationResult) -> None:
        """Take a finished generation into account."""
        self.spend.add_generation(generation)
        if generation.status is not GenerationStatus.ERROR:
            self._in_a_row = 0
            return
        self._errors += 1
        reason = common_reason(generation.error or "", task_id)
        self._in_a_row = self._in_a_row + 1 if reason == self._same_error else 1
        self._same_error = reason

    def reached(self) -> RunPausedError | None:
        """Why no new task is to be started, if so."""
        if self.max_cost is not None and self.spend.dollars >= self.max_cost:
            return RunPausedError(
                f"paused at a cost of {dollars(self.spend.dollars)}: --max-cost is "
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
        unknown = self.spend.unknown
        return f" ({unknown} generation(s) without a recorded cost not counted)" if unknown else ""
