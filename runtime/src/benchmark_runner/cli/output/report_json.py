"""The JSON of ``report``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmark_runner.results.json_facts import config_facts, failure_facts, interval_facts

if TYPE_CHECKING:
    from benchmark_runner.cli.output.report import Report
    from benchmark_runner.results.compare.effect import Comparison
    from benchmark_runner.results.report.run_figures import Estimate, RunFigures


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
        "bounds": bounds.model_dump() if bounds else None,
        "counts": summary.counts.model_dump(),
        "states": {state.name.lower(): count for state, count in scan.states.items()},
        "distributions": [asdict(each) for each in figures.distributions],
        "by": figures.grouping.by if figures.grouping else None,
        "groups": [
            {"name": group.name, "total": group.total, **_estimate_as_json(group.estimate)}
            for group in figures.groups
        ],
        "failures": failure_facts(summary),
        "cost": summary.spend.dollars,
        "cost_unknown": summary.spend.unknown,
        "tokens": scan.tokens.model_dump(),
        "unreadable": [str(path) for path in scan.unreadable],
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
