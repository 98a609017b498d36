"""The repeats of each task of a run, with the numbers that belong to the task."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import groupby

from benchmark_runner._stats.means import standard_deviation
from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.errors import UsageError
from benchmark_runner.results.task_row import TaskRow, TaskState

__all__ = ["Outcome", "TaskRepeats", "by_task"]

#: Scores closer than this are the same, summed up in another order.
_NOISE = 1e-9


class Outcome(Enum):
    """The outcome of a repeat in a strip: a sign that reads without colour, and its meaning."""

    PASSED = "P", "passed"
    FAILED = "F", "failed"
    PARTLY = "~", "partly"
    SCORED = "S", "scored"
    TIMED_OUT = "T", "timed out"
    OUT_OF_TURNS = "O", "out of turns"
    DID_NOT_COMPLETE = "N", "did not complete"
    ERROR = "E", "error"
    NOT_YET = "-", "not yet"

    @property
    def sign(self) -> str:
        """The sign."""
        return self.value[0]

    @property
    def text(self) -> str:
        """Its meaning."""
        return self.value[1]


_OF_STATE = {
    TaskState.TIMED_OUT: Outcome.TIMED_OUT,
    TaskState.OUT_OF_TURNS: Outcome.OUT_OF_TURNS,
    TaskState.DID_NOT_COMPLETE: Outcome.DID_NOT_COMPLETE,
    TaskState.FAILED_GENERATING: Outcome.ERROR,
    TaskState.FAILED_GRADING: Outcome.ERROR,
    TaskState.NOT_GRADED: Outcome.NOT_YET,
    TaskState.NOT_GENERATED: Outcome.NOT_YET,
}


@dataclass(frozen=True)
class TaskRepeats:
    """One task of a run.

    Attributes:
        rows: Its repeats, in their order.
        reduction: The way in which their scores become that of the task.
    """

    rows: tuple[TaskRow, ...]
    reduction: Reduction = MEAN

    @property
    def task_id(self) -> str:
        """The id of the task."""
        return self.rows[0].task_id

    @cached_property
    def scores(self) -> list[float]:
        """The scores of the repeats that have one."""
        return [row.score for row in self.rows if row.score is not None]

    @property
    def score(self) -> float | None:
        """The score of the task; ``None`` without scores, or with too few for the reduction.

        Raises:
            UsageError: the reduction counts passes, and a score is neither 0 nor 1.
        """
        return self._reduced(self.scores)

    @property
    def least_score(self) -> float | None:
        """The same with each repeat that has no score counted as 0."""
        return self._reduced([row.score or 0.0 for row in self.rows])

    def _reduced(self, scores: Sequence[float]) -> float | None:
        try:
            return self.reduction.reduce(scores)
        except ValueError as error:
            raise UsageError(
                f"task {self.task_id!r}: {error}",
                hint="Other scores can be reduced by mean and by max.",
            ) from None

    @property
    def spread(self) -> float | None:
        """The standard deviation of its scores; ``None`` below two."""
        return standard_deviation(self.scores)

    @property
    def is_flaky(self) -> bool:
        """True if its repeats do not all have the same score."""
        return bool(self.scores) and max(self.scores) - min(self.scores) > _NOISE

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each repeat.

        On another scale than 0 to 1, it is not known which score passes.
        """
        is_share = all(0 <= score <= 1 for score in self.scores)
        return [_outcome(row, is_share=is_share) for row in self.rows]

    @property
    def strip(self) -> str:
        """The signs of the outcomes."""
        return "".join(outcome.sign for outcome in self.outcomes)

    @property
    def outcomes_text(self) -> str:
        """The number of repeats of each outcome: ``3 passed, 1 timed out``; the state of one."""
        if len(self.rows) == 1:
            return self.rows[0].state
        counts = Counter(outcome.text for outcome in self.outcomes)
        return ", ".join(f"{count} {text}" for text, count in counts.most_common())

    def total(self, column: str) -> float | None:
        """Return the sum of a column over the generations; ``None`` if it is unknown of one."""
        values = [getattr(row, column) for row in self.rows if row.generation_status is not None]
        return None if not values or None in values else sum(values)


def by_task(
    rows: Iterable[tuple[TaskRow, TaskFiles]], reduction: Reduction = MEAN
) -> Iterator[tuple[TaskRepeats, list[TaskFiles]]]:
    """Yield each task with the files of its repeats; only those of one are in memory.

    Args:
        rows: The repeats of tasks, those of one task in succession, as in
            :meth:`RunScan.with_files() <benchmark_runner.results.RunScan.with_files>`.
        reduction: The way in which their scores become that of the task; the mean by default.
    """
    for _, group in groupby(rows, lambda pair: pair[0].task_id):
        repeats = [*group]
        task = TaskRepeats(tuple(row for row, _ in repeats), reduction)
        yield task, [files for _, files in repeats]


def _outcome(row: TaskRow, *, is_share: bool) -> Outcome:
    if row.state is not TaskState.SCORED:
        return _OF_STATE[row.state]
    score = row.score
    if score is None or not is_share:
        return Outcome.SCORED
    if abs(score - round(score)) > _NOISE:
        return Outcome.PARTLY
    return Outcome.PASSED if round(score) == 1 else Outcome.FAILED
