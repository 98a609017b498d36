"""The summary of a run, from the files on disk: counts, mean score, spend and failures."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import chain

from benchmark_runner._run.answer_signs import is_silent_timeout, unusual_stop
from benchmark_runner._run.failure_kinds import common_reason
from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.plan import reason_to_evaluate
from benchmark_runner._run.run_spend import RunSpend
from benchmark_runner._run.task_value import task_value
from benchmark_runner._stats.intervals import Interval, interval_of_mean
from benchmark_runner._stats.means import mean, standard_error
from benchmark_runner._stats.variance import WithinVariance, noise_floor, within_variance
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.base.score_request import Grades
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    ScoreBounds,
    ScoreCounts,
    TaskRepeat,
)

#: Number of unusual stops that are not worth a line.
_A_FEW = 3


@dataclass(slots=True)
class FailureGroup:
    """Generations that failed in the same phase for the same reason.

    If several tasks share the error, it is without their ids. In older runs, the kind and
    whether a retry may well succeed are unknown.
    """

    phase: Phase
    error: str
    kind: FailureKind | None = None
    retryable: bool | None = None
    hint: str | None = None
    keys: list[TaskRepeat] = field(default_factory=list[TaskRepeat])


@dataclass(slots=True)
class RunSummary:
    """The summary of some tasks, or of all tasks of a run.

    Counted are generations: each repeat of each task.

    Attributes:
        spend: The cost and tokens of their generations, earlier attempts included.
        scores: The score of each task that has one: the mean of its repeats that have one.
        repeats: The scores of the repeats of each of these tasks; empty in a run of one repeat.
        failures: The failed generations by phase and reason, the largest group first.
        without_eval: Generations that are not evaluated yet.
        without_score: Evaluated generations without a score.
        has_repeats: True if a task has several repeats.
        did_not_complete: Number of generations that ran out of time or turns.
        silent: Those that ran out of time without any sign that a model answered.
        unusual_stops: Those whose answer is not a whole one, by the reason.
        graded: Those with a grade, by grader.
        is_sample: False if the run stops at a question, far from its threshold: it has no mean.
    """

    counts: ScoreCounts = field(default_factory=ScoreCounts)
    spend: RunSpend = field(default_factory=RunSpend)
    scores: array[float] = field(default_factory=lambda: array("d"))
    repeats: list[array[float]] = field(default_factory=list["array[float]"])
    failures: list[FailureGroup] = field(default_factory=list[FailureGroup])
    without_generation: list[TaskRepeat] = field(default_factory=list[TaskRepeat])
    without_eval: list[TaskRepeat] = field(default_factory=list[TaskRepeat])
    without_score: list[TaskRepeat] = field(default_factory=list[TaskRepeat])
    has_repeats: bool = False
    did_not_complete: int = 0
    silent: list[TaskRepeat] = field(default_factory=list[TaskRepeat])
    unusual_stops: dict[str, list[TaskRepeat]] = field(default_factory=dict[str, list[TaskRepeat]])
    graded: dict[GradedBy, list[TaskRepeat]] = field(
        default_factory=dict[GradedBy, list[TaskRepeat]]
    )
    is_sample: bool = True

    @property
    def complete(self) -> bool:
        """True if each generation has a grade, or ran out of time or turns."""
        return not (self.failures or self.without_generation or self.without_eval)

    @property
    def many_unusual_stops(self) -> dict[str, list[TaskRepeat]]:
        """The unusual stops of more than a few generations, or of most."""
        return {
            reason: keys
            for reason, keys in self.unusual_stops.items()
            if len(keys) > _A_FEW or 2 * len(keys) > self.counts.attempted
        }

    @property
    def mean(self) -> float | None:
        """The mean of the scores; ``None`` without any, or if an evaluated task has none."""
        return mean(self.scores) if self._has_mean else None

    @property
    def stderr(self) -> float | None:
        """The standard error of the mean; ``None`` without one, or with fewer than two scores."""
        return standard_error(self.scores) if self._has_mean else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the mean; ``None`` without one, or with fewer than two scores."""
        return interval_of_mean(self.scores) if self._has_mean else None

    @property
    def _has_mean(self) -> bool:
        return self.is_sample and not self.without_score

    @property
    def within(self) -> WithinVariance | None:
        """The variance within tasks; ``None`` without a task of two scored repeats."""
        return None if self.without_score else within_variance(self.repeats)

    @property
    def noise_floor(self) -> float | None:
        """The difference up to which two single runs of this lie apart, 95 % of the time."""
        return noise_floor(self.within, self.scores)

    @property
    def grades(self) -> Grades:
        """The grades, with which a score has to agree."""
        keys = chain.from_iterable(self.graded.values())
        return Grades([*dict.fromkeys(key.task_id for key in keys)], self.scores)

    @property
    def dataset_version(self) -> str | None:
        """The version of the dataset that the grades are of; ``None`` if unknown."""
        versions = (by.dataset_version for by in self.graded)
        return next((version for version in versions if version is not None), None)

    @property
    def unknown(self) -> int:
        """The number of generations without a score."""
        return self.counts.total - sum(map(len, self.repeats or [self.scores]))

    @property
    def bounds(self) -> ScoreBounds | None:
        """The mean if generations without a grade count 0, and if they count 1."""
        total = self.counts.total
        if not total or self.without_score:
            return None
        known = math.fsum(chain.from_iterable(self.repeats or [self.scores]))
        highest = (known + self.unknown) / total
        return ScoreBounds(errors_as_0=known / total, errors_as_1=highest)


class Summariser:
    """Sums up repeats of tasks, those of one task in succession, with the author's task scores."""

    def __init__(self, runner: BenchmarkRunner) -> None:
        self._runner = runner
        self._summary = RunSummary()
        self._failed: dict[tuple[Phase, str], FailureGroup] = {}
        self._last: TaskRepeat | None = None

    def add(self, task: TaskFiles) -> float | None:
        """Add one repeat of a task, and return its score; ``None`` if unknown."""
        summary, counts, key = self._summary, self._summary.counts, task.key
        counts.total += 1
        summary.has_repeats |= key.repeat > 1
        for paid in task.generations:
            summary.spend.add_generation(paid)
        generation = task.generation
        if generation is None:
            summary.without_generation.append(key)
            return None
        counts.attempted += 1
        if generation.status is GenerationStatus.ERROR:
            counts.error += 1
            self._add_failure(Phase.GENERATE, generation, key)
            return None
        counts.max_time += generation.status is GenerationStatus.MAX_TIME
        counts.max_turns += generation.status is GenerationStatus.MAX_TURNS
        if is_silent_timeout(generation):
            summary.silent.append(key)
        if (reason := unusual_stop(generation)) is not None:
            summary.unusual_stops.setdefault(reason, []).append(key)
        result = task.evaluation
        if result is not None and result.status is EvalStatus.ERROR:
            counts.error += 1
            self._add_failure(Phase.EVALUATE, result, key)
        elif result is None or reason_to_evaluate(task):
            summary.without_eval.append(key)
        else:
            return self._add_grade(key, result)
        return None

    def _add_grade(self, key: TaskRepeat, result: EvalResult) -> float | None:
        summary = self._summary
        if result.status is EvalStatus.EVALUATED:
            summary.counts.scored += 1
            summary.graded.setdefault(GradedBy.of(result), []).append(key)
        else:
            summary.did_not_complete += 1
        score = task_value(self._runner, result)
        if score is None:
            summary.without_score.append(key)
        else:
            self._add_score(key, score)
        return score

    def _add_score(self, key: TaskRepeat, score: float) -> None:
        scores, repeats = self._summary.scores, self._summary.repeats
        if key.repeat > 1 and not repeats:  # the first task with several
            repeats += (array("d", (each,)) for each in scores)
        is_same_task = self._last is not None and self._last.task_id == key.task_id
        self._last = key
        if is_same_task:
            repeats[-1].append(score)
            scores[-1] = mean(repeats[-1]) or 0.0
            return
        scores.append(score)
        if repeats or key.repeat > 1:
            repeats.append(array("d", (score,)))

    def _add_failure(
        self, phase: Phase, result: GenerationResult | EvalResult, key: TaskRepeat
    ) -> None:
        error, failure = result.error or "no reason given", result.failure
        reason = common_reason(error, key.task_id)
        first = FailureGroup(phase, error)
        if failure is not None:
            first = FailureGroup(phase, error, failure.kind, failure.retryable, failure.hint)
        group = self._failed.setdefault((phase, reason), first)
        group.keys.append(key)
        if len(group.keys) > 1:
            group.error = reason

    def summary(self) -> RunSummary:
        """Return the summary of the tasks so far."""
        groups = self._failed.values()
        self._summary.failures = sorted(groups, key=lambda group: -len(group.keys))
        return self._summary


class Summaries:
    """The summaries of a run and of its chosen tasks, made in the same pass.

    Without ``chosen`` tasks, both are of all.
    """

    def __init__(self, runner: BenchmarkRunner, chosen: Collection[str] | None) -> None:
        self._overall = Summariser(runner)
        self._chosen = self._overall if chosen is None else Summariser(runner)
        self._ids = frozenset(chosen or ())

    def add(self, task: TaskFiles) -> float | None:
        """Add one repeat of a task, and return its score; see :meth:`Summariser.add`."""
        score = self._overall.add(task)
        if task.task_id in self._ids:
            self._chosen.add(task)
        return score

    def result(self) -> tuple[RunSummary, RunSummary]:
        """Return the summary of all tasks, and that of the chosen ones."""
        return self._overall.summary(), self._chosen.summary()
