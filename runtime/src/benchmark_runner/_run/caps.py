"""The limits after which a run starts no new task: cost, errors, the same failure in a row."""

from dataclasses import dataclass, field

from benchmark_runner._run.answer_signs import is_silent_timeout, shows_answer
from benchmark_runner._run.failure_kinds import common_reason
from benchmark_runner._spend import Spend
from benchmark_runner._text import dollars, plural
from benchmark_runner.errors import RunPausedError
from benchmark_runner.schemas import GenerationResult, GenerationStatus

#: Number of identical errors in a row after which the next task would surely fail, too.
IDENTICAL_ERRORS = 10
#: Likewise, of timeouts without any sign of an answer: more likely an outage than hard tasks.
SILENT_TIMEOUTS = 10


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
    _silent: int = 0
    _last_wait: str = ""
    _answered: bool = False

    def count(self, task_id: str, generation: GenerationResult) -> None:
        """Count a finished generation."""
        self.spend.add_generation(generation)
        self._count_silence(generation)
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
        return self._silence() if self._silent >= SILENT_TIMEOUTS else None

    def reached_at_end(self) -> RunPausedError | None:
        """Return the error of a command that is done, but of which no task has an answer."""
        in_vain = self._silent >= SILENT_TIMEOUTS and not self._answered
        return self._silence() if in_vain else None

    def _count_silence(self, generation: GenerationResult) -> None:
        if is_silent_timeout(generation):
            self._silent += 1
            self._last_wait = generation.error or ""
        elif generation.status is not GenerationStatus.ERROR or shows_answer(generation):
            self._silent, self._answered = 0, True

    def _silence(self) -> RunPausedError:
        last = f": {self._last_wait}" if self._last_wait else ""
        return RunPausedError(
            f"paused after {self._silent} generations ran out of time, without a success and "
            f"without any sign of an answer in between{last}",
            hint="See that the model answers, then resume the run with --retry-timeouts.",
            resume_with=("--retry-timeouts",),
        )
