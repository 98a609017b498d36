"""The limits after which a run starts no new task: cost, errors, the same failure in a row."""

from dataclasses import dataclass, field

from benchmark_runner._run.answer_signs import is_silent_timeout, shows_answer
from benchmark_runner._run.failure_kinds import common_reason
from benchmark_runner._spend import Spend
from benchmark_runner._text import dollars, plural
from benchmark_runner.errors import RunPausedError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    FailureKind,
    GenerationResult,
    GenerationStatus,
)

#: Number of identical errors in a row after which the next task would surely fail, too.
IDENTICAL_ERRORS = 10
#: Likewise, of timeouts without any sign of an answer: more likely an outage than hard tasks.
SILENT_TIMEOUTS = 10
#: Failures that pass with time: what is generated meanwhile can be evaluated later.
_PASSING = frozenset({FailureKind.SERVICE_UNAVAILABLE, FailureKind.TIMEOUT, FailureKind.CANCELLED})


@dataclass(slots=True)
class _Streak:
    """The failures of one step that came in a row for the same reason."""

    what: str
    reason: str = ""
    length: int = 0
    task_id: str = ""

    def add(self, reason: str, task_id: str) -> None:
        """Count a failure; the repeats of one task say no more than one of them."""
        if reason != self.reason:
            self.length = 0
        if not self.length or task_id != self.task_id:
            self.length += 1
        self.reason, self.task_id = reason, task_id

    def reached(self) -> RunPausedError | None:
        if self.length < IDENTICAL_ERRORS:
            return None
        return RunPausedError(
            f"paused after {self.length} {self.what} in a row failed in the same way: "
            f"{self.reason or 'no reason given'}",
            hint="Correct what the error names, then resume the run.",
        )


@dataclass(slots=True)
class Caps:
    """Counts generations and evaluations, and tells when to pause the run.

    ``max_cost`` is of the whole run, ``max_errors`` of this command.
    """

    max_cost: float | None = None
    max_errors: int | None = None
    spend: Spend = field(default_factory=Spend)
    _errors: int = 0
    _generations: _Streak = field(default_factory=lambda: _Streak("generations"))
    _evaluations: _Streak = field(default_factory=lambda: _Streak("evaluations"))
    _silent: int = 0
    _last_wait: str = ""
    _answered: bool = False

    def count(self, task_id: str, generation: GenerationResult) -> None:
        """Count a finished generation."""
        self.spend.add_generation(generation)
        self._count_silence(generation)
        if generation.status is not GenerationStatus.ERROR:
            self._generations.length = 0
            return
        self._errors += 1
        self._generations.add(common_reason(generation.error or "", task_id), task_id)

    def count_evaluation(self, task_id: str, result: EvalResult) -> None:
        """Count an evaluation; only of failures that do not pass with time, many are too many."""
        if result.status is EvalStatus.EVALUATED:
            self._evaluations.length = 0
        elif result.status is EvalStatus.ERROR:
            failure = result.failure
            if failure is not None and failure.kind in _PASSING:
                self._evaluations.length = 0
            else:
                self._evaluations.add(common_reason(result.error or "", task_id), task_id)

    def evaluations_reached(self) -> RunPausedError | None:
        """Return the error that says why no more should be evaluated; ``None`` if nothing does."""
        return self._evaluations.reached()

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
        if reached := self._generations.reached() or self._evaluations.reached():
            return reached
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
