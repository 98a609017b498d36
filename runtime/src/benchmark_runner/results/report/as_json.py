"""The figures of a report as plain JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from benchmark_runner.results.json_facts import config_facts, failure_facts, interval_facts

if TYPE_CHECKING:
    from benchmark_runner._stats.paired_difference import PairedDifference
    from benchmark_runner.results.report.figures import Estimate, RunFigures


def figures_as_json(figures: RunFigures) -> dict[str, object]:
    """What a report says of a run."""
    config, summary, score = figures.config, figures.summary, figures.score
    bounds, ended = summary.bounds, figures.last_ended
    return {
        "run_id": figures.run_id,
        "benchmark": figures.benchmark,
        **config_facts(config),
        "tasks_hash": figures.tasks_hash,
        "local": figures.local,
        "complete": summary.complete,
        "worked_on_by": figures.worked_on_by,
        "started_at": figures.started_at.isoformat(),
        "last_generation_at": ended.isoformat() if ended else None,
        "final_score": score.final_score if score else None,
        "final_score_is_mean": figures.score_is_mean,
        **_estimate(figures.estimate),
        "bounds": bounds.model_dump() if bounds else None,
        "counts": summary.counts.model_dump(),
        "states": {state.name.lower(): count for state, count in figures.states.items()},
        "distributions": [asdict(each) for each in figures.distributions],
        "by": figures.grouping.by if figures.grouping else None,
        "groups": [
            {"name": group.name, "total": group.total, **_estimate(group.estimate)}
            for group in figures.groups
        ],
        "failures": failure_facts(summary),
        "cost": summary.spend.dollars,
        "cost_unknown": summary.spend.unknown,
        "tokens": figures.tokens.model_dump(),
        "unreadable": [str(path) for path in figures.unreadable],
    }


def difference_as_json(
    first: str, second: str, difference: PairedDifference | None
) -> dict[str, object]:
    """How much more the second run scores than the first, on the tasks that both have."""
    return {
        "first": first,
        "second": second,
        "count": difference.count if difference else 0,
        "mean": difference.mean if difference else None,
        "stderr": difference.standard_error if difference else None,
        "interval": interval_facts(difference.interval) if difference else None,
    }


def _estimate(estimate: Estimate | None) -> dict[str, object]:
    return {
        "scores": estimate.count if estimate else 0,
        "mean": estimate.mean if estimate else None,
        "interval": interval_facts(estimate.interval) if estimate else None,
    }
