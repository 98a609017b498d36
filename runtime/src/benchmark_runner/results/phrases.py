"""The words of terminal and report for the facts of a run: scores, tokens, costs, errors."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isclose
from pathlib import Path

from benchmark_runner._run.summary import FailureGroup, RunSummary
from benchmark_runner._stats.intervals import Interval, IntervalMethod
from benchmark_runner._text import dollars, duration, plural, some_ids
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.results.task_repeats import Outcome, TaskRepeats
from benchmark_runner.results.task_row import TaskRow
from benchmark_runner.schemas import Artifact, FailureKind, Phase, ScoreResult, TokenUsage

__all__ = [
    "METHODS", "amount", "artifact_text", "bounds_text", "cost_text", "dataset_label", "duration",
    "extent_text", "failure_heading", "failure_text", "first_of", "imported_text", "interval_text",
    "legend",
    "missing_text", "moment_text", "noise_text", "number", "plural", "pretty_json", "range_text",
    "score_is_mean", "score_notes", "spread_text", "task_score_text", "token_text", "tokens_of",
    "without_score_text",
]  # fmt: skip

_NO_SAMPLE = "the run stops once its question is settled, and its scores so far are no sample"
METHODS = {IntervalMethod.STUDENT_T: "Student's t", IntervalMethod.WILSON: "Wilson"}


def number(value: float) -> str:
    """Return a score or a mean with four digits."""
    return f"{value:.4g}"


def amount(value: float, unit: str) -> str:
    """Return a quantity with its unit (``s``, ``$``, ``tokens`` or none), easy to read."""
    match unit:
        case "s":
            return duration(value)
        case "$":
            return dollars(value)
        case "tokens":
            return f"{value:,.0f}"
        case _:
            return number(value)


def moment_text(moment: datetime, *, seconds: bool = False) -> str:
    """Return a moment in UTC, to the minute, or to the second for a column of them."""
    try:
        there = moment.astimezone(UTC) if moment.tzinfo else moment
    except OverflowError:  # at an end of the calendar
        return str(moment)
    return f"{there:%Y-%m-%d %H:%M:%S}" if seconds else f"{there:%Y-%m-%d %H:%M} UTC"


def first_of(config: RunConfig) -> str | None:
    """Return ``first N of M`` for a run of a part of its dataset."""
    return f"first {len(config.tasks):,} of {config.dataset_size:,}" if config.limit else None


def imported_text(config: RunConfig) -> str | None:
    """Return ``imported from FILE`` for answers that were made elsewhere."""
    return f"imported from {Path(config.imported.file).name}" if config.imported else None


def extent_text(config: RunConfig) -> str | None:
    """Return ``first N of M``, ``N x K repeats`` or both; ``None`` for the whole dataset once."""
    part = first_of(config)
    return (
        part if config.repeats == 1 else f"{part or len(config.tasks)} x {config.repeats} repeats"
    )


def dataset_label(config: RunConfig) -> str:
    """Return the name of the dataset that the tasks come from, and its version at the service."""
    if config.task_source == "problem":
        return "--problem"
    file = config.dataset_file
    name = config.dataset_name or (Path(file).stem if file else "load_tasks()")
    return f"{name} {config.dataset_version}" if config.dataset_version else name


def range_text(low: float, high: float) -> str:
    """Return ``0.09 to 0.99``."""
    return f"{number(low)} to {number(high)}"


def interval_text(interval: Interval) -> str:
    """Return the bounds of an interval, such as ``0.09 to 0.99``."""
    return range_text(interval.low, interval.high)


def score_is_mean(score: ScoreResult, mean: float | None) -> bool:
    """Return True if the final score is the mean of the tasks' scores, rounding aside."""
    return mean is not None and isclose(score.final_score, mean, abs_tol=1e-9)


def score_notes(score: ScoreResult, summary: RunSummary) -> list[str]:
    """Return what keeps a final score from being read as the mean of the tasks' scores."""
    notes: list[str] = []
    mean = summary.mean
    if mean is not None and not score_is_mean(score, mean):
        is_percentage = isclose(score.final_score, 100 * mean, abs_tol=1e-7)
        what = "is 100 times that mean: in percent" if is_percentage else "is not that mean"
        why = "" if is_percentage else ": it may be weighted, or in another unit"
        notes.append(f"The final score {what}{why}.")
    named, graded = {*score.tasks_evaluated}, summary.grades.task_ids
    left_out = [task_id for task_id in graded if task_id not in named]
    if named and left_out:
        count = f"{len(graded) - len(left_out):,} of the {plural(len(graded), 'evaluated task')}"
        notes.append(f"The final score is of {count}, not of {_ids_at_end(left_out)}")
    others = sorted(named.difference(graded))
    if len(others) > summary.did_not_complete:  # more than ran out of time or turns
        count = plural(len(others), "task")
        notes.append(
            f"The final score is also of {count} without a grade here: {_ids_at_end(others)}"
        )
    return notes


def _ids_at_end(ids: list[str]) -> str:
    """Return some ids as the end of a sentence."""
    named = some_ids(ids)
    return named if named.endswith("…") else f"{named}."


def without_score_text(summary: RunSummary) -> str:
    """Return why the tasks so far have no mean; empty if they have one."""
    missing, graded = len(summary.without_score), summary.counts.scored
    if not missing:
        return "" if summary.is_sample else _NO_SAMPLE
    if missing == graded:
        return "no task has a numeric score"
    ids = some_ids(summary.without_score)
    noun = "evaluated generation" if summary.has_repeats else "evaluated task"
    return f"{missing:,} of {plural(graded, noun)} without a numeric score: {ids}"


def noise_text(summary: RunSummary) -> str:
    """Return how far two single runs lie apart by chance; empty if nothing was repeated."""
    within, floor = summary.within, summary.noise_floor
    if within is None or floor is None:
        return ""
    if not floor:
        return f"none seen: all repeats of {plural(within.tasks, 'task')} scored alike"
    some = (
        f", as far as {plural(within.tasks, 'task')} can tell"
        if within.tasks < len(summary.scores)
        else ""
    )
    return f"two single runs of this differ by up to {floor:.2g} (95 %){some}"


def bounds_text(summary: RunSummary) -> str:
    """Return the bounds of the mean, with every task that lacks a grade as 0 and as 1."""
    bounds, total = summary.bounds, summary.counts.total
    if bounds is None:
        return ""
    unknown = summary.unknown
    if not unknown:
        every = "every generation" if summary.has_repeats else "every task"
        return f"Bounds: none, as {every} counts; there is no error that could be 0 or 1."
    what = "generations" if summary.has_repeats else "tasks"
    low_to_high = range_text(bounds.errors_as_0, bounds.errors_as_1)
    without = f"the {unknown:,} without a score" if unknown > 1 else "the one without a score"
    return f"Bounds {low_to_high}: the mean of all {total:,} {what} with {without} as 0, and as 1."


def spread_text(summary: RunSummary) -> str:
    """Return how much repeats of a task differ; empty if no task has two with a score."""
    within = summary.within
    if within is None:
        return ""
    deviation, tasks = within.standard_deviation, plural(within.tasks, "task")
    return f"{deviation:.2g} within tasks (standard deviation of one repeat, in {tasks})"


def legend(tasks: Iterable[TaskRepeats]) -> str:
    """Return the meaning of the signs in the strips of these tasks."""
    used = {outcome for task in tasks for outcome in task.outcomes}
    return ", ".join(f"{each.sign} {each.text}" for each in Outcome if each in used)


def task_score_text(task: TaskRepeats) -> str:
    """Return the score of a task, with what its repeats vary by; empty if it has none."""
    score, spread, scored = task.score, task.spread, len(task.scores)
    if score is None:
        return ""
    if len(task.rows) == 1:
        return number(score)
    of = f" of {len(task.rows)}" if scored < len(task.rows) else ""
    text = f"{number(score)}, the {task.reduction} of {scored}{of} repeats"
    return text if spread is None else f"{text}; their standard deviation is {spread:.2g}"


def missing_text(summary: RunSummary, *, errors: bool = False) -> str:
    """Return the number of tasks that each step is still to do, and with ``errors`` the failed."""
    parts = {
        "not generated": len(summary.without_generation),
        "not evaluated": len(summary.without_eval),
        "failed": summary.counts.error if errors else 0,
    }
    return ", ".join(f"{count:,} {what}" for what, count in parts.items() if count)


def failure_heading(group: FailureGroup) -> str:
    """Return ``Evaluation failed for 2 tasks``."""
    step = {Phase.GENERATE: "Generation", Phase.EVALUATE: "Evaluation"}[group.phase]
    tasks = len({key.task_id for key in group.keys})
    times = f" {len(group.keys):,} times" if len(group.keys) > tasks else ""
    return f"{step} failed{times} for {plural(tasks, 'task')}"


def artifact_text(artifact: Artifact | None) -> str:
    """Return the name and the size of a file that is an answer; empty of none."""
    return "" if artifact is None else f"{artifact.filename}, {plural(artifact.size, 'byte')}"


def failure_text(kind: FailureKind | None, retryable: bool | None) -> str:
    """Return the kind of a failure and whether a retry may help; empty if neither is known."""
    retry = {None: "", True: "retrying may help", False: "retrying will not help"}[retryable]
    return "; ".join(filter(None, [kind.replace("_", " ") if kind else "", retry]))


def cost_text(row: TaskRow) -> str:
    """Return the cost of a task's last attempt, and of those before."""
    before = row.cost_of_earlier_attempts
    costs = [dollars(row.cost)] if row.cost is not None else []
    costs += [f"{dollars(before)} of earlier attempts"] if before is not None else []
    return ", ".join(costs)


def tokens_of(row: TaskRow) -> TokenUsage:
    """Return the tokens of a task's last attempt."""
    return TokenUsage(
        input=row.input_tokens,
        output=row.output_tokens,
        reasoning=row.reasoning_tokens,
        cache_read=row.cache_read_tokens,
        cache_write=row.cache_write_tokens,
    )


def pretty_json(text: str | None) -> str | None:
    """Return JSON with an item per line; ``None`` for none."""
    return text and json.dumps(json.loads(text), indent=2, ensure_ascii=False)


def token_text(tokens: TokenUsage) -> str:
    """Return the number of tokens of each class that is known."""
    known = {
        "in": tokens.input,
        "out": tokens.output,
        "for reasoning": tokens.reasoning,
        "read from the cache": tokens.cache_read,
        "written to it": tokens.cache_write,
    }
    return ", ".join(f"{count:,} {what}" for what, count in known.items() if count is not None)
