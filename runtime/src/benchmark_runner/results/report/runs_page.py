"""The page of several runs, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from benchmark_runner._stats.paired_difference import paired_difference
from benchmark_runner.results.phrases import (
    METHODS,
    amount,
    dataset_label,
    duration,
    first_of,
    interval_text,
    number,
    plural,
)
from benchmark_runner.results.report.charts import draw_intervals
from benchmark_runner.results.report.figures import figures_of
from benchmark_runner.results.report.links import link_to
from benchmark_runner.results.report.origin import moment_in_words
from benchmark_runner.results.report.page import Page, as_markup
from benchmark_runner.results.report.run_page import MOST_GROUPS
from benchmark_runner.results.report.task_table import Column, Entry, TaskTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from benchmark_runner._stats.paired_difference import PairedDifference
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.results.report.figures import Group, Grouping, RunFigures
    from benchmark_runner.results.report.texts import Texts
    from benchmark_runner.results.run_view import RunView
    from benchmark_runner.results.task_row import TaskRow

_NAME, _PREVIEW, _ERROR = 60, 200, 2000
#: Characters of a hash, here where others stand beside it.
_HASH = 12


class Result(NamedTuple):
    """What is kept of one task of one run."""

    state: str
    score: float | None
    seconds: float | None
    cost: float | None
    error: str


@dataclass(slots=True)
class _Taken:
    """What is kept of the tasks of one run."""

    results: dict[str, Result] = field(default_factory=dict[str, Result])
    previews: dict[str, str] = field(default_factory=dict[str, str])


class Comparison(NamedTuple):
    """One run beside the first one.

    Attributes:
        run_id: The run.
        difference: How much more it scores on the tasks that both have; ``None`` without any.
        changed: How many of those had another content in the first run.
    """

    run_id: str
    difference: PairedDifference | None
    changed: int


def page_of_runs(
    views: Sequence[RunView],
    groupings: Sequence[Grouping | None],
    texts: Texts,
    file: Path,
    listing: tuple[str, str],
) -> tuple[list[RunFigures], list[Comparison], Page]:
    """Read several runs and make the page that shows them side by side.

    Args:
        views: The runs, the one that the others are compared with first.
        groupings: By which field the tasks of each are grouped, if they are.
        texts: Makes texts fit for a page.
        file: Where the page will be; links lead on from there.
        listing: The command that writes all tasks of one as a table, its name first.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    taken = [_Taken() for _ in views]
    figures = [
        figures_of(view, grouping, _Listener(each, texts))
        for view, grouping, each in zip(views, groupings, taken, strict=True)
    ]
    table = _table(views, groupings[0], taken, texts, file)
    groups = _groups(figures)
    comparisons = [_compared(figures[0], other) for other in figures[1:]]
    charted = [
        (texts.line(each.run_id, _NAME), each.estimate)
        for each in figures
        if each.estimate is not None
    ]
    content: dict[str, object] = {
        "runs": figures,
        "side_by_side": _side_by_side(figures),
        "chart": as_markup(draw_intervals(charted)) if charted else None,
        "differences": [difference_in_words(each, figures[0].run_id) for each in comparisons],
        "groups": dict(islice(groups.items(), MOST_GROUPS)),
        "all_groups": len(groups),
        "common": len(table),
        "others": len({task for each in taken for task in each.results}) - len(table),
        "listing": listing,
        "read_at": figures[-1].read_at,
    }
    return figures, comparisons, Page("runs.html", content, table, texts)


class _Listener:
    def __init__(self, taken: _Taken, texts: Texts) -> None:
        self._taken = taken
        self._texts = texts

    def __call__(self, row: TaskRow, task: TaskFiles) -> None:
        error = self._texts.line(row.error, _ERROR) if row.error else ""
        result = Result(row.state, row.score, row.generation_seconds, row.cost, error)
        self._taken.results[row.task_id] = result
        if task.generation is not None and task.generation.question:
            preview = self._texts.line(task.generation.question, _PREVIEW)
            self._taken.previews[row.task_id] = preview


def _table(
    views: Sequence[RunView],
    grouping: Grouping | None,
    taken: Sequence[_Taken],
    texts: Texts,
    file: Path,
) -> TaskTable:
    columns = [
        *(Column(view.run_id, "score") for view in views),
        Column("Scores", "text", filtered=True, wide=True),
        *([Column(grouping.by, "text", filtered=True, wide=True)] if grouping else []),
    ]
    common = [
        task_id
        for task_id in taken[0].results
        if all(task_id in each.results for each in taken[1:])
    ]
    table = TaskTable(columns, len(common), texts)
    for task_id in common:
        of_each = [(view, each.results[task_id]) for view, each in zip(views, taken, strict=True)]
        results = [result for _, result in of_each]
        previews = (each.previews.get(task_id) for each in taken)
        group = [grouping.group_of.get(task_id, "")] if grouping else []
        folders = [(view.run_id, view.artifacts.task_dir(task_id)) for view in views]
        table.add(
            Entry(
                task_id=task_id,
                preview=next(filter(None, previews), ""),
                error="\n".join(result.error for result in results if result.error),
                cells=[
                    *(r.state if r.score is None else r.score for r in results),
                    _agreement(results),
                    *group,
                ],
                facts={view.run_id: _result_in_words(result) for view, result in of_each},
                texts={
                    f"Error in {view.run_id}": result.error
                    for view, result in of_each
                    if result.error
                },
                links=[
                    link_to(f"Files of {run_id}", folder, file)
                    for run_id, folder in folders
                    if folder.is_dir()
                ],
                whole=f"{task_id}/",
            )
        )
    return table


def _agreement(results: Sequence[Result]) -> str:
    scores = {result.score for result in results}
    if None in scores:
        return "not all scored"
    return "same" if len(scores) == 1 else "different"


def _result_in_words(result: Result) -> str:
    parts = [str(result.state)]
    parts += [f"counts {number(result.score)}"] if result.score is not None else []
    parts += [duration(result.seconds)] if result.seconds is not None else []
    parts += [amount(result.cost, "$")] if result.cost is not None else []
    return ", ".join(parts)


def _compared(first: RunFigures, other: RunFigures) -> Comparison:
    hashes, others = first.config.task_hashes, other.config.task_hashes
    changed = sum(task in hashes and hashes[task] != found for task, found in others.items())
    return Comparison(other.run_id, paired_difference(first.scores, other.scores), changed)


def _side_by_side(runs: Sequence[RunFigures]) -> dict[str, list[str]]:
    """The head figures: by name, a value for each run."""
    rows: dict[str, list[str]] = {}
    for figures in runs:
        for name, value in _head(figures):
            rows.setdefault(name, []).append(value)
    return {name: values for name, values in rows.items() if any(values)}


def _head(figures: RunFigures) -> Iterator[tuple[str, str]]:
    config, summary, counts = figures.config, figures.summary, figures.summary.counts
    estimate, score, bounds = figures.estimate, figures.score, figures.summary.bounds
    interval = estimate.interval if estimate else None
    method = f" ({METHODS[interval.method]})" if interval else ""
    yield "Final score", number(score.final_score) if score else "none yet"
    yield "Mean of the tasks' scores", number(estimate.mean) if estimate else ""
    yield "95 % interval of the mean", f"{interval_text(interval)}{method}" if interval else ""
    yield "n", f"{estimate.count:,}" if estimate else "0"
    yield (
        "Bounds with errors as 0 and 1",
        f"{number(bounds.errors_as_0)} to {number(bounds.errors_as_1)}" if bounds else "",
    )
    yield "Tasks", first_of(config) or f"{counts.total:,}"
    yield "Attempted", f"{counts.attempted:,}"
    yield "Scored", f"{counts.scored:,}"
    yield "Errors", f"{counts.error:,}"
    yield "Timed out", f"{counts.max_time:,}"
    yield "Out of turns", f"{counts.max_turns:,}"
    yield "Cost", amount(summary.spend.dollars, "$") if summary.spend.dollars else ""
    yield "Model", config.model
    yield "Dataset", dataset_label(config)
    yield "Complete", "yes" if summary.complete else "no"
    yield "Running", f"yes: {figures.worked_on_by}" if figures.worked_on_by else "no"
    yield "Graded", {True: "locally", False: "by a service", None: "not known"}[figures.local]
    yield "Graded by", "; ".join(map(str, summary.graded))
    yield "Sampling", ", ".join(f"{name} = {value}" for name, value in config.sampling.items())
    yield "Generation version", config.generation_version or ""
    edited = ", edited" if config.runner_dirty else ""
    yield "Commit", f"{(config.runner_commit or '')[:_HASH]}{edited}"
    yield "Hash of the tasks", (figures.tasks_hash or "")[:_HASH]
    yield "Started", moment_in_words(figures.started_at)


def _groups(runs: Sequence[RunFigures]) -> dict[str, list[Group | None]]:
    """The groups of all runs: by name, that of each run."""
    by_run: list[Mapping[str, Group]] = [
        {group.name: group for group in figures.groups} for figures in runs
    ]
    names = dict.fromkeys(name for groups in by_run for name in groups)
    return {name: [groups.get(name) for groups in by_run] for name in names}


def difference_in_words(comparison: Comparison, first: str) -> str:
    """How much more a run scores than the first one, on the tasks that both have."""
    found = comparison.difference
    if found is None:
        return f"{comparison.run_id} and {first} have no scored task in common."
    more = "less" if found.mean < 0 else "more"
    interval = found.interval
    error = f" (95 % interval of that {interval_text(interval)})" if interval else ""
    said = (
        f"{comparison.run_id} scores {number(abs(found.mean))} {more} than {first}{error}, task "
        f"by task on the {plural(found.count, 'task')} that have a score in both."
    )
    if comparison.changed:
        said += (
            f" {plural(comparison.changed, 'task')} had another content in one than in the other."
        )
    return said
