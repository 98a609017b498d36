"""The result of ``compare``, which :mod:`compare_text` and :mod:`compare_json` render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner.cli.exit_codes import NOT_COMPARABLE, WORSE
from benchmark_runner.results.compare.effect import compare
from benchmark_runner.results.compare.findings import Concern
from benchmark_runner.results.compare.side import read_side
from benchmark_runner.results.compare.verdict import Verdict, judge
from benchmark_runner.results.grouping import group_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from pydantic import JsonValue

    from benchmark_runner.cli.inspection import Inspection
    from benchmark_runner.results.compare.effect import Comparison
    from benchmark_runner.results.compare.verdict import Judgement
    from benchmark_runner.results.run_view import RunView

_EXIT_CODES = {Verdict.WORSE: WORSE, Verdict.NOT_COMPARABLE: NOT_COMPARABLE}


@dataclass(frozen=True, slots=True)
class ComparisonResult:
    """Two runs, compared.

    Attributes:
        comparison: The two runs and the difference between them.
        judgement: The verdict.
        cluster: The field whose values are the clusters.
        by: The field whose values are the groups.
        notes: Remarks on the fields.
        ways_out: The command that removes an obstacle, by its subject.
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
    inspection: Inspection, a: str, b: str, *, cluster: str | None, by: str | None
) -> ComparisonResult:
    """Compare two runs.

    Args:
        inspection: The benchmark.
        a: The baseline.
        b: The candidate.
        cluster: The field whose values are the clusters, if the tasks are related.
        by: The field whose values are groups, to compare by group, too.

    Raises:
        BenchmarkRunnerError: a run or a field can't be read.
    """
    view_a, view_b = inspection.open(a), inspection.open(b)
    side_a, side_b = read_side(view_a), read_side(view_b)
    values: Mapping[str, Mapping[str, JsonValue]] = {}
    changed: list[str] = []
    if names := [*dict.fromkeys(name for name in (cluster, by) if name is not None)]:
        # Both have the compared tasks; those of --problem have no fields.
        view = view_a if view_b.config.task_source == "problem" else view_b
        fields = inspection.task_fields(view, names)
        values, changed = fields.values, fields.changed
    clusters = _clusters(values[cluster]) if cluster is not None else None
    groups = {each: group_name(value) for each, value in values[by].items()} if by else None
    comparison = compare(side_a, side_b, clusters=clusters, groups=groups)
    compared, notes = comparison.pairing.a, list[str]()
    if count := sum(task_id in compared for task_id in changed):
        notes.append(f"{count} compared task(s) have changed since, maybe in the field, too")
    if clusters and (alone := sum(clusters[each] == (each,) for each in compared)):
        notes.append(f"{alone} compared task(s) have no {cluster}: each is a cluster of its own")
    ways_out = _ways_out(inspection, view_a, view_b)
    return ComparisonResult(comparison, judge(comparison), cluster, by, notes, ways_out)


def _clusters(values: Mapping[str, JsonValue]) -> dict[str, Hashable]:
    # A task without the field is a cluster of its own.
    return {
        task_id: (task_id,) if value is None else group_name(value)
        for task_id, value in values.items()
    }


def _ways_out(inspection: Inspection, a: RunView, b: RunView) -> dict[Concern, str]:
    older = min(a, b, key=lambda view: view.started_at)
    ways = {Concern.SCORES_MISSING_IN_B: inspection.commands.resume(b.config)}
    if a.config.service_url == b.config.service_url:
        regrade = f"{inspection.commands.evaluate(older.config)} --regrade"
        ways |= dict.fromkeys((Concern.EVALUATOR_VERSION, Concern.SERVICE), regrade)
    sources = [
        (view.config.task_source, view.config.dataset_name, view.config.dataset_file)
        for view in (a, b)
    ]
    if sources[0] == sources[1] and older.config.task_source != "problem":
        ways[Concern.TASK_CONTENT] = inspection.commands.resume(
            older.config, "--accept-changed-tasks"
        )
    return ways
