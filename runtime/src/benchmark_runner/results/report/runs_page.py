"""The page of several runs, side by side."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner._text import some_ids
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results import phrases
from benchmark_runner.results.compare.effect import Comparison, compare
from benchmark_runner.results.compare.findings import Finding
from benchmark_runner.results.compare.side import TaskListener, TaskOutcome
from benchmark_runner.results.compare.verdict import judge
from benchmark_runner.results.report.agent_figures import calls_text, median_text
from benchmark_runner.results.report.charts import draw_intervals
from benchmark_runner.results.report.page import render_page
from benchmark_runner.results.report.run_figures import Group, Grouping, RunFigures, read_figures
from benchmark_runner.results.report.run_page import MOST_GROUPS
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.task_table import Column, Entry, TaskTable, link_to
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_repeats import TaskRepeats

__all__ = ["make_runs_page"]


_NAME, _PREVIEW, _ERROR = 60, 200, 2000
#: Said only beside runs of more.
_ONE_REPEAT = "one of each task"
#: Characters of a hash, here where others stand beside it.
_HASH = 12


class _Note(NamedTuple):
    """The words about one task of one run."""

    state: str
    preview: str
    error: str


def make_runs_page(
    views: Sequence[RunView],
    groupings: Sequence[Grouping | None],
    texts: SafeText,
    file: Path,
    listing: tuple[str, str],
    reduction: Reduction = MEAN,
) -> tuple[list[RunFigures], list[Comparison], bytes]:
    """Read several runs, the baseline first, and make the page that shows them side by side.

    The other arguments are those of ``make_run_page()``.
    """
    notes: list[dict[str, _Note]] = [{} for _ in views]
    runs = [
        read_figures(view, grouping, _listener(noted, texts), reduction)
        for view, grouping, noted in zip(views, groupings, notes, strict=True)
    ]
    table = _table(runs, notes, texts, file)
    groups = _groups(runs)
    comparisons = [compare(runs[0].side, other.side) for other in runs[1:]]
    charted = [(texts.line(run.run_id, _NAME), run.estimate) for run in runs if run.estimate]
    content: dict[str, object] = {
        "runs": runs,
        "side_by_side": _side_by_side(runs),
        "chart": draw_intervals(charted) if charted else None,
        "comparisons": [_comparison_content(each) for each in comparisons],
        "groups": dict(islice(groups.items(), MOST_GROUPS)),
        "all_groups": len(groups),
        "common": len(table),
        "others": len({task_id for run in runs for task_id in run.side.tasks}) - len(table),
        "listing": listing,
        "read_at": runs[-1].read_at,
    }
    return runs, comparisons, render_page("runs.html", content, table, texts)


def _listener(notes: dict[str, _Note], texts: SafeText) -> TaskListener:
    def note(task: TaskRepeats, files: list[TaskFiles]) -> None:
        questions = (each.generation.question for each in files if each.generation)
        preview = texts.line(next(filter(None, questions), ""), _PREVIEW)
        error = "\n".join(dict.fromkeys(row.error for row in task.rows if row.error))
        notes[task.task_id] = _Note(task.outcomes_text, preview, texts.line(error, _ERROR))

    return note


def _table(
    runs: Sequence[RunFigures], notes: Sequence[Mapping[str, _Note]], texts: SafeText, file: Path
) -> TaskTable:
    grouping = runs[0].grouping
    columns = [
        *(Column(run.run_id, "score") for run in runs),
        Column("Scores", "text", filtered=True, wide=True),
        *([Column(grouping.by, "text", filtered=True, wide=True)] if grouping else []),
    ]
    common = [task_id for task_id in notes[0] if all(task_id in each for each in notes[1:])]
    table = TaskTable(columns, len(common), texts)
    for task_id in common:
        table.add(_entry(task_id, runs, [each[task_id] for each in notes], file))
    return table


def _entry(task_id: str, runs: Sequence[RunFigures], notes: Sequence[_Note], file: Path) -> Entry:
    grouping = runs[0].grouping
    outcomes = [run.side.tasks[task_id] for run in runs]
    named = {run.run_id: note for run, note in zip(runs, notes, strict=True)}
    folders = {run.run_id: run.side.view.artifacts.task_dir(task_id) for run in runs}
    pairs = [*zip(notes, outcomes, strict=True)]
    return Entry(
        task_id=task_id,
        preview=next((note.preview for note in notes if note.preview), ""),
        error="\n".join(note.error for note in notes if note.error),
        cells=[
            *(note.state if outcome.score is None else outcome.score for note, outcome in pairs),
            _agreement(outcomes),
            *([grouping.group_of.get(task_id, "")] if grouping else []),
        ],
        facts={
            run_id: _outcome_text(note, outcome)
            for (run_id, note), outcome in zip(named.items(), outcomes, strict=True)
        },
        texts={f"Error in {run_id}": note.error for run_id, note in named.items() if note.error},
        links=[
            link_to(f"Files of {run_id}", folder, file)
            for run_id, folder in folders.items()
            if folder.is_dir()
        ],
        whole=f"{task_id}/",
    )


def _agreement(outcomes: Sequence[TaskOutcome]) -> str:
    scores = {outcome.score for outcome in outcomes}
    if None in scores:
        return "not all scored"
    return "same" if len(scores) == 1 else "different"


def _outcome_text(note: _Note, outcome: TaskOutcome) -> str:
    parts = [str(note.state)]
    parts += [f"counts {phrases.number(outcome.score)}"] if outcome.score is not None else []
    parts += [phrases.duration(outcome.seconds)] if outcome.seconds is not None else []
    parts += [phrases.amount(outcome.cost, "$")] if outcome.cost is not None else []
    return ", ".join(parts)


def _comparison_content(comparison: Comparison) -> dict[str, object]:
    return {
        "a": comparison.a.view.run_id,
        "b": comparison.b.view.run_id,
        "judgement": (judgement := judge(comparison)),
        "difference": _difference_text(comparison),
        "obstacles": [_finding_text(finding) for finding in judgement.obstacles],
        "warnings": [_finding_text(finding) for finding in judgement.warnings],
    }


def _finding_text(finding: Finding) -> str:
    named = f": {some_ids(finding.task_ids)}" if finding.task_ids else ""
    return f"{finding.text}{named}"


def _difference_text(comparison: Comparison) -> str:
    """Return how much more B scores than A on the compared tasks; empty without any."""
    if comparison.effect is None:
        return ""
    found = comparison.effect.difference
    a, b = comparison.a.view.run_id, comparison.b.view.run_id
    more = "less" if found.mean < 0 else "more"
    interval = found.interval
    error = f" (95 % interval of that {phrases.interval_text(interval)})" if interval else ""
    left_out = comparison.pairing.left_out
    return (
        f"{b} scores {phrases.number(abs(found.mean))} {more} than {a}{error}, task by task on the "
        f"{phrases.plural(found.count, 'task')} that have a score in both"
        + (f"; {phrases.plural(left_out, 'task')} left out." if left_out else ".")
    )


def _side_by_side(runs: Sequence[RunFigures]) -> dict[str, list[str]]:
    """Return the facts in the head of each run: by name, a value for each run."""
    rows: dict[str, list[str]] = {}
    for figures in runs:
        for name, value in _facts(figures):
            rows.setdefault(name, []).append(value)
    return {name: values for name, values in rows.items() if {*values} - {"", _ONE_REPEAT}}


def _facts(figures: RunFigures) -> Iterator[tuple[str, str]]:
    config, summary = figures.config, figures.summary
    counts, bounds = summary.counts, summary.bounds
    estimate, score = figures.estimate, figures.score
    interval = estimate.interval if estimate else None
    method = f" ({phrases.METHODS[interval.method]})" if interval else ""
    of_mean = f"{phrases.interval_text(interval)}{method}" if interval else ""
    low_to_high = phrases.range_text(bounds.errors_as_0, bounds.errors_as_1) if bounds else ""
    edited = ", edited" if config.runner_dirty else ""
    evaluated = {True: "locally", False: "by a service", None: "not known"}
    yield "Final score", phrases.number(score.final_score) if score else "none yet"
    yield "Question", "; ".join(figures.verdict)
    yield "Mean of the tasks' scores", phrases.number(estimate.mean) if estimate else ""
    yield "95 % interval of the mean", of_mean
    yield "n", f"{estimate.count:,}" if estimate else "0"
    yield "Bounds with errors as 0 and 1", low_to_high
    yield "Tasks", phrases.first_of(config) or f"{len(config.tasks):,}"
    yield "Repeats", f"{config.repeats} of each task" if config.repeats > 1 else _ONE_REPEAT
    yield "Spread", phrases.spread_text(summary)
    yield "Noise", phrases.noise_text(summary)
    if reduced := figures.reduced:
        yield str(reduced.reduction), "; ".join([reduced.text, *reduced.notes])
    yield "Attempted", f"{counts.attempted:,}"
    yield "Scored", f"{counts.scored:,}"
    yield "Errors", f"{counts.error:,}"
    yield "Timed out", f"{counts.max_time:,}"
    yield "Out of turns", f"{counts.max_turns:,}"
    yield "Cost", phrases.amount(summary.spend.dollars, "$") if summary.spend.dollars else ""
    yield "Turns a task", median_text(figures.agents.turns)
    yield "Tokens a task", median_text(figures.agents.tokens)
    yield "Tool calls", calls_text(figures.agents)
    yield "Model", config.model
    yield "Answers", phrases.imported_text(config) or "generated here"
    yield "Dataset", phrases.dataset_label(config)
    yield "Complete", "yes" if summary.complete else "no"
    yield "Running", f"yes: {figures.worked_on_by}" if figures.worked_on_by else "no"
    yield "Evaluated", evaluated[figures.side.view.local]
    yield "Evaluated by", "; ".join(map(str, summary.graded))
    yield "Sampling", ", ".join(f"{name} = {value}" for name, value in config.sampling.items())
    yield "Generation version", config.generation_version or ""
    yield "Commit", f"{(config.runner_commit or '')[:_HASH]}{edited}"
    yield "Hash of the tasks", (figures.tasks_hash or "")[:_HASH]
    yield "Started", phrases.moment_text(figures.side.view.started_at)


def _groups(runs: Sequence[RunFigures]) -> dict[str, list[Group | None]]:
    """Return the groups of all runs: by name, that of each run."""
    by_run: list[Mapping[str, Group]] = [
        {group.name: group for group in figures.groups} for figures in runs
    ]
    names = dict.fromkeys(name for groups in by_run for name in groups)
    return {name: [groups.get(name) for groups in by_run] for name in names}
