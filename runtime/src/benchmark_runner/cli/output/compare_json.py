"""The JSON of ``compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.results.compare.side import mean_of_known
from benchmark_runner.results.json_facts import config_facts, grader_facts, interval_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner.cli.output.compare import ComparisonResult
    from benchmark_runner.results.compare.effect import Comparison, Effect
    from benchmark_runner.results.compare.findings import Finding
    from benchmark_runner.results.compare.side import Side


def as_json(result: ComparisonResult) -> dict[str, object]:
    """Return a comparison for ``--json``, with all ids."""
    comparison, judgement = result.comparison, result.judgement
    pairing, effect = comparison.pairing, comparison.effect
    return {
        "results_dir": str(comparison.a.view.artifacts.results_dir),
        "a": _side_as_json(comparison, comparison.a),
        "b": _side_as_json(comparison, comparison.b),
        "verdict": judgement.verdict.replace(" ", "_"),
        "reason": judgement.reason,
        "obstacles": [
            {**_finding_as_json(finding), "way_out": result.ways_out.get(finding.about)}
            for finding in judgement.obstacles
        ],
        "warnings": [_finding_as_json(finding) for finding in judgement.warnings],
        "notes": result.notes,
        "differences": [each._asdict() for each in judgement.differences],
        "compared": len(pairing.a),
        "excluded": [
            {
                "because": each.because.name.lower(),
                "in_a": each.in_a,
                "in_b": each.in_b,
                "task_ids": each.task_ids,
            }
            for each in pairing.excluded
        ],
        "effect": effect and _effect_as_json(effect),
        "worst_case": comparison.worst_case and _effect_as_json(comparison.worst_case),
        "cluster": result.cluster,
        "clusters": comparison.clusters,
        "higher": _changes_as_json(comparison, comparison.higher),
        "lower": _changes_as_json(comparison, comparison.lower),
        "by": result.by,
        "groups": [
            {"group": name, **_effect_as_json(each)} for name, each in comparison.groups.items()
        ],
    }


def _side_as_json(comparison: Comparison, side: Side) -> dict[str, object]:
    config, summary, score = side.view.config, side.scan.summary, side.scan.score
    compared = [side.tasks[task_id] for task_id in comparison.pairing.a]
    cost, with_cost = mean_of_known(task.cost for task in compared)
    seconds, with_seconds = mean_of_known(task.seconds for task in compared)
    return {
        "run_id": side.view.run_id,
        **config_facts(config),
        "local": side.view.local,
        "complete": summary.complete,
        "final_score": score.final_score if score else None,
        "mean": summary.mean,
        "stderr": summary.stderr,
        "counts": summary.counts.model_dump(),
        "graded_by": grader_facts(summary),
        "cost": side.cost.total,
        "cost_unknown": side.cost.unknown,
        "cost_per_compared_task": cost,
        "compared_with_cost": with_cost,
        "generation_seconds": side.seconds.total,
        "generation_seconds_unknown": side.seconds.unknown,
        "seconds_per_compared_task": seconds,
        "compared_with_seconds": with_seconds,
        "unreadable": [str(path) for path in side.scan.unreadable],
    }


def _effect_as_json(effect: Effect) -> dict[str, object]:
    difference = effect.difference
    return {
        "count": difference.count,
        "mean_a": effect.mean_a,
        "mean_b": effect.mean_b,
        "difference": difference.mean,
        "stderr": difference.standard_error,
        "interval": interval_facts(difference.interval),
        "minimum_detectable_effect": effect.detectable,
        "sign_test_p_value": effect.sign_p_value,
        "pass_fail": effect.pass_fail and effect.pass_fail._asdict(),
    }


def _finding_as_json(finding: Finding) -> dict[str, object]:
    return {"about": finding.about, "text": finding.text, "task_ids": finding.task_ids}


def _changes_as_json(comparison: Comparison, task_ids: Sequence[str]) -> list[dict[str, object]]:
    a, b = comparison.pairing.a, comparison.pairing.b
    return [{"task_id": each, "a": a[each], "b": b[each]} for each in task_ids]
