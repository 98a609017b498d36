"""The limits after which a run starts no new task: cost, errors, identical errors in a row."""

from dataclasses import dataclass, field

from benchmark_runner._run.failure_kinds import common_reason
from benchmark_runner._spend import Spend
from benchmark_runner._text import dollars, plural
from benchmark_runner.errors import RunPausedError
from benchmark_runner.schemas import GenerationResult, GenerationStatus

#: Number of identical errors in a row after which the next task would surely fail, too.
IDENTICAL_ERRORS = 10


@dataclass(slots=True)
class Caps:
    """Counts generations, and tells when to pause the run.

    ``max_cost`` is of the whole run, ``max_errors`` of this command.
    """

    max_cost: float | None = None
    max_errors: int | None = None
    spend: Spend = field(default_factory=Spend)
    _errors: int = 0
    _same_error: str = ""
    _in_a_row: int = 0

    def count(self, task_id: str, generation: GenerationResult) -> None:
        """Count a finished generation."""
        self.spend.add_generation(generation)
        if generation.status is not GenerationStatus.ERROR:
            self._in_a_row = 0
            return
        self._errors += 1
        reason = common_reason(generation.error or "", task_id)
        self._in_a_row = self._in_a_row + 1 if reason == self._same_error else 1
        self._same_error = reason

    def reached(self) -> RunPausedError | None:
        """Return the error that says which limit is reached; ``None`` if none is."""
        if self.max_cost is not None and self.spend.dollars >= self.max_cost:
            unknown = self.spend.unknown
            generations = plural(unknown, "generation")
            not_counted = f" ({generations} without a recorded cost not counted)"
            return RunPausedError(
                f"paused at a cost of {dollars(self.spend.dollars)}: --max-cost is "
                f"{self.max_cost:g}{not_counted if unknown else ''}",
                hint="Resume the run with a higher --max-cost.",
            )
        if self.max_errors is not None and self._errors >= self.max_errors:
            return RunPausedError(
                f"paused after {plural(self._errors, 'generation error')}: --max-errors is "
                f"{self.max_errors}",
                hint="Correct what the errors name, then resume the run.",
            )
        if self._in_a_row >= IDENTICAL_ERRORS:
            return RunPausedError(
                f"paused after {self._in_a_row} generations in a row failed in the same way: "
                f"{self._same_error or 'no reason given'}",
                hint="Correct what the error names, then resume the run.",
            )
        return None
