"""The report of one run or several, written to its file, and its JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark_runner._text import plural
from benchmark_runner.cli.inspection import Inspection
from benchmark_runner.cli.output.report_file import ReportFile, ReportSettings
from benchmark_runner.cli.shell import short_path
from benchmark_runner.errors import UsageError
from benchmark_runner.results.compare.effect import Comparison
from benchmark_runner.results.estimate import Estimate
from benchmark_runner.results.json_facts import (
    config_facts,
    failure_facts,
    interval_facts,
    spread_facts,
)
from benchmark_runner.results.reduced_score import check_repeats
from benchmark_runner.results.report.effort import Effort, efforts
from benchmark_runner.results.report.run_figures import Grouping, RunFigures
from benchmark_runner.results.report.run_page import make_run_page
from benchmark_runner.results.report.runs_page import make_runs_page
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.transcript_store import (
    TranscriptFolder,
    TranscriptsInPage,
)
from benchmark_runner.results.run_view import RunView


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written, with its runs, each compared with the first one.

    ``transcripts`` is the place of the transcripts; ``None`` of several runs, which have none.
    """

    file: Path
    results_dir: Path
    runs: Sequence[RunFigures]
    comparisons: Sequence[Comparison]
    transcripts: TranscriptFolder | TranscriptsInPage | None


def write_report(
    inspection: Inspection, run_ids: Sequence[str], settings: ReportSettings
) -> Report:
    """Write the report of one run, or of several side by side.

    A score by another reduction than the mean stands beside the mean.
    """
    if repeated := sorted({run_id for run_id in run_ids if run_ids.count(run_id) > 1}):
        raise UsageError(
            f"{plural(len(repeated), 'run')} named more than once: {', '.join(repeated)}",
            hint="Name each run once.",
        )
    views = [inspection.open(run_id) for run_id in run_ids]
    for view in views:
        check_repeats(settings.reduction, view.config)
    file = ReportFile(inspection.results_dir, run_ids, settings)
    groupings = [_grouping(inspection, view, settings.by) for view in views]
    texts = SafeText(inspection.redactor)
    listing = ("export", inspection.commands.inspect("export", run_ids[0]))
    comparisons: Sequence[Comparison] = ()
    transcripts = None
    if len(views) == 1:
        commands = _commands(inspection, views[0])
        transcripts = file.transcripts_of(views[0])
        figures, page = make_run_page(
            views[0],
            groupings[0],
            texts,
            file.path,
            commands,
            listing,
            transcripts,
            settings.reduction,
        )
        runs = [figures]
    else:
        runs, comparisons, page = make_runs_page(
            views, groupings, texts, file.path, listing, settings.reduction
        )
    file.write(page)
    return Report(file.path, inspection.results_dir, runs, comparisons, transcripts)


def transcripts_text(report: Report) -> str:
    """Return the lines on the transcripts, for a terminal; empty without any."""
    match report.transcripts:
        case TranscriptFolder() as kept if len(kept):
            return f"Transcripts  {short_path(kept.folder)}"
        case TranscriptsInPage() as kept:
            return kept.note
        case _:
            return ""


def as_json(report: Report) -> dict[str, object]:
    """Return a report for ``--json``."""
    return {
        "output": str(report.file),
        "results_dir": str(report.results_dir),
        "transcripts": _transcripts_as_json(report.transcripts),
        "runs": [_run_as_json(each) for each in report.runs],
        "differences": [_difference_as_json(each) for each in report.comparisons],
    }


def _transcripts_as_json(
    kept: TranscriptFolder | TranscriptsInPage | None,
) -> dict[str, object] | None:
    if kept is None:
        return None
    in_page = isinstance(kept, TranscriptsInPage)
    return {
        "count": len(kept),
        "folder": None if in_page or not len(kept) else str(kept.folder),
        "left_out": [str(key) for key in kept.left_out] if in_page else [],
    }


def _run_as_json(figures: RunFigures) -> dict[str, object]:
    view, scan = figures.side.view, figures.side.scan
    summary, score = figures.summary, figures.score
    bounds, ended = summary.bounds, scan.last_ended
    return {
        "run_id": figures.run_id,
        "benchmark": view.runner.NAME,
        **config_facts(figures.config),
        "tasks_hash": figures.tasks_hash,
        "local": view.local,
        "complete": summary.complete,
        "worked_on_by": figures.worked_on_by,
        "started_at": view.started_at.isoformat(),
        "last_generation_at": ended.isoformat() if ended else None,
        "final_score": score.final_score if score else None,
        "final_score_is_mean": figures.score_is_mean,
        **_estimate_as_json(figures.estimate),
        "spread": spread_facts(summary),
        "noise_floor": summary.noise_floor,
        "reduced": figures.reduced and figures.reduced.facts(),
        "bounds": bounds.model_dump() if bounds else None,
        "counts": summary.counts.model_dump(),
        "states": {state.name.lower(): count for state, count in scan.states.items()},
        "distributions": [asdict(each) for each in figures.distributions],
        "by": figures.grouping.by if figures.grouping else None,
        "groups": [
            {"name": group.name, "total": group.total, **_estimate_as_json(group.estimate)}
            for group in figures.groups
        ],
        "agents": _agents_as_json(figures),
        "failures": failure_facts(summary),
        "cost": summary.spend.dollars,
        "cost_unknown": summary.spend.unknown,
        "tokens": scan.tokens.model_dump(),
        "unreadable": [str(path) for path in scan.unreadable],
    }


def _agents_as_json(figures: RunFigures) -> dict[str, object]:
    agents = figures.agents
    return {
        "tasks_generated": agents.generated,
        "tasks_with_trajectory": agents.with_trajectory,
        "tasks_with_cut_trajectory": agents.cut,
        "tool_calls": agents.calls,
        "failed_tool_calls": agents.failed,
        "tools": [asdict(tool) for tool in agents.tools],
        "other_tools": asdict(agents.others) if agents.others else None,
        "by_turns": None,
        "by_tokens": None,
        **{f"by_{each.unit}": _effort_as_json(each) for each in efforts(figures)},
    }


def _effort_as_json(effort: Effort) -> dict[str, object]:
    return {
        "quarters": [
            {"low": low, "high": high, "total": group.total, **_estimate_as_json(group.estimate)}
            for low, high, group in effort.quarters
        ],
        "unknown": effort.unknown,
    }


def _difference_as_json(comparison: Comparison) -> dict[str, object]:
    difference = comparison.effect.difference if comparison.effect else None
    return {
        "first": comparison.a.view.run_id,
        "second": comparison.b.view.run_id,
        "count": difference.count if difference else 0,
        "mean": difference.mean if difference else None,
        "stderr": difference.standard_error if difference else None,
        "interval": interval_facts(difference.interval) if difference else None,
    }


def _estimate_as_json(estimate: Estimate | None) -> dict[str, object]:
    return {
        "scores": estimate.count if estimate else 0,
        "mean": estimate.mean if estimate else None,
        "interval": interval_facts(estimate.interval) if estimate else None,
    }


def _grouping(inspection: Inspection, view: RunView, by: str | None) -> Grouping | None:
    if by is None:
        return None
    fields = inspection.task_fields(view, [by])
    return Grouping(by, fields.group_of(by), fields.changed)


def _commands(inspection: Inspection, view: RunView) -> dict[str, str]:
    action = "Resume" if view.config.imported is None else "Evaluate"
    commands = {f"{action} this run": inspection.commands.resume(view.config)}
    if (again := inspection.commands.reproduce(view.config)) is not None:
        commands["Repeat it in a new run"] = again
    return commands
