"""One of the two runs of a comparison, read in one pass."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._stats.means import mean
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.run_view import RunScan, RunView
from benchmark_runner.results.task_row import TaskRow, TaskState

#: Called with the row and the files of each task while they are read.
TaskListener = Callable[[TaskRow, TaskFiles], object]

__all__ = ["Side", "TaskListener", "TaskOutcome", "Total", "mean_of_known", "read_side"]


class TaskOutcome(NamedTuple):
    """The part of a task's row that a comparison needs, with the cost of the last attempt.

    ``missing`` is the reason why there is no score, in a few words.
    """

    score: float | None
    missing: str | None
    graded_by: GradedBy | None
    cost: float | None
    seconds: float | None


class Total(NamedTuple):
    """A sum over the generations of a run, ``unknown`` of which have no record."""

    total: float | None
    unknown: int


@dataclass(frozen=True, slots=True)
class Side:
    """A run to be compared.

    Attributes:
        view: The run.
        scan: The finished pass over its tasks, for the totals.
        tasks: The outcome of each of its tasks, in its order.
        cost: US dollars, earlier attempts included.
        seconds: Time in ``generate()``, without that of earlier attempts.
    """

    view: RunView
    scan: RunScan
    tasks: dict[str, TaskOutcome]
    cost: Total
    seconds: Total


def read_side(view: RunView, listener: TaskListener | None = None) -> Side:
    """Read a run, which may be in progress; ``listener`` gets the row and files of each task.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    scan, tasks = view.scan(), dict[str, TaskOutcome]()
    graders: dict[GradedBy, GradedBy] = {}  # one object for equal ones
    has_cost, untimed = False, 0
    for row, files in scan.with_files():
        by = row.graded_by and graders.setdefault(row.graded_by, row.graded_by)
        seconds = row.generation_seconds
        tasks[row.task_id] = TaskOutcome(row.score, _missing_text(row), by, row.cost, seconds)
        has_cost |= row.cost is not None or row.cost_of_earlier_attempts is not None
        untimed += seconds is None and row.generation_status is not None
        if listener is not None:
            listener(row, files)
    spend = scan.summary.spend
    times = [task.seconds for task in tasks.values() if task.seconds is not None]
    return Side(
        view,
        scan,
        tasks,
        cost=Total(spend.dollars if has_cost else None, spend.unknown),
        seconds=Total(sum(times) if times else None, untimed),
    )


def mean_of_known(values: Iterable[float | None]) -> tuple[float | None, int]:
    """Return the mean of the values that are not ``None``, and their number."""
    known = [value for value in values if value is not None]
    return mean(known), len(known)


def _missing_text(row: TaskRow) -> str | None:
    if row.score is not None:
        return None
    if row.unreadable:
        return "can't be read"
    if row.state is TaskState.SCORED:
        return "graded, without a task score"
    return f"{row.state}, not graded yet" if row.state.is_done else row.state.value
