"""How a run stands, in the words and the JSON that several commands share."""

from __future__ import annotations

from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._stats.intervals import IntervalMethod
from benchmark_runner.artifacts.run_folder import EVAL_TRACEBACK_LOG, TRACEBACK_LOG
from benchmark_runner.cli.shell import short_path
from benchmark_runner.errors import some_ids
from benchmark_runner.schemas import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmark_runner._run.summary import FailureGroup, RunSummary
    from benchmark_runner._spend import Spend
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.schemas import ScoreCounts, ScoreResult

_MAX_GROUPS = 5
_METHODS = {IntervalMethod.STUDENT_T: "Student's t", IntervalMethod.WILSON: "Wilson"}


def score_lines(
    score: ScoreResult, summary: RunSummary, *, standing: bool = False
) -> Iterator[str]:
    """The score, with how sure it is and what it leaves out.

    Args:
        score: The score.
        summary: How the run's tasks stand.
        standing: Whether to say that the score was there before.
    """
    notes = ["local"] if score.local else []
    if not score.complete:
        notes.append("incomplete, missing tasks count 0")
    if standing:
        notes.append("from before")
    marks = f"  [{'; '.join(notes)}]" if notes else ""
    if summary.mean is None or not isclose(summary.mean, score.final_score, abs_tol=1e-9):
        yield f"Score    {score.final_score:.4g}{marks}"
        if summary.mean is None:
            yield "         no standard error: no task has a numeric score"
        else:
            yield f"Mean     {summary.mean:.4g}{error_in_words(summary)} of the tasks' scores"
    else:
        yield f"Score    {score.final_score:.4g}{error_in_words(summary)}{marks}"
    yield from interval_lines(summary)
    if not score.complete and (bounds := score.bounds) is not None:
        low, high = f"{bounds.errors_as_0:.4g}", f"{bounds.errors_as_1:.4g}"
        yield f"Bounds   {low} to {high}: the mean with what has no grade as 0, and as 1"


def error_in_words(summary: RunSummary) -> str:
    """How sure the mean is."""
    count = len(summary.scores)
    if summary.stderr is None:
        return " (no standard error: fewer than 2 scored tasks)"
    return f" ± {summary.stderr:.2g} (standard error, n={count})"


def interval_lines(summary: RunSummary) -> Iterator[str]:
    """Between which bounds the mean lies, and what a single run can't show."""
    if (interval := summary.interval) is not None:
        method = _METHODS[interval.method]
        bounds = f"{interval.low:.4g} to {interval.high:.4g}"
        yield f"Interval {bounds} ({interval.level:.0%}, {method}), for tasks like these"
        yield "         One run does not show how much the model varies from run to run."


def tasks_in_words(config: RunConfig, chosen: Sequence[str]) -> str:
    """How many tasks, of which dataset.

    Args:
        config: The run.
        chosen: The tasks that are worked on.
    """
    count = len(config.tasks)
    match config.task_source:
        case "problem":
            return f"{some_ids(chosen)}, from --problem"
        case "service":
            origin = f"dataset {config.dataset_name}"
        case "file":
            file = config.dataset_file
            origin = short_path(Path(file)) if file else "load_tasks()"
    number = first_of(config) or str(count)
    if len(chosen) < count:
        number = f"{len(chosen)} chosen of {number}"
    return f"{number}, from {origin}"


def first_of(config: RunConfig) -> str | None:
    """``first N of M`` of a run that is not about its whole dataset."""
    return f"first {len(config.tasks)} of {config.dataset_size}" if config.limit else None


def counts_in_words(counts: ScoreCounts, config: RunConfig) -> str:
    """How many tasks there are of each outcome."""
    return (
        f"{first_of(config) or counts.total}: {counts.attempted} attempted, "
        f"{counts.scored} scored, {counts.max_time} timed out, {counts.max_turns} out of turns, "
        f"{counts.error} failed"
    )


def failures_in_words(summary: RunSummary, artifacts: RunArtifacts) -> Iterator[str]:
    """What went wrong, by phase and reason, the largest groups first."""
    for group in summary.failures[:_MAX_GROUPS]:
        yield from _failure_lines(group, artifacts)
    if (hidden := len(summary.failures) - _MAX_GROUPS) > 0:
        yield f"  … and {hidden} more kinds of failure"


def cost_line(spend: Spend) -> str:
    """What it has cost, as far as that is known."""
    unknown = f"; not known of {spend.unknown} generation(s)" if spend.unknown else ""
    return f"Cost     ${spend.dollars:.2f}{unknown}"


def what_is_missing(summary: RunSummary) -> str:
    """Why a run is not complete; empty if it is."""
    missing, ungraded = len(summary.without_generation), len(summary.without_eval)
    parts = [f"{missing} not generated"] if missing else []
    parts += [f"{ungraded} not graded"] if ungraded else []
    parts += [f"{summary.counts.error} failed"] if summary.counts.error else []
    return ", ".join(parts)


def _failure_lines(group: FailureGroup, artifacts: RunArtifacts) -> Iterator[str]:
    phase = {Phase.GENERATE: "Generation", Phase.EVALUATE: "Grading"}[group.phase]
    count = len(group.task_ids)
    yield f"{phase} failed for {count} task{'s' if count > 1 else ''}: {some_ids(group.task_ids)}"
    yield f"  {group.error}"
    if group.kind is not None:
        again = "worth another try" if group.retryable else "another try would end the same way"
        yield f"  [{group.kind.replace('_', ' ')}; {again}]"
    if group.hint is not None:
        yield f"  {group.hint}"
    name = TRACEBACK_LOG if group.phase is Phase.GENERATE else EVAL_TRACEBACK_LOG
    log = artifacts.agent_logs_dir(group.task_ids[0]) / name
    if log.is_file():
        yield f"  traceback in {short_path(log)}"
