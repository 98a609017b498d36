"""How a run stands, from what is on disk: counts, the mean score and what went wrong."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from benchmark_runner._run.failure_kinds import common_reason
from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.plan import why_eval_is_owed
from benchmark_runner._run.scan import scan_all
from benchmark_runner._scores import finite
from benchmark_runner._spend import Spend
from benchmark_runner._stats.intervals import interval_of_mean
from benchmark_runner._stats.means import mean, standard_error
from benchmark_runner.errors import RunnerDefinitionError, describe
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Phase,
    ScoreBounds,
    ScoreCounts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark_runner._stats.intervals import Interval
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.schemas import FailureKind

_CORRECT_TASK_SCORE = "Correct task_score() in runner/benchmark.py; the grades are on disk."


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Tasks that failed in the same phase for the same reason.

    Attributes:
        phase: Which step failed.
        kind: Whose failure it was; ``None`` where an older run does not say.
        error: The reason; of several tasks, without their names.
        task_ids: Which tasks.
        retryable: Whether doing the same again may well succeed; ``None`` likewise.
        hint: What to do next, where that is known.
    """

    phase: Phase
    kind: FailureKind | None
    error: str
    task_ids: list[str] = field(default_factory=list[str])
    retryable: bool | None = None
    hint: str | None = None


@dataclass(slots=True)
class RunSummary:
    """How the tasks that were looked at stand.

    Attributes:
        counts: How many there are of each outcome.
        spend: The cost and tokens of their generations, earlier attempts included.
        scores: What each task counts, where that is known.
        failures: What went wrong, grouped, the largest group first.
        without_generation: Tasks that have none.
        without_eval: Tasks whose generation is not graded yet.
        did_not_complete: How many ran out of time or turns.
        graded: The tasks that have a grade, by who graded them.
    """

    counts: ScoreCounts = field(default_factory=ScoreCounts)
    spend: Spend = field(default_factory=Spend)
    scores: array[float] = field(default_factory=lambda: array("d"))
    failures: list[FailureGroup] = field(default_factory=list[FailureGroup])
    without_generation: list[str] = field(default_factory=list[str])
    without_eval: list[str] = field(default_factory=list[str])
    did_not_complete: int = 0
    graded: dict[GradedBy, list[str]] = field(default_factory=dict[GradedBy, list[str]])

    @property
    def complete(self) -> bool:
        """Whether each task has a grade, or ran out of time or turns."""
        return not (self.failures or self.without_generation or self.without_eval)

    @property
    def mean(self) -> float | None:
        """Mean of the scores; ``None`` without any."""
        return mean(self.scores)

    @property
    def stderr(self) -> float | None:
        """Standard error of the mean; ``None`` with fewer than two scores."""
        return standard_error(self.scores)

    @property
    def interval(self) -> Interval | None:
        """95 % interval of the mean; ``None`` with fewer than two scores."""
        return interval_of_mean(self.scores)

    @property
    def bounds(self) -> ScoreBounds | None:
        """The mean of all tasks with those without a grade as 0, and as 1."""
        total = self.counts.total
        unknown = total - self.counts.scored - self.did_not_complete
        if not total or len(self.scores) != total - unknown:
            return None
        known = math.fsum(self.scores)
        return ScoreBounds(errors_as_0=known / total, errors_as_1=(known + unknown) / total)


def summarise(
    runner: BenchmarkRunner, artifacts: RunArtifacts, task_ids: Iterable[str]
) -> RunSummary:
    """Read how the tasks stand.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    summariser = Summariser(runner)
    scan_all(artifacts, task_ids, summariser)
    return summariser.summary()


class Summariser:
    """Takes one task after the other into account.

    Args:
        runner: The author's runner, which says what a grade counts.
    """

    def __init__(self, runner: BenchmarkRunner) -> None:
        self._runner = runner
        self._summary = RunSummary()
        self._failed: dict[tuple[Phase, str], FailureGroup] = {}

    def add(self, task: TaskFiles) -> float | None:
        """Take one task into account.

        Returns:
            What the task counts; ``None`` where that is not known.

        Raises:
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        summary, counts, task_id = self._summary, self._summary.counts, task.task_id
        counts.total += 1
        for paid in task.earlier_generations:
            summary.spend.add_generation(paid)
        generation = task.generation
        if generation is None:
            summary.without_generation.append(task_id)
            return None
        counts.attempted += 1
        summary.spend.add_generation(generation)
        if generation.status is GenerationStatus.ERROR:
            counts.error += 1
            _note_failure(self._failed, Phase.GENERATE, generation, task_id)
            return None
        counts.max_time += generation.status is GenerationStatus.MAX_TIME
        counts.max_turns += generation.status is GenerationStatus.MAX_TURNS
        result = task.result
        if result is not None and result.status is EvalStatus.ERROR:
            counts.error += 1
            _note_failure(self._failed, Phase.EVALUATE, result, task_id)
        elif result is None or why_eval_is_owed(result, task.generation_hash):
            summary.without_eval.append(task_id)
        else:
            return self._add_grade(task_id, result)
        return None

    def _add_grade(self, task_id: str, result: EvalResult) -> float | None:
        summary = self._summary
        if result.status is EvalStatus.EVALUATED:
            summary.counts.scored += 1
            summary.graded.setdefault(GradedBy.of(result), []).append(task_id)
        else:
            summary.did_not_complete += 1
        if (score := task_value(self._runner, result)) is not None:
            summary.scores.append(score)
        return score

    def summary(self) -> RunSummary:
        """How the tasks so far stand."""
        groups = self._failed.values()
        self._summary.failures = sorted(groups, key=lambda group: -len(group.task_ids))
        return self._summary


def _note_failure(
    failed: dict[tuple[Phase, str], FailureGroup],
    phase: Phase,
    found: GenerationResult | EvalResult,
    task_id: str,
) -> None:
    said = found.error or "no reason given"
    reason = common_reason(said, task_id)
    first = FailureGroup(
        phase,
        found.failure.kind if found.failure else None,
        said,
        retryable=found.failure.retryable if found.failure else None,
        hint=found.failure.hint if found.failure else None,
    )
    group = failed.setdefault((phase, reason), first)
    group.task_ids.append(task_id)
    if len(group.task_ids) == 2:  # noqa: PLR2004 (from now on it stands for several)
        failed[phase, reason] = replace(group, error=reason)


def task_value(runner: BenchmarkRunner, result: EvalResult) -> float | None:
    """What a task counts: its score, 0 where it did not complete, else unknown.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    if result.status is EvalStatus.DID_NOT_COMPLETE:
        return 0.0
    if result.status is not EvalStatus.EVALUATED:
        return None
    try:
        score = cast("object", runner.task_score(result.result_json()))
    except Exception as error:
        raise RunnerDefinitionError(
            f"task_score() failed on task {result.task_id!r}: {describe(error)}",
            hint=_CORRECT_TASK_SCORE,
        ) from error
    if score is not None and not isinstance(score, (bool, int, float)):
        raise RunnerDefinitionError(
            f"task_score() returned {type(score).__name__} for task {result.task_id!r}, "
            "not a number or None",
            hint=_CORRECT_TASK_SCORE,
        )
    return finite(score)
