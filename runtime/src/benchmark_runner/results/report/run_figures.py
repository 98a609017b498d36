"""The figures of a run in a report, read in one pass over its tasks."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from math import fsum, isfinite
from statistics import median

from benchmark_runner._run.summary import RunSummary
from benchmark_runner._stats.histograms import Bar, histogram
from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner.artifacts.locks import LOCK_FILE, holder_of
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.results.compare.side import Side, TaskListener, read_side
from benchmark_runner.results.estimate import Estimate, estimate_of
from benchmark_runner.results.phrases import (
    amount,
    score_is_mean,
    score_notes,
)
from benchmark_runner.results.reduced_score import ReducedScore
from benchmark_runner.results.report.agent_figures import AgentFigures, AgentTally
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_repeats import TaskRepeats
from benchmark_runner.results.trajectories import TrajectoryReader
from benchmark_runner.results.verdict_text import answer_text, verdict_lines
from benchmark_runner.schemas import ScoreResult

__all__ = [
    "Distribution",
    "Group",
    "Grouping",
    "RunFigures",
    "read_figures",
]

#: The name and unit of what is measured, by the column of a task's row.
_QUANTITIES = {
    "score": ("Scores", ""),
    "generation_seconds": ("Generation time", "s"),
    "input_tokens": ("Input tokens", "tokens"),
    "output_tokens": ("Output tokens", "tokens"),
    "cost": ("Cost", "$"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The distribution of a quantity over the generations.

    Attributes:
        unit: ``s``, ``tokens``, ``$``; empty for scores.
        of: The noun of what is measured: ``task``, or ``generation`` of a run of repeats.
        count: Number of generations with a known value.
        unknown: Number of generations without one.
    """

    name: str
    unit: str
    count: int
    unknown: int
    least: float
    median: float
    greatest: float
    total: float
    bars: list[Bar]
    of: str = "task"

    @property
    def spread(self) -> str:
        """The middle and the ends of the values, and their sum where that means something."""
        low, middle, high, total = (
            amount(value, self.unit)
            for value in (self.least, self.median, self.greatest, self.total)
        )
        text = f"{low} each" if low == high else f"median {middle}, from {low} to {high}"
        text += f", in all {total}" if self.unit else ""
        return text + (f"; not known of {self.unknown:,}" if self.unknown else "")


@dataclass(frozen=True, slots=True)
class Group:
    """Tasks with the same value in a field.

    Attributes:
        total: Number of tasks.
        scored: Number of tasks with a score.
        estimate: The mean of these scores; ``None`` if they are no sample, or a result has none.
    """

    name: str
    total: int
    scored: int
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class Grouping:
    """The group of each task by the field ``by``.

    ``changed`` lists the tasks that have changed since the run was started.
    """

    by: str
    group_of: Mapping[str, str]
    changed: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """The figures of a run.

    Attributes:
        side: The run, read once; other runs can be compared with it.
        worked_on_by: The process that works on it now, if one does.
        read_at: The time before its tasks were read.
        distributions: Of scores, times, tokens and costs, those that are known.
        reduced: The score by another reduction than the mean, if one was asked for.
        agents: The figures of what agents did.
    """

    side: Side
    worked_on_by: str | None
    read_at: datetime
    distributions: list[Distribution]
    grouping: Grouping | None
    reduced: ReducedScore | None
    agents: AgentFigures

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.side.view.run_id

    @property
    def config(self) -> RunConfig:
        """The content of ``run_config.json``."""
        return self.side.view.config

    @cached_property
    def summary(self) -> RunSummary:
        """The totals over the tasks."""
        return self.side.scan.summary

    @cached_property
    def score(self) -> ScoreResult | None:
        """The final score, if the one on disk sums the grades on disk."""
        return self.side.scan.score

    @property
    def score_is_stale(self) -> bool:
        """True if there is a final score on disk that does not sum the grades there."""
        return self.score is None and self.side.view.score_on_disk is not None

    @property
    def score_notes(self) -> list[str]:
        """The sentences that keep the final score from being read as a mean."""
        return [] if self.score is None else score_notes(self.score, self.summary)

    @property
    def score_is_mean(self) -> bool:
        """True unless there is no score, or one that is not the mean of the tasks' scores."""
        if self.score is None or self.estimate is None:
            return self.score is not None
        return score_is_mean(self.score, self.estimate.mean)

    @cached_property
    def scores(self) -> dict[str, float]:
        """The score of each task that has one."""
        tasks = self.side.tasks.items()
        return {task_id: task.score for task_id, task in tasks if task.score is not None}

    @cached_property
    def estimate(self) -> Estimate | None:
        """The mean of the tasks' scores; ``None`` if they are no sample, or one has none."""
        return None if self.summary.mean is None else estimate_of([*self.scores.values()])

    @property
    def answer(self) -> str | None:
        """The answer to the question of the run; ``None`` if there is none yet."""
        verdict = self.side.scan.verdict
        return None if verdict is None else answer_text(verdict)

    @property
    def verdict(self) -> list[str]:
        """The lines on the run's question; none without one."""
        verdict = self.side.scan.verdict
        return [] if verdict is None else [*verdict_lines(verdict, self.summary)]

    @cached_property
    def groups(self) -> list[Group]:
        """The groups in the order of their first tasks; none without a grouping."""
        members: dict[str, list[str]] = {}
        for task_id, name in self.grouping.group_of.items() if self.grouping else ():
            members.setdefault(name, []).append(task_id)
        return [self.group(name, ids) for name, ids in members.items()]

    def group(self, name: str, ids: Sequence[str]) -> Group:
        """Return these tasks as a group of this name."""
        scores = [self.scores[each] for each in ids if each in self.scores]
        has_mean = self.summary.is_sample and self._without_score.isdisjoint(ids)
        return Group(name, len(ids), len(scores), estimate_of(scores) if has_mean else None)

    @cached_property
    def _without_score(self) -> set[str]:
        return {key.task_id for key in self.summary.without_score}

    @cached_property
    def tasks_hash(self) -> str | None:
        """SHA-256 over the ids and content hashes of the tasks; ``None`` if not recorded."""
        hashes = self.config.task_hashes
        if not hashes:
            return None
        digest = hashlib.sha256()
        for task_id in self.config.tasks:
            digest.update(f"{task_id}\0{hashes.get(task_id, '')}\n".encode())
        return digest.hexdigest()


def read_figures(
    view: RunView,
    grouping: Grouping | None = None,
    listener: TaskListener | None = None,
    reduction: Reduction = MEAN,
    trajectories: TrajectoryReader | None = None,
) -> RunFigures:
    """Read the figures of a run.

    Args:
        view: The run.
        grouping: The group of each task, if they are grouped.
        listener: Gets each task with its files, to read none twice.
        reduction: Another way to score a task by its repeats than the mean.
        trajectories: Reads the trajectories, unless ``listener`` has read them with it.

    Raises:
        UsageError: ``reduction`` counts passes, and a score is neither 0 nor 1.
    """
    reduced = None if reduction == MEAN else ReducedScore(reduction)
    read_at = datetime.now(UTC)
    holder = holder_of(view.artifacts.run_dir / LOCK_FILE)
    known: dict[str, list[float]] = {column: [] for column in _QUANTITIES}
    reader, agents = trajectories or TrajectoryReader(view.artifacts), AgentTally()

    def note(task: TaskRepeats, files: list[TaskFiles]) -> None:
        nonlocal holder
        for row in task.rows:
            for column, values in known.items():
                value: float | None = getattr(row, column)
                if value is not None and isfinite(value):
                    values.append(value)
        if holder is None and view.config.task_source == "problem":  # such a run is shared
            holder = holder_of(view.artifacts.task_dir(task.task_id) / LOCK_FILE)
        if reduced is not None:
            reduced.add(TaskRepeats(task.rows, reduction))
        if listener is not None:
            listener(task, files)
        agents.add(task, [reader.take_digest(each.key) for each in files])

    side = read_side(view, note)
    if reduced is not None:
        reduced.is_sample = side.scan.summary.is_sample
    attempted = side.scan.summary.counts.attempted
    of = "generation" if view.config.repeats > 1 else "task"
    return RunFigures(
        side=side,
        worked_on_by=holder,
        read_at=read_at,
        distributions=[_distribution(*each, attempted, of) for each in known.items() if each[1]],
        grouping=grouping,
        reduced=reduced,
        agents=agents.figures(),
    )


def _distribution(column: str, values: Sequence[float], generations: int, of: str) -> Distribution:
    name, unit = _QUANTITIES[column]
    return Distribution(
        name=name,
        unit=unit,
        count=len(values),
        unknown=max(generations - len(values), 0) if unit else 0,
        least=min(values),
        median=median(values),
        greatest=max(values),
        total=fsum(values),
        bars=histogram(values),
        of=of,
    )
