"""Whether two runs can be compared, and what the comparison shows.

What makes scores mean something else on either side is an obstacle. The verdict is then *not
comparable*, whatever the numbers say:

=======================================  =====================================================
obstacle                                 why
=======================================  =====================================================
no task that both have a score for       there is nothing to compare
another benchmark or payload schema      other tasks, or something else is graded
tasks of another content                 something else was asked; a few tasks may decide
local grades beside deployed ones        other graders, and local scores are not official
another evaluation API                   it may read and rate answers in another way
another evaluator version                the grader or its references have changed
another service, or version of it        where no evaluator version says that they grade alike
a dataset of another name                where a run does not say what its tasks were
B lacks scores that would turn it        counted as 0 they make B worse, left out they do not
=======================================  =====================================================

The last one is about tasks that A has a score for. B has failed on them, or is not there yet;
left out, they would hide that B breaks on them. For the same reason B is only *better* if it is
so with these tasks counted as 0. What A lacks hides nothing that speaks against B.

What may matter, but does not decide, is a warning: few tasks, a part of the dataset, an
incomplete run, a dataset of another name with the same tasks, another address or version of a
service with the same evaluator, and what nothing is known of. What one compares is a difference,
and no obstacle: model, sampling, options, time limit, versions and commits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from benchmark_runner.results.compare.effect import Direction
from benchmark_runner.results.compare.pairing import Because

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from benchmark_runner._run.graded_by import GradedBy
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.results.compare.effect import Comparison, Effect
    from benchmark_runner.results.compare.pairing import Side

#: With fewer tasks, or clusters, an interval is rough.
FEW = 30
#: Facts of a run that are compared, beside its sampling settings and options.
_COMPARED = (
    "generation_version",
    "runner_commit",
    "runner_dirty",
    "runner_version",
    "runtime_version",
    "python_version",
)


class Verdict(StrEnum):
    """What a comparison comes to, in the words that a person reads."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE_SHOWN = "no difference shown"
    NOT_COMPARABLE = "not comparable"


class Concern(StrEnum):
    """What a finding is about."""

    NO_COMMON_SCORES = "no_common_scores"
    PAYLOAD_SCHEMA = "payload_schema"
    TASK_CONTENT = "task_content"
    DATASET_NAME = "dataset_name"
    LOCAL = "local"
    EVALUATION_API = "evaluation_api"
    EVALUATOR_VERSION = "evaluator_version"
    SERVICE = "service"
    SCORES_MISSING_IN_B = "scores_missing_in_b"
    INCOMPLETE = "incomplete"
    PART_OF_DATASET = "part_of_dataset"
    FEW_TASKS = "few_tasks"


@dataclass(frozen=True, slots=True)
class Finding:
    """An obstacle to a comparison, or something to keep in mind.

    Attributes:
        about: What it is about.
        text: A sentence without its end, in which the runs are A and B.
        is_obstacle: Whether the runs are not comparable for it.
        task_ids: The tasks that it is about, where it is about some.
    """

    about: Concern
    text: str
    is_obstacle: bool = False
    task_ids: tuple[str, ...] = ()


class Difference(NamedTuple):
    """A setting or a fact in which the runs differ; ``None`` is not set, or not known."""

    name: str
    a: JsonValue
    b: JsonValue


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be made of a comparison.

    Attributes:
        verdict: In a word.
        reason: Why, in a sentence without its end.
        obstacles: What makes the runs not comparable.
        warnings: What is to be kept in mind.
        differences: What is compared; none where chance alone can make the runs differ.
    """

    verdict: Verdict
    reason: str
    obstacles: list[Finding]
    warnings: list[Finding]
    differences: list[Difference]


def judge(comparison: Comparison) -> Judgement:
    """Say what a comparison shows, if it can show anything."""
    findings = [
        *_of_tasks(comparison),
        *_of_grading(comparison),
        *_of_extent(comparison),
    ]
    obstacles = [finding for finding in findings if finding.is_obstacle]
    if comparison.effect is None or obstacles:
        verdict = Verdict.NOT_COMPARABLE
        reason = "; ".join(finding.text for finding in obstacles)
    else:
        verdict, reason = _verdict(comparison, comparison.effect)
    return Judgement(
        verdict=verdict,
        reason=reason,
        obstacles=obstacles,
        warnings=[finding for finding in findings if not finding.is_obstacle],
        differences=[*_differences(comparison.a.view.config, comparison.b.view.config)],
    )


def _verdict(comparison: Comparison, effect: Effect) -> tuple[Verdict, str]:
    certain = "the 95 % interval of the difference leaves out 0"
    lacking = len(comparison.pairing.lacking_in_b)
    worst_case = comparison.worst_case
    match effect.shows:
        case Direction.WORSE:
            return Verdict.WORSE, f"B scores lower, and {certain}"
        case Direction.BETTER if worst_case is not None and worst_case.shows is effect.shows:
            return Verdict.BETTER, f"B scores higher, and {certain}"
        case Direction.BETTER:
            return Verdict.NO_DIFFERENCE_SHOWN, (
                f"B scores higher where both have a score, but that is not shown with its "
                f"{lacking} task(s) without a score counted as 0"
            )
        case Direction.NOT_SHOWN:
            return Verdict.NO_DIFFERENCE_SHOWN, _why_not_shown(comparison, effect)


def _why_not_shown(comparison: Comparison, effect: Effect) -> str:
    difference, p_value = effect.difference, effect.sign_p_value
    if difference.interval is None:
        of_what = "task" if comparison.clusters is None else "cluster"
        return f"a single {of_what} does not tell how sure the difference is"
    if difference.standard_error == 0 == difference.mean:
        return "each task has the same score in both"
    if 0 in difference.interval:
        return "the 95 % interval of the difference includes 0"
    return (
        f"the exact test does not rule out chance (p = {p_value:.2g}), though the 95 % interval "
        "of the difference leaves out 0"
    )


def _of_tasks(comparison: Comparison) -> Iterator[Finding]:
    pairing = comparison.pairing
    a, b = comparison.a.view.config, comparison.b.view.config
    if comparison.effect is None:
        yield Finding(Concern.NO_COMMON_SCORES, "there is no task that both have a score for", True)
    if a.payload_schema and b.payload_schema and a.payload_schema != b.payload_schema:
        yield Finding(
            Concern.PAYLOAD_SCHEMA,
            f"A has answers of the schema {a.payload_schema}, B of {b.payload_schema}",
            True,
        )
    if changed := pairing.because(Because.OTHER_CONTENT):
        yield Finding(
            Concern.TASK_CONTENT,
            f"{len(changed)} task(s) of the same id have another content in B",
            True,
            tuple(changed),
        )
    if unverified := tuple(pairing.unverified):
        yield Finding(
            Concern.TASK_CONTENT,
            f"of {len(unverified)} compared task(s) it is not recorded whether their content is "
            "the same",
            task_ids=unverified,
        )
    if a.dataset_name and b.dataset_name and a.dataset_name != b.dataset_name:
        yield Finding(
            Concern.DATASET_NAME,
            f"A is of dataset {a.dataset_name}, B of {b.dataset_name}",
            is_obstacle=bool(unverified),
        )


def _of_grading(comparison: Comparison) -> Iterator[Finding]:
    if comparison.effect is None:
        return
    local = {"A": comparison.a.view.local, "B": comparison.b.view.local}
    if {*local.values()} == {True, False}:
        here, there = sorted(local, key=lambda name: not local[name])
        yield Finding(
            Concern.LOCAL,
            f"{here} was graded by an embedded service (local), {there} by a deployed one",
            True,
        )
        return
    for name, value in local.items():
        if value is None:
            text = f"of {name} it is not recorded whether an embedded service graded it"
            yield Finding(Concern.LOCAL, text)
    pairs: dict[tuple[GradedBy, GradedBy], list[str]] = {}
    for task_id in comparison.pairing.a:
        by_a = comparison.a.tasks[task_id].graded_by
        by_b = comparison.b.tasks[task_id].graded_by
        if by_a is not None and by_b is not None:
            pairs.setdefault((by_a, by_b), []).append(task_id)
    for (by_a, by_b), task_ids in pairs.items():
        named = tuple(task_ids) if len(pairs) > 1 else ()
        yield from _of_graders(by_a, by_b, named, embedded=all(local.values()))


def _of_graders(
    a: GradedBy, b: GradedBy, task_ids: tuple[str, ...], *, embedded: bool
) -> Iterator[Finding]:
    text = f"A was graded by {a}, B by {b}"
    if _differ(a.evaluation_api, b.evaluation_api):
        yield Finding(Concern.EVALUATION_API, text, True, task_ids)
    elif _differ(a.evaluator_version, b.evaluator_version):
        yield Finding(Concern.EVALUATOR_VERSION, text, True, task_ids)
    elif _differ(a.service_url, b.service_url) or _differ(a.service_version, b.service_version):
        same_evaluator = a.evaluator_version is not None and b.evaluator_version is not None
        if same_evaluator:  # then that is the only version which the text has
            text += f" (service versions {a.service_version} and {b.service_version})"
        # An embedded service's version is a hash of its grader and the references.
        versions = {a.service_version, b.service_version}
        same_hash = embedded and len(versions) == 1 and None not in versions
        yield Finding(Concern.SERVICE, text, not (same_evaluator or same_hash), task_ids)
    for name, by in {"A": a, "B": b}.items():
        if by.evaluator_version is None and by.service_version is None:
            missing = f"of {name} it is not recorded which version of the grader graded it"
            yield Finding(Concern.EVALUATOR_VERSION, missing, task_ids=task_ids)


def _of_extent(comparison: Comparison) -> Iterator[Finding]:
    effect, worst_case = comparison.effect, comparison.worst_case
    lacking = comparison.pairing.lacking_in_b
    turns = effect is not None and effect.shows is not Direction.WORSE
    if turns and worst_case is not None and worst_case.shows is Direction.WORSE:
        yield Finding(
            Concern.SCORES_MISSING_IN_B,
            f"B has no score for {len(lacking)} task(s) that A has one for; counted as 0, they "
            f"make B worse (a difference of {worst_case.difference.mean:+.2g})",
            True,
            tuple(lacking),
        )
    for name, side in {"A": comparison.a, "B": comparison.b}.items():
        yield from _of_side(name, side)
    if effect is not None and comparison.units < FEW:
        units = "task(s)" if comparison.clusters is None else "cluster(s)"
        yield Finding(
            Concern.FEW_TASKS, f"{comparison.units} {units} are few: the interval is rough"
        )


def _of_side(name: str, side: Side) -> Iterator[Finding]:
    config, summary = side.view.config, side.reading.summary
    if not summary.complete:
        ungraded = summary.counts.total - summary.counts.scored - summary.did_not_complete
        text = f"{name} is not complete: {ungraded} of {summary.counts.total} task(s) are not done"
        yield Finding(Concern.INCOMPLETE, text)
    if config.limit is not None:
        text = f"{name} is the first {len(config.tasks)} of {config.dataset_size} task(s)"
        yield Finding(Concern.PART_OF_DATASET, text)


def _differences(a: RunConfig, b: RunConfig) -> Iterator[Difference]:
    if a.model != b.model:
        yield Difference("model", a.model, b.model)
    yield from _unlike(a.sampling, b.sampling)
    yield from _unlike(a.options, b.options)
    yield from _unlike(*({"timeout": each.operational.get("timeout")} for each in (a, b)))
    yield from _unlike(*(each.model_dump(mode="json", include={*_COMPARED}) for each in (a, b)))


def _unlike(a: Mapping[str, JsonValue], b: Mapping[str, JsonValue]) -> Iterator[Difference]:
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield Difference(name, a.get(name), b.get(name))


def _differ(a: str | None, b: str | None) -> bool:
    """Whether both are known, and different."""
    return bool(a and b and a != b)
