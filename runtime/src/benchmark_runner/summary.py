"""How a run stands, from what is on disk: counts, the mean score and what went wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast

from benchmark_runner.errors import RunnerDefinitionError, describe
from benchmark_runner.planning import GradedBy, is_eval_owed
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationStatus, ScoreCounts
from benchmark_runner.scoring import finite, mean, standard_error

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner

Phase = Literal["generate", "evaluate"]

_CORRECT_TASK_SCORE = "Correct task_score() in runner/benchmark.py; the grades are on disk."


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Tasks that failed in the same phase for the same reason."""

    phase: Phase
    error: str
    task_ids: list[str]


@dataclass(slots=True)
class RunSummary:
    """How the tasks that were looked at stand.

    Attributes:
        counts: How many there are of each outcome.
        scores: What each task counts, where that is known.
        failures: What went wrong, grouped, the largest group first.
        without_generation: Tasks that have none.
        without_eval: Tasks whose generation is not graded yet.
        graded: The tasks that have a grade, by who graded them.
    """

    counts: ScoreCounts = field(default_factory=ScoreCounts)
    scores: list[float] = field(default_factory=list[float])
    failures: list[FailureGroup] = field(default_factory=list[FailureGroup])
    without_generation: list[str] = field(default_factory=list[str])
    without_eval: list[str] = field(default_factory=list[str])
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


def summarise(
    runner: BenchmarkRunner, artifacts: RunArtifacts, task_ids: Iterable[str]
) -> RunSummary:
    """Read how the tasks stand.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    summary = RunSummary()
    counts = summary.counts
    failed: dict[tuple[Phase, str], FailureGroup] = {}
    for task_id in task_ids:
        counts.total += 1
        generation, content_hash = artifacts.load_generation_and_hash(task_id)
        if generation is None:
            summary.without_generation.append(task_id)
            continue
        counts.attempted += 1
        if generation.status is GenerationStatus.ERROR:
            counts.error += 1
            _note_failure(failed, "generate", generation.error, task_id)
            continue
        counts.max_time += generation.status is GenerationStatus.MAX_TIME
        counts.max_turns += generation.status is GenerationStatus.MAX_TURNS
        result = artifacts.load_eval(task_id)
        if result is not None and result.status is EvalStatus.ERROR:
            counts.error += 1
            _note_failure(failed, "evaluate", result.error, task_id)
        elif result is None or is_eval_owed(result, content_hash):
            summary.without_eval.append(task_id)
        else:
            if result.status is EvalStatus.EVALUATED:
                counts.scored += 1
                summary.graded.setdefault(GradedBy.of(result), []).append(task_id)
            if (score := task_value(runner, result)) is not None:
                summary.scores.append(score)
    summary.failures = sorted(failed.values(), key=lambda group: -len(group.task_ids))
    return summary


def _note_failure(
    failed: dict[tuple[Phase, str], FailureGroup], phase: Phase, error: str | None, task_id: str
) -> None:
    said = error or "no reason given"
    # Without the task's own name, so that many of a kind are one group.
    # A bare short id may be any word.
    bare = rf"|(?<!\w){re.escape(task_id)}(?!\w)" if len(task_id) > 1 else ""
    reason = re.sub(re.escape(repr(task_id)) + bare, "…", said)
    group = failed.setdefault((phase, reason), FailureGroup(phase, said, []))
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


def current_evals(artifacts: RunArtifacts, task_ids: Iterable[str]) -> list[EvalResult]:
    """Return the evals that belong to the generations on disk."""
    evals: list[EvalResult] = []
    for task_id in task_ids:
        result = artifacts.load_eval(task_id)
        if result is None:
            continue
        _, content_hash = artifacts.load_generation_and_hash(task_id)
        if result.generation_hash in (None, content_hash):
            evals.append(result)
    return evals
