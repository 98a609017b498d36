"""The page of one run."""

from collections.abc import Mapping
from pathlib import Path

from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results import phrases
from benchmark_runner.results.estimate import Estimate
from benchmark_runner.results.report.agent_section import agent_section
from benchmark_runner.results.report.charts import draw_histogram, draw_intervals
from benchmark_runner.results.report.page import render_page
from benchmark_runner.results.report.provenance import head_facts, history, provenance_facts
from benchmark_runner.results.report.run_figures import Grouping, RunFigures, read_figures
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.task_entry import TaskEntries
from benchmark_runner.results.report.task_table import TaskTable
from benchmark_runner.results.report.task_transcript import TaskTranscripts
from benchmark_runner.results.report.transcript_store import TranscriptStore
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.service_figures import service_figures
from benchmark_runner.results.task_repeats import TaskRepeats
from benchmark_runner.results.trajectories import TrajectoryReader

__all__ = ["MOST_GROUPS", "make_run_page"]


#: More names can't be told apart in a chart, and are not read in a table.
_MOST_IN_CHART, MOST_GROUPS = 25, 200
_MOST_IDS = 200
_GROUP_NAME, _REASON = 60, 2000


def make_run_page(
    view: RunView,
    grouping: Grouping | None,
    texts: SafeText,
    file: Path,
    commands: Mapping[str, str],
    listing: tuple[str, str],
    transcripts: TranscriptStore,
    reduction: Reduction = MEAN,
) -> tuple[RunFigures, bytes]:
    """Read a run and make its page.

    Args:
        view: The run.
        grouping: The group of each task, if they are grouped.
        texts: Makes texts safe for a page.
        file: The file of the page, from which links lead to the run's folder.
        commands: The commands that resume or repeat the run, by their headings.
        listing: The command that writes all tasks as a table, its name first.
        transcripts: The place of the transcripts of the tasks.
        reduction: Another way to score a task by its repeats, shown beside the mean.
    """
    reader = TrajectoryReader(view.artifacts)
    kept = TaskTranscripts(view.artifacts, reader, texts, transcripts)
    entries = TaskEntries(view, grouping, file, kept)
    count, repeats = len(view.config.tasks), view.config.repeats
    table = TaskTable(entries.columns, count, texts, repeats)

    def add(task: TaskRepeats, files: list[TaskFiles]) -> None:
        table.add(entries.of(task, files))

    figures = read_figures(view, grouping, add, reduction, reader)
    charted = _largest(figures, texts)
    config, shown = figures.config, history(figures.config)
    content: dict[str, object] = {
        "figures": figures,
        "head": head_facts(figures),
        "bounds": phrases.bounds_text(figures.summary),
        "missing": phrases.missing_text(figures.summary),
        "noise": phrases.noise_text(figures.summary),
        "spread": phrases.spread_text(figures.summary),
        "service": service_figures(figures.score),
        "without_score": phrases.without_score_text(figures.summary),
        "spent": _spent_text(figures),
        "histograms": [(each, draw_histogram(each)) for each in figures.distributions],
        "agents": agent_section(figures, texts),
        "groups": figures.groups[:MOST_GROUPS],
        "groups_chart": draw_intervals(charted) if charted else None,
        "groups_left_out": sum(bool(each.estimate) for each in figures.groups) - len(charted),
        "most_ids": _MOST_IDS,
        "reasons": [texts.line(group.error, _REASON) for group in figures.summary.failures],
        "unreadable": [str(path) for path in figures.side.scan.unreadable],
        "provenance": provenance_facts(figures),
        "history": shown,
        "earlier_invocations": len(config.history) - len(shown),
        "commands": commands,
        "listing": listing,
        "read_at": figures.read_at,
    }
    return figures, render_page("run.html", content, table, texts, transcripts)


def _spent_text(figures: RunFigures) -> str:
    """Return the cost and the tokens of all attempts, as far as they are known."""
    dollars, tokens = figures.summary.spend.dollars, phrases.token_text(figures.side.scan.tokens)
    parts = [phrases.amount(dollars, "$") if dollars else "", f"tokens {tokens}" if tokens else ""]
    return ", ".join(filter(None, parts))


def _largest(figures: RunFigures, texts: SafeText) -> list[tuple[str, Estimate]]:
    """Return the groups with a mean, in their order, as many as a chart can show."""
    found = [
        (texts.line(each.name, _GROUP_NAME), each.estimate)
        for each in figures.groups
        if each.estimate is not None
    ]
    if len(found) <= _MOST_IN_CHART:
        return found
    largest = sorted(found, key=lambda pair: -pair[1].count)[:_MOST_IN_CHART]
    least = largest[-1][1].count
    return [pair for pair in found if pair[1].count >= least][:_MOST_IN_CHART]
