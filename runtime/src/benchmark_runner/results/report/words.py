"""Figures in the words and numbers of a report."""

from __future__ import annotations

from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._stats.intervals import IntervalMethod
from benchmark_runner.results.json_facts import tokens_in_words

if TYPE_CHECKING:
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner._stats.intervals import Interval
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.results.report.figures import Distribution, Estimate, RunFigures

METHODS = {IntervalMethod.STUDENT_T: "Student's t", IntervalMethod.WILSON: "Wilson's"}
_MINUTE, _HOUR = 60, 60 * 60
#: Less than that takes more than two decimals to tell apart.
_DIME = 0.1


def number(value: float) -> str:
    """A score or a mean."""
    return f"{value:.4g}"


def amount(value: float, unit: str) -> str:
    """A quantity with its unit, as short as it can be read."""
    match unit:
        case "s":
            return duration(value)
        case "$":
            return f"${value:,.2f}" if value == 0 or value >= _DIME else f"${value:.3g}"
        case "tokens":
            return f"{value:,.0f}"
        case _:
            return number(value)


def duration(seconds: float) -> str:
    """A time."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min {seconds % _MINUTE:.0f} s"
    return f"{seconds // _HOUR:,.0f} h {seconds % _HOUR // _MINUTE:.0f} min"


def plural(count: int, noun: str) -> str:
    """``1 task``, ``2,000 tasks``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def interval_in_words(interval: Interval) -> str:
    """``0.09 to 0.99``."""
    return f"{number(interval.low)} to {number(interval.high)}"


def spread_in_words(distribution: Distribution) -> str:
    """Where the values of a distribution lie, and their sum where that means something."""
    unit = distribution.unit
    low, middle, high = (
        amount(value, unit)
        for value in (distribution.least, distribution.median, distribution.greatest)
    )
    said = f"{low} each" if low == high else f"median {middle}, from {low} to {high}"
    said += f", in all {amount(distribution.total, unit)}" if unit else ""
    return said + (f"; not known of {distribution.unknown:,}" if distribution.unknown else "")


def estimate_in_words(estimate: Estimate) -> str:
    """A mean, its interval and what it is of."""
    tasks = f"n = {estimate.count:,}"
    if estimate.interval is None:
        return f"{number(estimate.mean)}, {tasks}"
    return f"{number(estimate.mean)} ({interval_in_words(estimate.interval)}), {tasks}"


def first_of(config: RunConfig) -> str | None:
    """``first N of M`` of a run that is not about its whole dataset."""
    return f"first {len(config.tasks):,} of {config.dataset_size:,}" if config.limit else None


def dataset_of(config: RunConfig) -> str:
    """What the tasks come from."""
    if config.task_source == "problem":
        return "--problem"
    if config.dataset_name:
        return config.dataset_name
    return Path(config.dataset_file).name if config.dataset_file else "load_tasks()"


def differs_from_mean(figures: RunFigures) -> bool:
    """Whether the final score is something else than the mean of the tasks' scores."""
    score, estimate = figures.score, figures.estimate
    if score is None or estimate is None:
        return False
    return not isclose(score.final_score, estimate.mean, abs_tol=1e-9)


def bounds_in_words(summary: RunSummary) -> str:
    """Between what the mean lies, whatever becomes of the tasks without a grade."""
    bounds, total = summary.bounds, summary.counts.total
    if bounds is None:
        return ""
    unknown = total - len(summary.scores)
    if not unknown:
        return "Bounds: none, as every task counts; there is no error that could be 0 or 1."
    low, high = number(bounds.errors_as_0), number(bounds.errors_as_1)
    without = f"the {unknown:,} without a grade" if unknown > 1 else "the one without a grade"
    return f"Bounds {low} to {high}: the mean of all {total:,} tasks with {without} as 0, and as 1."


def missing_in_words(summary: RunSummary) -> str:
    """What is still to be done."""
    missing, ungraded = len(summary.without_generation), len(summary.without_eval)
    parts = [f"{missing:,} not generated yet"] if missing else []
    parts += [f"{ungraded:,} not graded yet"] if ungraded else []
    return ", ".join(parts)


def spent_in_words(figures: RunFigures) -> str:
    """What all attempts took, as far as that is known."""
    costs = figures.summary.spend
    parts = [amount(costs.dollars, "$")] if costs.dollars else []
    tokens = tokens_in_words(figures.tokens)
    parts += [f"tokens {tokens}"] if tokens else []
    return ", ".join(parts)
