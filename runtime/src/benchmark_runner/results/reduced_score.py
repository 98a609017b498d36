"""The score of a run if the repeats of each task are reduced in another way than by their mean."""

from collections.abc import Callable
from dataclasses import dataclass, field

from benchmark_runner._stats.intervals import Interval, interval_of_mean
from benchmark_runner._stats.means import mean, standard_error
from benchmark_runner._stats.reduction import MEAN, Reduction, ReductionKind
from benchmark_runner._text import plural, some_ids
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import UsageError
from benchmark_runner.results.estimate import estimate_of
from benchmark_runner.results.json_facts import interval_facts
from benchmark_runner.results.run_view import RunScan
from benchmark_runner.results.task_repeats import TaskRepeats, by_task
from benchmark_runner.results.task_row import TaskState

__all__ = ["ReducedScore", "check_repeats", "parse_reduction", "reduce_run"]


@dataclass(slots=True)
class ReducedScore:
    """The mean over tasks of what a reduction makes of their repeats, with its error over tasks.

    Attributes:
        reduction: The way in which the scores of repeats become that of a task.
        scores: The score of each task that has one.
        left_out: The tasks with too few scored repeats.
        without_score: Evaluated repeats without a score, because of which there is no mean.
        is_sample: False if the run stops at a question, and so has no mean either.
    """

    reduction: Reduction
    scores: dict[str, float] = field(default_factory=dict[str, float])
    left_out: list[str] = field(default_factory=list[str])
    without_score: int = 0
    is_sample: bool = True

    def add(self, task: TaskRepeats) -> None:
        """Add a task, whose own reduction has to be this one.

        Raises:
            UsageError: the reduction counts passes, and a score is neither 0 nor 1.
        """
        score = task.score
        self.without_score += sum(
            row.state is TaskState.SCORED and row.score is None for row in task.rows
        )
        if score is None:
            self.left_out.append(task.task_id)
        else:
            self.scores[task.task_id] = score

    @property
    def mean(self) -> float | None:
        """The mean over tasks; ``None`` without any, or if an evaluated repeat has no score."""
        return mean([*self.scores.values()]) if self._has_mean else None

    @property
    def stderr(self) -> float | None:
        """Its standard error over tasks; ``None`` below two."""
        return standard_error([*self.scores.values()]) if self._has_mean else None

    @property
    def interval(self) -> Interval | None:
        """Its 95 % interval; ``None`` below two tasks."""
        return interval_of_mean([*self.scores.values()]) if self._has_mean else None

    @property
    def text(self) -> str:
        """The mean with its interval over tasks, or the reason why there is none."""
        found = estimate_of([*self.scores.values()]) if self._has_mean else None
        return found.text if found else f"none: {self.missing_text}"

    @property
    def _has_mean(self) -> bool:
        return self.is_sample and not self.without_score

    @property
    def missing_text(self) -> str:
        """The reason why there is no mean."""
        if not self.is_sample:
            return "the run stops once its question is settled"
        if self.without_score:
            return f"{plural(self.without_score, 'evaluated repeat')} without a numeric score"
        return f"no task has {plural(self.reduction.k, 'scored repeat')}"

    @property
    def notes(self) -> list[str]:
        """The tasks that are left out, and what the number may not be compared with."""
        notes: list[str] = []
        if self.left_out:
            scored = plural(self.reduction.k, "scored repeat")
            tasks = plural(len(self.left_out), "task")
            notes.append(f"{tasks} with fewer than {scored} left out: {some_ids(self.left_out)}")
        if self.reduction.kind is ReductionKind.MAX:
            notes.append("A maximum grows with the number of repeats.")
        return notes

    def facts(self) -> dict[str, object]:
        """Return it for ``--json``."""
        return {
            "reduce": str(self.reduction),
            "mean": self.mean,
            "stderr": self.stderr,
            "interval": interval_facts(self.interval),
            "tasks": len(self.scores),
            "left_out": self.left_out,
        }


def parse_reduction(text: str) -> Reduction:
    """Return the reduction that ``--reduce`` names.

    Raises:
        UsageError: it names none.
    """
    try:
        return Reduction.parse(text)
    except ValueError as error:
        raise UsageError(f"--reduce {error}", hint="Name one of them.") from None


def check_repeats(reduction: Reduction, config: RunConfig) -> None:
    """Check that a run has as many repeats as a reduction is about.

    Raises:
        UsageError: it has fewer, and so no task could have a score.
    """
    if reduction.k > config.repeats:
        more = (
            f"add repeats: run --run-id {config.run_id} --repeats {reduction.k}"
            if config.imported is None
            else "import answers of further repeats"
        )
        raise UsageError(
            f"--reduce {reduction}: run {config.run_id!r} has "
            f"{plural(config.repeats, 'repeat')} of each task",
            hint=f"Give a K of at most {config.repeats}, or {more}",
        )


def reduce_run(
    scan: RunScan, reduction: Reduction, listener: Callable[[TaskRepeats], object] | None = None
) -> ReducedScore | None:
    """Read all tasks of a run, and return the score by a reduction; ``None`` for the mean.

    The mean is that of the scan's summary, which has read all tasks then.

    Args:
        scan: A pass over the run's tasks.
        reduction: The way in which the scores of repeats become that of a task.
        listener: Gets each task, to read none twice.

    Raises:
        UsageError: the reduction counts passes, and a score is neither 0 nor 1.
    """
    found = None if reduction == MEAN else ReducedScore(reduction)
    for task, _ in by_task(scan.with_files(), reduction):
        if found is not None:
            found.add(task)
        if listener is not None:
            listener(task)
    if found is not None:
        found.is_sample = scan.summary.is_sample
    return found
