"""The result of ``compare`` and its JSON."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._text import plural
from benchmark_runner.cli.exit_codes import NOT_COMPARABLE, WORSE
from benchmark_runner.cli.inspection import Inspection
from benchmark_runner.results.compare.effect import Comparison, Effect, compare
from benchmark_runner.results.compare.findings import Concern, Finding
from benchmark_runner.results.compare.side import Side, mean_of_known, read_side
from benchmark_runner.results.compare.verdict import Judgement, Verdict, judge
from benchmark_runner.results.grouping import TaskFields
from benchmark_runner.results.json_facts import (
    config_facts,
    grader_facts,
    interval_facts,
    spread_facts,
)
from benchmark_runner.results.reduced_score import check_repeats
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.verdict_text import verdict_facts

_EXIT_CODES = {Verdict.WORSE: WORSE, Verdict.NOT_COMPARABLE: NOT_COMPARABLE}


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """Two runs, compared by the field ``by``, with the values of ``cluster`` as clusters.

    ``ways_out`` holds the command that removes an obstacle, by its subject.
    """

    comparison: Comparison
    judgement: Judgement
    cluster: str | None
    by: str | None
    notes: list[str]
    ways_out: Mapping[Concern, str]

    @property
    def exit_code(self) -> int:
        """The exit code of ``--fail-if-worse``."""
        return _EXIT_CODES.get(self.judgement.verdict, 0)


def compare_runs(
    inspection: Inspection,
    a: str,
    b: str,
    *,
    cluster: str | None,
    by: str | None,
    reduction: Reduction,
) -> ComparisonResult:
    """Compare a candidate with a baseline.

    Args:
        inspection: The benchmark.
        a: The baseline.
        b: The candidate.
        cluster: The field whose values are the clusters, if the tasks are related.
        by: The field whose values are groups, to compare by group, too.
        reduction: The way in which the scores of repeats become those of tasks.
    """
    view_a, view_b = inspection.open(a), inspection.open(b)
    for view in (view_a, view_b):
        check_repeats(reduction, view.config)
    side_a, side_b = (read_side(view, reduction=reduction) for view in (view_a, view_b))
    fields = TaskFields({}, [])
    if names := [*dict.fromkeys(name for name in (cluster, by) if name is not None)]:
        # Both have the compared tasks; those of --problem have no fields.
        view = view_a if view_b.config.task_source == "problem" else view_b
        fields = inspection.task_fields(view, names)
    clusters = _clusters(fields, cluster) if cluster is not None else None
    groups = fields.group_of(by) if by is not None else None
    comparison = compare(side_a, side_b, clusters=clusters, groups=groups)
    compared, notes = comparison.pairing.a, list[str]()
    if count := sum(task_id in compared for task_id in fields.changed):
        notes.append(f"{plural(count, 'compared task')} changed since, maybe in the field, too")
    if clusters and (alone := sum(clusters[each] == (each,) for each in compared)):
        tasks = plural(alone, "compared task")
        notes.append(f"no {cluster} for {tasks}, each a cluster of its own")
    ways_out = _ways_out(inspection, view_a, view_b)
    settled = [side.view.config for side in (side_a, side_b) if not side.scan.summary.is_sample]
    ways_out[Concern.SETTLED] = " && ".join(map(inspection.commands.resume, settled))
    return ComparisonResult(comparison, judge(comparison), cluster, by, notes, ways_out)


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
        "reduce": str(comparison.a.reduction),
        "noise_floor": comparison.noise_floor,
        "compared": len(pairing.a),
        "excluded": [
            {**asdict(each), "because": each.because.name.lower()} for each in pairing.excluded
        ],
        "effect": effect
        and {**_effect_as_json(effect), "minimum_detectable_effect": comparison.detectable},
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
        "verdict": verdict_facts(side.scan.verdict, summary),
        "spread": spread_facts(summary),
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


def _clusters(fields: TaskFields, name: str) -> dict[str, Hashable]:
    # A task without the field is a cluster of its own.
    alone = {task_id: (task_id,) for task_id, value in fields.values[name].items() if value is None}
    return {**fields.group_of(name), **alone}


def _ways_out(inspection: Inspection, a: RunView, b: RunView) -> dict[Concern, str]:
    older = min(a, b, key=lambda view: view.started_at)
    ways = {Concern.SCORES_MISSING_IN_B: inspection.commands.resume(b.config)}
    if a.config.service_url == b.config.service_url:
        regrade = f"{inspection.commands.evaluate(older.config)} --regrade"
        ways |= dict.fromkeys((Concern.EVALUATOR_VERSION, Concern.SERVICE), regrade)
        if older.config.dataset_version_id is None:  # else it stays on its version
            ways[Concern.DATASET_VERSION] = regrade
    sources = [
        (view.config.task_source, view.config.dataset_name, view.config.dataset_file)
        for view in (a, b)
    ]
    is_generated = older.config.task_source != "problem" and older.config.imported is None
    if sources[0] == sources[1] and is_generated:
        ways[Concern.TASK_CONTENT] = inspection.commands.resume(
            older.config, "--accept-changed-tasks"
        )
    return ways
