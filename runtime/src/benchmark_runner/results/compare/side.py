"""One of the two runs of a comparison, read in one pass."""

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._stats.means import mean
from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner._text import plural
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.run_view import RunScan, RunView
from benchmark_runner.results.task_repeats import TaskRepeats, by_task
from benchmark_runner.results.task_row import TaskRow, TaskState

#: Called with each task and the files of its repeats while they are read.
TaskListener = Callable[[TaskRepeats, list[TaskFiles]], object]

__all__ = ["Side", "TaskListener", "TaskOutcome", "Total", "mean_of_known", "read_side"]


class TaskOutcome(NamedTuple):
    """The part of a task that a comparison needs.

    Attributes:
        score: Its score, that of its repeats reduced.
        least: The same with each repeat without a score counted as 0.
        scored: The number of repeats that have a score.
        missing: The reason why there is no score, in a few words.
        graders: The graders of its repeats; one in most runs.
        cost: US dollars for the last attempt of each repeat.
        seconds: Time in ``generate()`` for these.
    """

    score: float | None
    least: float | None
    scored: int
    missing: str | None
    graders: tuple[GradedBy, ...]
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
        reduction: The way in which the scores of repeats became those of tasks.
    """

    view: RunView
    scan: RunScan
    tasks: dict[str, TaskOutcome]
    cost: Total
    seconds: Total
    reduction: Reduction


def read_side(
    view: RunView, listener: TaskListener | None = None, reduction: Reduction = MEAN
) -> Side:
    """Read a run, which may be in progress; ``listener`` gets each task with its files.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
        UsageError: the reduction counts passes, and a score is neither 0 nor 1.
    """
    scan, tasks = view.scan(), dict[str, TaskOutcome]()
    graders: dict[GradedBy, GradedBy] = {}  # one object for equal ones
    has_cost, times, untimed = False, array("d"), 0
    for task, files in by_task(scan.with_files(), reduction):
        tasks[task.task_id] = _outcome(task, graders)
        for row in task.rows:
            has_cost |= row.cost is not None or row.cost_of_earlier_attempts is not None
            if row.generation_seconds is not None:
                times.append(row.generation_seconds)
            else:
                untimed += row.generation_status is not None
        if listener is not None:
            listener(task, files)
    spend = scan.summary.spend
    return Side(
        view,
        scan,
        tasks,
        cost=Total(spend.dollars if has_cost else None, spend.unknown),
        seconds=Total(sum(times) if times else None, untimed),
        reduction=reduction,
    )


def _outcome(task: TaskRepeats, known: dict[GradedBy, GradedBy]) -> TaskOutcome:
    graders = (row.graded_by for row in task.rows if row.graded_by is not None)
    missing = dict.fromkeys(_missing_text(row) for row in task.rows)
    score = task.score
    too_few = f"fewer than {plural(task.reduction.k, 'scored repeat')}"
    return TaskOutcome(
        score=score,
        least=task.least_score,
        scored=len(task.scores),
        missing=", ".join(filter(None, missing)) or too_few if score is None else None,
        graders=(*dict.fromkeys(known.setdefault(by, by) for by in graders),),
        cost=task.total("cost"),
        seconds=task.total("generation_seconds"),
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
