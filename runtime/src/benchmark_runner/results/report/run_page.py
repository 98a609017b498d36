"""The page of one run."""

from collections.abc import Mapping
from pathlib import Path

from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results import phrases
from benchmark_runner.results.report.charts import draw_histogram, draw_intervals
from benchmark_runner.results.report.page import render_page
from benchmark_runner.results.report.provenance import head_facts, history, provenance_facts
from benchmark_runner.results.report.run_figures import Estimate, Grouping, RunFigures, read_figures
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.task_table import Column, Entry, TaskTable, link_to
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.service_figures import service_figures, weighted_score
from benchmark_runner.results.task_row import TaskRow

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
) -> tuple[RunFigures, bytes]:
    """Read a run and make its page.

    Args:
        view: The run.
        grouping: The group of each task, if they are grouped.
        texts: Makes texts safe for a page.
        file: The file of the page, from which links lead to the run's folder.
        commands: The commands that resume or repeat the run, by their headings.
        listing: The command that writes all tasks as a table, its name first.
    """
    table = TaskTable(_columns(grouping), len(view.config.tasks), texts)

    def add(row: TaskRow, task: TaskFiles) -> None:
        table.add(_entry(view, row, task, grouping, file))

    figures = read_figures(view, grouping, add)
    charted = _largest(figures, texts)
    config, shown = figures.config, history(figures.config)
    content: dict[str, object] = {
        "figures": figures,
        "head": head_facts(figures),
        "bounds": phrases.bounds_text(figures.summary),
        "missing": phrases.missing_text(figures.summary),
        "service": service_figures(figures.score),
        "without_score": phrases.without_score_text(figures.summary),
        "spent": _spent_text(figures),
        "histograms": [(each, draw_histogram(each)) for each in figures.distributions],
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
    return figures, render_page("run.html", content, table, texts)


def _columns(grouping: Grouping | None) -> list[Column]:
    return [
        Column("State", "state", filtered=True),
        Column("Score", "score"),
        *([Column(grouping.by, "text", filtered=True, wide=True)] if grouping else []),
        Column("Time", "seconds", wide=True),
        Column("Cost", "dollars", wide=True),
        Column("Tokens in", "count", wide=True),
        Column("Tokens out", "count", wide=True),
    ]


def _entry(
    view: RunView, row: TaskRow, task: TaskFiles, grouping: Grouping | None, file: Path
) -> Entry:
    generation = task.generation
    group = [grouping.group_of.get(row.task_id, "")] if grouping else []
    question = generation.question if generation else None
    long = {
        "Error": row.error,
        "Question": question,
        "Answer": generation.data if generation else None,
        "Result": phrases.pretty_json(task.result_text),
    }
    folder = view.artifacts.task_dir(row.task_id)
    folders = {"Logs": view.artifacts.agent_logs_dir(row.task_id), "Files": folder}
    links = [link_to(name, path, file) for name, path in folders.items() if path.is_dir()]
    if (artifact := task.artifact_path) is not None:
        links.insert(0, link_to("Artifact", artifact, file, end=""))
    return Entry(
        task_id=row.task_id,
        preview=question or "",
        error=row.error or "",
        cells=[
            row.state,
            row.score,
            *group,
            row.generation_seconds,
            row.cost,
            row.input_tokens,
            row.output_tokens,
        ],
        facts=_facts(row, task) | ({grouping.by: group[0]} if grouping else {}),
        texts={name: text for name, text in long.items() if text is not None},
        links=links,
        whole=f"{row.task_id}/",
    )


def _facts(row: TaskRow, task: TaskFiles) -> dict[str, str]:
    weighted = weighted_score(task.evaluation)
    seconds = {"generating": row.generation_seconds, "evaluating": row.grading_seconds}
    took = (f"{phrases.duration(n)} {what}" for what, n in seconds.items() if n is not None)
    return {
        "Counts": "" if row.score is None else phrases.number(row.score),
        "Weighted": "" if weighted is None else phrases.number(weighted),
        "Artifact": phrases.artifact_text(task.artifact),
        "SHA-256": "" if task.artifact is None else task.artifact.sha256,
        "Took": ", ".join(took),
        "Tokens": phrases.token_text(phrases.tokens_of(row)),
        "Cost": phrases.cost_text(row),
        "Turns": "" if row.total_turns is None else f"{row.total_turns:,}",
        "Attempts": f"{row.attempts:,}" if row.attempts > 1 else "",
        "Started": phrases.moment_text(row.started_at) if row.started_at else "",
        "Ended": phrases.moment_text(row.ended_at) if row.ended_at else "",
        "Evaluated by": str(row.graded_by) if row.graded_by else "",
        "Failure": phrases.failure_text(row.kind, row.retryable),
        "What to do": row.hint or "",
        "Result on disk": "that of another generation, which counts for nothing"
        if row.stale_eval
        else "",
        "Can't be read": "one of its files" if row.unreadable else "",
    }


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
