"""The report of one run or several, written to its file, and its JSON."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._text import plural
from benchmark_runner.artifacts.atomic_file import open_atomically
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.cli.inspection import Inspection
from benchmark_runner.cli.validation import check_output
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
from benchmark_runner.results.run_view import RunView

_NAME = "report.html"
_SUFFIXES = frozenset({".html", ".htm"})
#: The temporary file beside it has a longer name, and file systems allow 255 bytes.
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written, with its runs, each compared with the first one."""

    file: Path
    results_dir: Path
    runs: Sequence[RunFigures]
    comparisons: Sequence[Comparison]


def write_report(
    inspection: Inspection,
    run_ids: Sequence[str],
    output: Path | None,
    by: str | None,
    reduction: Reduction,
) -> Report:
    """Write the report of one run, or of several side by side, grouped by the field ``by``.

    A score by another ``reduction`` than the mean stands beside the mean.
    """
    if repeated := sorted({run_id for run_id in run_ids if run_ids.count(run_id) > 1}):
        raise UsageError(
            f"{plural(len(repeated), 'run')} named more than once: {', '.join(repeated)}",
            hint="Name each run once.",
        )
    views = [inspection.open(run_id) for run_id in run_ids]
    for view in views:
        check_repeats(reduction, view.config)
    file = _file_for(inspection, run_ids, output)
    groupings = [_grouping(inspection, view, by) for view in views]
    texts = SafeText(inspection.redactor)
    listing = ("export", inspection.commands.inspect("export", run_ids[0]))
    comparisons: Sequence[Comparison] = ()
    if len(views) == 1:
        commands = _commands(inspection, views[0])
        figures, page = make_run_page(
            views[0], groupings[0], texts, file, commands, listing, reduction
        )
        runs = [figures]
    else:
        runs, comparisons, page = make_runs_page(views, groupings, texts, file, listing, reduction)
    _write(inspection.results_dir, file, page)
    return Report(file, inspection.results_dir, runs, comparisons)


def as_json(report: Report) -> dict[str, object]:
    """Return a report for ``--json``."""
    return {
        "output": str(report.file),
        "results_dir": str(report.results_dir),
        "runs": [_run_as_json(each) for each in report.runs],
        "differences": [_difference_as_json(each) for each in report.comparisons],
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
    commands = {"Resume this run": inspection.commands.resume(view.config)}
    if (again := inspection.commands.reproduce(view.config)) is not None:
        commands["Repeat it in a new run"] = again
    return commands


def _file_for(inspection: Inspection, run_ids: Sequence[str], output: Path | None) -> Path:
    if output is None:
        file = _default_file(inspection.results_dir, run_ids)
        check_output(file, str(file), "Give another place with --output FILE.")
        return file
    named = f"--output {output}"
    if output.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"{named}: a report is HTML", hint="Give a name that ends in .html.")
    check_output(output, named, "Give the name of a file.")
    return Path(os.path.abspath(output))  # noqa: PTH100 (which keeps "..")


def _default_file(results_dir: Path, run_ids: Sequence[str]) -> Path:
    if len(run_ids) == 1:
        return results_dir / run_ids[0] / _NAME
    file = results_dir / f"report-{'+'.join(run_ids)}.html"
    if len(file.name.encode()) > _LONGEST_NAME:
        raise UsageError(
            f"there is no short name for a report of {len(run_ids)} runs",
            hint="Give it one with --output FILE.",
        )
    return file


def _write(results_dir: Path, file: Path, content: bytes) -> None:
    inside = _path_inside(results_dir, file)
    if inside is not None:
        Storage(results_dir).write(inside, content, alone=False)
        return
    with open_atomically(file) as target:
        target.write(content)


def _path_inside(results_dir: Path, file: Path) -> Path | None:
    """Return the place of a file below the results folder, by its name or its real path."""
    real = file.parent.resolve() / file.name
    for path, root in ((file, results_dir), (real, results_dir.resolve())):
        if path.is_relative_to(root):
            return results_dir / path.relative_to(root)
    return None
