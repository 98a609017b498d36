"""Two runs beside each other, as ``compare`` makes them, and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from benchmark_runner.results.compare.effect import compare, mean_of_known
from benchmark_runner.results.compare.pairing import pair, read_side
from benchmark_runner.results.compare.verdict import Concern, Verdict, judge
from benchmark_runner.results.grouping import group_name
from benchmark_runner.results.json_facts import config_facts, grader_facts

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from pydantic import JsonValue

    from benchmark_runner.cli.inspect import Looking
    from benchmark_runner.results.compare.effect import Comparison, Effect
    from benchmark_runner.results.compare.pairing import Side
    from benchmark_runner.results.compare.verdict import Finding, Judgement
    from benchmark_runner.results.run_view import RunView

_EXIT_CODES = {Verdict.WORSE: 3, Verdict.NOT_COMPARABLE: 4}


@dataclass(frozen=True, slots=True)
class Made:
    """What ``compare`` says.

    Attributes:
        comparison: The two runs.
        judgement: What is to be made of it.
        cluster: The field whose values are the clusters.
        by: The field whose values are the groups.
        notes: What is to be known about the fields.
        ways_out: A command that removes an obstacle, by what that is about.
    """

    comparison: Comparison
    judgement: Judgement
    cluster: str | None
    by: str | None
    notes: list[str]
    ways_out: Mapping[Concern, str]


def made_of(looking: Looking, a: str, b: str, *, cluster: str | None, by: str | None) -> Made:
    """Compare two runs.

    Args:
        looking: The benchmark.
        a: The baseline.
        b: The candidate.
        cluster: The field whose values are the clusters, if the tasks are related.
        by: The field whose values are groups to be compared, too.

    Raises:
        BenchmarkRunnerError: a run or a field can't be read.
    """
    view_a, view_b = looking.open(a), looking.open(b)
    side_a, side_b = read_side(view_a), read_side(view_b)
    pairing = pair(side_a, side_b)
    values: Mapping[str, Mapping[str, JsonValue]] = {}
    notes: list[str] = []
    if names := [*dict.fromkeys(name for name in (cluster, by) if name is not None)]:
        # Both have the compared tasks; those of --problem have no fields.
        view = view_a if view_b.config.task_source == "problem" else view_b
        fields = looking.task_fields(view, names)
        values = fields.values
        if changed := sum(task_id in pairing.a for task_id in fields.changed):
            notes.append(f"{changed} compared task(s) have changed since, maybe in the field, too")
    clusters = _clusters(values[cluster]) if cluster is not None else None
    if clusters and (alone := sum(clusters[each] == (each,) for each in pairing.a)):
        notes.append(f"{alone} compared task(s) have no {cluster}: each is a cluster of its own")
    groups = {each: group_name(value) for each, value in values[by].items()} if by else None
    comparison = compare(side_a, side_b, pairing, clusters=clusters, groups=groups)
    ways_out = _ways_out(looking, view_a, view_b)
    return Made(comparison, judge(comparison), cluster, by, notes, ways_out)


def exit_code(made: Made) -> int:
    """What ``--fail-if-worse`` ends with."""
    return _EXIT_CODES.get(made.judgement.verdict, 0)


def as_json(made: Made) -> dict[str, object]:
    """The same for ``--json``, with all ids."""
    comparison, judgement = made.comparison, made.judgement
    pairing, effect = comparison.pairing, comparison.effect
    return {
        "results_dir": str(comparison.a.view.artifacts.results_dir),
        "a": _side_as_json(comparison, comparison.a),
        "b": _side_as_json(comparison, comparison.b),
        "verdict": judgement.verdict.replace(" ", "_"),
        "reason": judgement.reason,
        "obstacles": [
            {**_finding_as_json(finding), "way_out": made.ways_out.get(finding.about)}
            for finding in judgement.obstacles
        ],
        "warnings": [_finding_as_json(finding) for finding in judgement.warnings],
        "notes": made.notes,
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
        "cluster": made.cluster,
        "clusters": comparison.clusters,
        "higher": _changes_as_json(comparison, comparison.higher),
        "lower": _changes_as_json(comparison, comparison.lower),
        "by": made.by,
        "groups": [
            {"group": name, **_effect_as_json(each)} for name, each in comparison.groups.items()
        ],
    }


def _clusters(values: Mapping[str, JsonValue]) -> dict[str, Hashable]:
    # What does not say where it belongs stands for itself.
    return {
        task_id: (task_id,) if value is None else group_name(value)
        for task_id, value in values.items()
    }


def _ways_out(looking: Looking, a: RunView, b: RunView) -> dict[Concern, str]:
    older = min(a, b, key=lambda view: view.started_at)
    ways = {Concern.SCORES_MISSING_IN_B: looking.resume_command(b)}
    if a.config.service_url == b.config.service_url:
        regrade = f"{looking.evaluate_command(older)} --regrade"
        ways |= dict.fromkeys((Concern.EVALUATOR_VERSION, Concern.SERVICE), regrade)
    sources = [
        (view.config.task_source, view.config.dataset_name, view.config.dataset_file)
        for view in (a, b)
    ]
    if sources[0] == sources[1] and older.config.task_source != "problem":
        ways[Concern.TASK_CONTENT] = looking.resume_command(older, "--accept-changed-tasks")
    return ways


def _side_as_json(comparison: Comparison, side: Side) -> dict[str, object]:
    config, summary, score = side.view.config, side.reading.summary, side.reading.score
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
        "unreadable": [str(path) for path in side.reading.unreadable],
    }


def _effect_as_json(effect: Effect) -> dict[str, object]:
    difference, interval = effect.difference, effect.difference.interval
    return {
        "count": difference.count,
        "mean_a": effect.mean_a,
        "mean_b": effect.mean_b,
        "difference": difference.mean,
        "stderr": difference.standard_error,
        "interval": interval and asdict(interval),
        "minimum_detectable_effect": effect.detectable,
        "sign_test_p_value": effect.sign_p_value,
        "pass_fail": effect.pass_fail and effect.pass_fail._asdict(),
    }


def _finding_as_json(finding: Finding) -> dict[str, object]:
    return {"about": finding.about, "text": finding.text, "task_ids": finding.task_ids}


def _changes_as_json(comparison: Comparison, task_ids: Sequence[str]) -> list[dict[str, object]]:
    a, b = comparison.pairing.a, comparison.pairing.b
    return [{"task_id": each, "a": a[each], "b": b[each]} for each in task_ids]
