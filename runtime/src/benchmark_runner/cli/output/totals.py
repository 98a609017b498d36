"""The lines on score, tasks, errors and cost that ``run`` and ``status`` print alike."""

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark_runner._run.summary import FailureGroup, RunSummary
from benchmark_runner._spend import Spend
from benchmark_runner._text import dollars, plural, some_ids
from benchmark_runner.artifacts.run_folder import (
    EVAL_TRACEBACK_LOG,
    TIMEOUT_LOG,
    TRACEBACK_LOG,
    RunArtifacts,
)
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.cli.console import brief_error
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results import phrases
from benchmark_runner.results.reduced_score import ReducedScore
from benchmark_runner.results.service_figures import service_figures
from benchmark_runner.schemas import Phase, ScoreCounts, ScoreResult, TaskRepeat

_MAX_GROUPS = 5
_WRAPPER = textwrap.TextWrapper(
    80, subsequent_indent=" " * 9, break_long_words=False, break_on_hyphens=False
)


def score_lines(
    score: ScoreResult, summary: RunSummary, *, standing: bool = False
) -> Iterator[str]:
    """Yield the score, its error and its interval; ``standing`` if it was there before."""
    notes = ["local"] if score.local else []
    if not score.complete:
        notes.append("incomplete, missing tasks count 0")
    if standing:
        notes.append("from before")
    marks = f"  [{'; '.join(notes)}]" if notes else ""
    final = phrases.number(score.final_score)
    if phrases.score_is_mean(score, summary.mean):
        yield f"Score    {final}{error_text(summary)}{marks}"
    else:
        yield f"Score    {final}{marks}"
        if summary.mean is not None:
            mean = phrases.number(summary.mean)
            yield f"Mean     {mean}{error_text(summary)} of the tasks' scores"
        else:
            why = phrases.without_score_text(summary) or "no task has a numeric score"
            yield from _WRAPPER.wrap(f"         no standard error: {why}")
    for note in phrases.score_notes(score, summary):
        yield from _WRAPPER.wrap(f"         {note}")
    yield from interval_lines(summary)
    if not score.complete and (bounds := score.bounds) is not None:
        low_to_high = phrases.range_text(bounds.errors_as_0, bounds.errors_as_1)
        yield f"Bounds   {low_to_high}: the mean with what has no score as 0, and as 1"


def service_lines(score: ScoreResult) -> Iterator[str]:
    """Yield what the service says beside the score, by category."""
    figures = service_figures(score)
    if figures.weighted_mean is not None:
        yield f"Weighted {phrases.number(figures.weighted_mean)}, the service's weighted mean"
    if figures.populations:
        yield "The service's scores by category"
        width = max(len(each.name) for each in figures.populations)
        for each in figures.populations:
            yield f"  {each.name:{width}}  {each.text}"
        if figures.left_out_text:
            yield f"  {figures.left_out_text}"
    if figures.categories:
        yield f"Category {figures.categories_text}"


def error_text(summary: RunSummary) -> str:
    """Return the standard error of the mean, to stand behind it."""
    return _error_text(summary.stderr, len(summary.scores))


def _error_text(stderr: float | None, count: int) -> str:
    if stderr is None:
        return " (no standard error: fewer than 2 scored tasks)"
    return f" ± {stderr:.2g} (standard error, n={count})"


def interval_lines(summary: RunSummary) -> Iterator[str]:
    """Yield the interval of the mean, and how repeats differ, or that one run can't show it."""
    if (interval := summary.interval) is not None:
        how = f"{100 * interval.level:.0f} %, {phrases.METHODS[interval.method]}"
        yield f"Interval {phrases.interval_text(interval)} ({how}), for tasks like these"
    if spread := phrases.spread_text(summary):
        yield f"Spread   {spread}"
    if noise := phrases.noise_text(summary):
        yield f"Noise    {noise}"
    elif summary.interval is not None:
        yield "         One run does not show how much the model varies from run to run."


def reduced_lines(reduced: ReducedScore | None) -> Iterator[str]:
    """Yield the score by another reduction than the mean, with its error over tasks."""
    if reduced is None:
        return
    label = f"{reduced.reduction!s:8}"
    if (mean := reduced.mean) is None:
        yield f"{label} none: {reduced.missing_text}"
    else:
        yield f"{label} {phrases.number(mean)}{_error_text(reduced.stderr, len(reduced.scores))}"
    if (interval := reduced.interval) is not None:
        yield f"         95 % interval {phrases.interval_text(interval)}, for tasks like these"
    for note in reduced.notes:
        yield f"         {note}"


def tasks_text(config: RunConfig, chosen: Sequence[str]) -> str:
    """Return the number of tasks and repeats, how many are chosen, and where they come from."""
    count = len(config.tasks)
    each = f", {config.repeats} times each" if config.repeats > 1 else ""
    match config.task_source:
        case "problem":
            return f"{some_ids(chosen)}{each}, from --problem"
        case "service":
            origin = f"dataset {config.dataset_name}"
        case "file":
            file = config.dataset_file
            origin = short_path(Path(file)) if file else "load_tasks()"
    if config.dataset_version:
        origin += f", version {config.dataset_version}"
    tasks = phrases.first_of(config) or str(count)
    if len(chosen) < count:
        tasks = f"{len(chosen)} chosen of {tasks}"
    return f"{tasks}{each}, from {origin}"


def count_lines(counts: ScoreCounts, config: RunConfig) -> Iterator[str]:
    """Yield the number of tasks, or of generations, of each outcome."""
    outcomes = (
        f"{counts.attempted} attempted, {counts.scored} scored, {counts.max_time} timed out, "
        f"{counts.max_turns} out of turns, {counts.error} failed"
    )
    extent = phrases.extent_text(config)
    if config.repeats == 1:
        yield f"Tasks    {extent or counts.total}: {outcomes}"
    else:
        yield f"Tasks    {extent}: {plural(counts.total, 'generation')}"
        yield f"         {outcomes}"


def failure_lines(summary: RunSummary, artifacts: RunArtifacts) -> Iterator[str]:
    """Yield the errors by step and reason, the largest groups first."""
    for group in summary.failures[:_MAX_GROUPS]:
        yield from _group_lines(group, artifacts)
    if (hidden := len(summary.failures) - _MAX_GROUPS) > 0:
        yield f"  … and {plural(hidden, 'more kind')} of failure"


def answer_lines(summary: RunSummary, artifacts: RunArtifacts) -> Iterator[str]:
    """Yield the timeouts without a sign of an answer, and the answers that are not whole ones."""
    if silent := summary.silent:
        timeouts = plural(len(silent), "timeout")
        yield f"No sign of an answer in {timeouts} (no token, no turn): {some_ids(silent)}"
        log = _log(artifacts, silent[0], TIMEOUT_LOG)
        if log.is_file():
            yield f"  where it waited: {short_path(log)}"
    for reason, keys in sorted(summary.many_unusual_stops.items()):
        yield f"Stopped by {reason!r}: {plural(len(keys), 'answer')}: {some_ids(keys)}"


def cost_line(spend: Spend) -> str:
    """Return the cost of all attempts, as far as it is known."""
    unknown = f"; not known of {plural(spend.unknown, 'generation')}" if spend.unknown else ""
    return f"Cost     {dollars(spend.dollars)}{unknown}"


def _group_lines(group: FailureGroup, artifacts: RunArtifacts) -> Iterator[str]:
    yield f"{phrases.failure_heading(group)}: {some_ids(group.keys)}"
    yield f"  {brief_error(group.error)}"
    if group.kind is not None:
        yield f"  [{phrases.failure_text(group.kind, group.retryable)}]"
    if group.hint is not None:
        yield f"  {group.hint}"
    name = TRACEBACK_LOG if group.phase is Phase.GENERATE else EVAL_TRACEBACK_LOG
    log = _log(artifacts, group.keys[0], name)
    if os.path.isfile(log):  # noqa: PTH113 (which raises nothing)
        yield f"  traceback in {short_path(log)}"


def _log(artifacts: RunArtifacts, key: TaskRepeat, name: str) -> Path:
    return artifacts.of_repeat(key.repeat).agent_logs_dir(key.task_id) / name
