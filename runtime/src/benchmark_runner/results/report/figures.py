"""What a report says of a run, read in one pass over its tasks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import fsum
from typing import TYPE_CHECKING

from benchmark_runner._scores import finite
from benchmark_runner._stats.histograms import histogram
from benchmark_runner._stats.intervals import interval_of_mean
from benchmark_runner._stats.means import mean, median
from benchmark_runner.artifacts.locks import holder_of
from benchmark_runner.artifacts.run_locks import LOCK_FILE
from benchmark_runner.results.phrases import amount, interval_text, number, score_is_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner._stats.histograms import Bar
    from benchmark_runner._stats.intervals import Interval
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.results.run_scan import RunScan
    from benchmark_runner.results.run_view import RunView
    from benchmark_runner.results.task_row import TaskRow, TaskState
    from benchmark_runner.schemas import ScoreResult, TokenUsage

    #: What is told of each task while it is there: its row and its files.
    Listener = Callable[[TaskRow, TaskFiles], object]

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean of tasks' scores, and how well it is known.

    Attributes:
        mean: The mean.
        count: Of how many tasks.
        interval: Its interval; ``None`` with fewer than two tasks.
    """

    mean: float
    count: int
    interval: Interval | None

    @property
    def text(self) -> str:
        """The mean, its interval and the number of tasks."""
        bounds = f" ({interval_text(self.interval)})" if self.interval else ""
        return f"{number(self.mean)}{bounds}, n = {self.count:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """How a quantity is distributed over the tasks.

    Attributes:
        name: What it is.
        unit: ``s``, ``tokens``, ``$``; empty for scores.
        count: How many tasks it is known of.
        unknown: Of how many generations it is not.
        least: The least value.
        median: The one in the middle.
        greatest: The greatest one.
        total: Their sum.
        bars: How many there are in each range.
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
    """Tasks that have the same value in a field.

    Attributes:
        name: The value.
        total: How many tasks.
        estimate: Of those that have a score; ``None`` where none has.
    """

    name: str
    total: int
    estimate: Estimate | None


@dataclass(frozen=True, slots=True)
class Grouping:
    """A field of the tasks, by which they are grouped.

    Attributes:
        by: The field.
        group_of: The group of each task.
        changed: Tasks that are not what they were when the run was started.
    """

    by: str
    group_of: Mapping[str, str]
    changed: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What there is to say of a run.

    Attributes:
        run_id: The run.
        benchmark: The benchmark's name.
        config: What the run is.
        local: Whether an embedded service grades it; ``None`` where nobody has noted that.
        worked_on_by: The process that works on it now, if one does.
        read_at: When its tasks were read.
        started_at: When it began.
        last_ended: When the last of its generations ended.
        summary: How its tasks stand.
        states: How many tasks are in each state.
        score: The final score, if the one on disk sums the grades on disk.
        score_is_stale: Whether there is one that does not.
        estimate: The mean of the tasks' scores.
        scores: Each task's score, where it has one.
        distributions: Of scores, times, tokens and costs, those that are known.
        grouping: By which field the tasks are grouped, if they are.
        groups: The groups, in the order in which they come.
        tokens: What all generations took.
        unreadable: Files that are there and can't be read.
        tasks_hash: SHA-256 over the tasks' ids and the hashes of their contents; ``None`` where
            the run does not say them.
    """

    run_id: str
    benchmark: str
    config: RunConfig
    local: bool | None
    worked_on_by: str | None
    read_at: datetime
    started_at: datetime
    last_ended: datetime | None
    summary: RunSummary
    states: dict[TaskState, int]
    score: ScoreResult | None
    score_is_stale: bool
    estimate: Estimate | None
    scores: dict[str, float]
    distributions: list[Distribution]
    grouping: Grouping | None
    groups: list[Group]
    tokens: TokenUsage
    unreadable: list[Path]
    tasks_hash: str | None

    @property
    def score_is_mean(self) -> bool:
        """True unless there is no score, or one that is not the mean of the tasks' scores."""
        if self.score is None or self.estimate is None:
            return self.score is not None
        return score_is_mean(self.score, self.estimate.mean)


def figures_of(
    view: RunView, grouping: Grouping | None = None, each: Listener | None = None
) -> RunFigures:
    """Read a run.

    Args:
        view: The run.
        grouping: By which field its tasks are to be grouped.
        each: Is told of each task, so that nothing is read twice and no long text is kept.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    read_at = datetime.now(UTC)
    holder = holder_of(view.artifacts.run_dir / LOCK_FILE)
    reading, quantities = view.scan(), _Quantities()
    scores: dict[str, float] = {}
    for row, task in reading.with_files():
        quantities.add(row)
        if row.score is not None:
            scores[row.task_id] = row.score
        if holder is None and view.config.task_source == "problem":  # such a run is shared
            holder = holder_of(view.artifacts.task_dir(row.task_id) / LOCK_FILE)
        if each is not None:
            each(row, task)
    return _figures(view, reading, quantities, scores, grouping, holder, read_at)


def estimate_of(scores: Sequence[float]) -> Estimate | None:
    """The mean of scores with its interval; ``None`` without scores."""
    centre = mean(scores)
    if centre is None:
        return None
    return Estimate(centre, len(scores), interval_of_mean(scores, level=LEVEL))


def _figures(
    view: RunView,
    reading: RunScan,
    quantities: _Quantities,
    scores: dict[str, float],
    grouping: Grouping | None,
    holder: str | None,
    read_at: datetime,
) -> RunFigures:
    config, summary, score = view.config, reading.summary, reading.score
    generations = summary.counts.attempted
    distributions = [
        _distribution(name, unit, values, generations)
        for (name, unit), values in quantities.values.items()
        if values
    ]
    by_score = _distribution("Scores", "", list(scores.values()), len(scores)) if scores else None
    return RunFigures(
        run_id=view.run_id,
        benchmark=view.runner.NAME,
        config=config,
        local=view.local,
        worked_on_by=holder,
        read_at=read_at,
        started_at=view.started_at,
        last_ended=reading.last_ended,
        summary=summary,
        states=reading.states,
        score=score,
        score_is_stale=score is None and view.score_on_disk is not None,
        estimate=estimate_of(list(scores.values())),
        scores=scores,
        distributions=[*([by_score] if by_score else []), *distributions],
        grouping=grouping,
        groups=_groups(grouping, scores) if grouping else [],
        tokens=reading.tokens,
        unreadable=reading.unreadable,
        tasks_hash=_hash_of_tasks(config),
    )


@dataclass(slots=True)
class _Quantities:
    """What is measured of a generation, by its name and unit."""

    values: dict[tuple[str, str], list[float]] = field(
        default_factory=lambda: {
            ("Generation time", "s"): [],
            ("Input tokens", "tokens"): [],
            ("Output tokens", "tokens"): [],
            ("Cost", "$"): [],
        }
    )

    def add(self, row: TaskRow) -> None:
        found = (row.generation_seconds, row.input_tokens, row.output_tokens, row.cost)
        for values, value in zip(self.values.values(), found, strict=True):
            if value is not None and finite(value) is not None:
                values.append(value)


def _distribution(name: str, unit: str, values: Sequence[float], generations: int) -> Distribution:
    return Distribution(
        name=name,
        unit=unit,
        count=len(values),
        unknown=max(generations - len(values), 0),
        least=min(values),
        median=median(values) or 0.0,
        greatest=max(values),
        total=fsum(values),
        bars=histogram(values),
    )


def _groups(grouping: Grouping, scores: Mapping[str, float]) -> list[Group]:
    members: dict[str, list[str]] = {}
    for task_id, name in grouping.group_of.items():
        members.setdefault(name, []).append(task_id)
    return [
        Group(
            name,
            len(task_ids),
            estimate_of([scores[task_id] for task_id in task_ids if task_id in scores]),
        )
        for name, task_ids in members.items()
    ]


def _hash_of_tasks(config: RunConfig) -> str | None:
    if not config.task_hashes:
        return None
    digest = hashlib.sha256()
    for task_id in config.tasks:
        digest.update(f"{task_id}\0{config.task_hashes.get(task_id, '')}\n".encode())
    return digest.hexdigest()
