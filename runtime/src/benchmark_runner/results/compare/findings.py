"""The obstacles to a comparison of two runs, and the warnings about it.

An obstacle makes scores mean something else on either side. A warning may matter, and does not
decide. What one compares (model, sampling, options, versions) is neither; see
:class:`~benchmark_runner.results.compare.verdict.Difference`.

=======================  ===========================================  ==========================
concern                  obstacle                                     warning
=======================  ===========================================  ==========================
``no_common_scores``     no task has a score in both
``no_task_score``        of no task ``task_score()`` knows one  of some tasks it knows none
``payload_schema``       something else is graded
``task_content``         tasks of one id have other content           content is not recorded
``dataset_name``         other name, and content not recorded         other name, same content
``dataset_version``      another major one, or one without numbers    another minor one or patch,
                                                                      two of one label
``local``                local grades beside deployed ones            not recorded
``evaluation_api``       another API may rate answers otherwise
``evaluator_version``    the grader or its references have changed    not recorded
``service``              another one, no version says it is alike     another one, same evaluator
``scores_missing_in_b``  counted as 0 they make B worse
``settled``              it stopped at a question
``incomplete``                                                        tasks are not done
``repeats_missing``                                                   tasks with fewer repeats
``part_of_dataset``                                                   ``--limit``
``few_tasks``                                                         the interval is rough
``repeats``              maxima of unequal numbers of repeats
=======================  ===========================================  ==========================

Tasks with a score in A only would, left out, hide that B breaks on them. Those with a score in
B only hide nothing that speaks against B.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._stats.reduction import ReductionKind
from benchmark_runner._text import plural
from benchmark_runner.results.compare.effect import Comparison, Direction
from benchmark_runner.results.compare.pairing import ExclusionReason
from benchmark_runner.results.compare.side import Side
from benchmark_runner.results.phrases import first_of
from benchmark_runner.results.verdict_text import answer_text

__all__ = ["Concern", "Finding", "find"]

#: A version number, such as ``1.2.0`` or ``v2.1``; no date.
_VERSION = re.compile(r"v?(\d+)(?:(?:\.\d+){1,2}(?:[-+][\w.+-]+)?)?", re.ASCII)
#: With fewer tasks, or clusters, an interval is rough.
_FEW = 30


class Concern(StrEnum):
    """The subject of a finding."""

    NO_COMMON_SCORES = "no_common_scores"
    NO_TASK_SCORE = "no_task_score"
    PAYLOAD_SCHEMA = "payload_schema"
    TASK_CONTENT = "task_content"
    DATASET_NAME = "dataset_name"
    DATASET_VERSION = "dataset_version"
    LOCAL = "local"
    EVALUATION_API = "evaluation_api"
    EVALUATOR_VERSION = "evaluator_version"
    SERVICE = "service"
    SCORES_MISSING_IN_B = "scores_missing_in_b"
    SETTLED = "settled"
    INCOMPLETE = "incomplete"
    REPEATS_MISSING = "repeats_missing"
    PART_OF_DATASET = "part_of_dataset"
    FEW_TASKS = "few_tasks"
    REPEATS = "repeats"


#: The fields of a grader in which two may differ; the first concern with a difference counts.
_GRADER_FIELDS = {
    Concern.EVALUATION_API: ("evaluation_api",),
    Concern.EVALUATOR_VERSION: ("evaluator_version",),
    Concern.SERVICE: ("service_url", "service_version"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """An obstacle to a comparison, or a warning about it.

    Attributes:
        about: The subject.
        text: A sentence without its end, in which the runs are A and B.
        task_ids: The tasks that it is about, where it is about some.
    """

    about: Concern
    text: str
    is_obstacle: bool = False
    task_ids: tuple[str, ...] = ()


def find(comparison: Comparison) -> list[Finding]:
    """Return all obstacles and warnings."""
    parts = (_of_tasks, _of_repeats, _of_grading, _of_extent)
    return [finding for part in parts for finding in part(comparison)]


def _of_tasks(comparison: Comparison) -> Iterator[Finding]:
    pairing = comparison.pairing
    a, b = comparison.a.view.config, comparison.b.view.config
    if not pairing.a:
        yield Finding(Concern.NO_COMMON_SCORES, "there is no task that both have a score for", True)
    for name, side in comparison.sides.items():
        if unknown := tuple(map(str, side.scan.summary.without_score)):
            results = plural(len(unknown), "result")
            text = f"task_score() in runner/benchmark.py finds no score in {results}"
            knows_none = len(unknown) == side.scan.summary.counts.scored
            yield Finding(Concern.NO_TASK_SCORE, f"{text} of {name}", knows_none, unknown)
    if _differ(a.payload_schema, b.payload_schema):
        text = f"A has answers of the schema {a.payload_schema}, B of {b.payload_schema}"
        yield Finding(Concern.PAYLOAD_SCHEMA, text, True)
    if changed := pairing.because(ExclusionReason.OTHER_CONTENT):
        text = f"B has other content for {plural(len(changed), 'task')} of the same id"
        yield Finding(Concern.TASK_CONTENT, text, True, tuple(changed))
    if unverified := tuple(pairing.unverified):
        tasks = plural(len(unverified), "compared task")
        text = f"of {tasks} it is not recorded whether the content is the same"
        yield Finding(Concern.TASK_CONTENT, text, task_ids=unverified)
    if _differ(a.dataset_name, b.dataset_name):
        text = f"A is of dataset {a.dataset_name}, B of {b.dataset_name}"
        yield Finding(Concern.DATASET_NAME, text, is_obstacle=bool(unverified))
    ids = a.dataset_version_id, b.dataset_version_id
    if a.dataset_version == b.dataset_version and _differ(*ids):
        text = f"the service has two versions called {a.dataset_version}, of which A is of one"
        yield Finding(Concern.DATASET_VERSION, f"{text} and B of the other")


def _of_repeats(comparison: Comparison) -> Iterator[Finding]:
    a, b = comparison.a, comparison.b
    if a.reduction.kind is ReductionKind.MAX:
        unequal = [
            task_id
            for task_id in comparison.pairing.a
            if a.tasks[task_id].scored != b.tasks[task_id].scored
        ]
        if unequal:
            text = f"of {plural(len(unequal), 'task')} A and B have unequal numbers of repeats"
            yield Finding(
                Concern.REPEATS, f"{text}, and a maximum grows with them", True, tuple(unequal)
            )


def _of_grading(comparison: Comparison) -> Iterator[Finding]:
    if not comparison.pairing.a:
        return
    local = {"A": comparison.a.view.local, "B": comparison.b.view.local}
    if {*local.values()} == {True, False}:
        here, there = sorted(local, key=lambda name: not local[name])
        text = f"{here} was evaluated by an embedded service (local), {there} by a deployed one"
        yield Finding(Concern.LOCAL, text, True)
        return
    for name, value in local.items():
        if value is None:
            text = f"of {name} it is not recorded whether an embedded service evaluated it"
            yield Finding(Concern.LOCAL, text)
    pairs: dict[tuple[GradedBy, ...], list[str]] = {}
    for task_id in comparison.pairing.a:
        graders = (side.tasks[task_id].graders for side in (comparison.a, comparison.b))
        for both in product(*graders):
            pairs.setdefault(both, []).append(task_id)
    for (by_a, by_b), task_ids in pairs.items():
        named = tuple(task_ids) if len(pairs) > 1 else ()
        yield from _of_graders(by_a, by_b, named, embedded=all(local.values()))


def _of_graders(
    a: GradedBy, b: GradedBy, task_ids: tuple[str, ...], *, embedded: bool
) -> Iterator[Finding]:
    is_other_dataset = _differ(a.dataset_version, b.dataset_version)
    if is_other_dataset:
        versions = f"{a.dataset_version}", f"{b.dataset_version}"
        text = "A was evaluated with dataset version {}, B with {}".format(*versions)
        yield Finding(Concern.DATASET_VERSION, text, not _is_same_major(*versions), task_ids)
    for concern, names in _GRADER_FIELDS.items():
        if any(_differ(getattr(a, name), getattr(b, name)) for name in names):
            text, is_obstacle = f"A was evaluated by {a}, B by {b}", True
            if concern is Concern.SERVICE:
                same_evaluator = a.evaluator_version is not None and b.evaluator_version is not None
                if same_evaluator:  # then that is the only version which the text has
                    text += f" (service versions {a.service_version} and {b.service_version})"
                # An embedded service's version is a hash of its grader and the references.
                versions = {a.service_version, b.service_version}
                same_hash = embedded and len(versions) == 1 and None not in versions
                is_obstacle = not (same_evaluator or same_hash)
            # The references differ in each version of the dataset, and the hash with them.
            if embedded and is_other_dataset and concern is not Concern.EVALUATION_API:
                is_obstacle = False
            yield Finding(concern, text, is_obstacle, task_ids)
            break
    for name, by in {"A": a, "B": b}.items():
        if by.evaluator_version is None and by.service_version is None:
            text = f"of {name} it is not recorded which version of the grader evaluated it"
            yield Finding(Concern.EVALUATOR_VERSION, text, task_ids=task_ids)


def _of_extent(comparison: Comparison) -> Iterator[Finding]:
    effect, worst_case = comparison.effect, comparison.worst_case
    lacking = comparison.pairing.lacking_in_b
    turns = effect is not None and effect.shows is not Direction.WORSE
    if turns and worst_case is not None and worst_case.shows is Direction.WORSE:
        text = (
            f"B has no score for {comparison.pairing.lacking_text} that A has one for; counting "
            f"each as 0 makes B worse (a difference of {worst_case.difference.mean:+.2g})"
        )
        task_ids = (*lacking, *comparison.pairing.partly_in_b)
        yield Finding(Concern.SCORES_MISSING_IN_B, text, True, task_ids)
    for name, side in comparison.sides.items():
        yield from _of_side(name, side, comparison.pairing.a)
    if effect is not None and comparison.units < _FEW:
        unit = "task" if comparison.clusters is None else "cluster"
        text = f"the interval is rough with only {plural(comparison.units, unit)}"
        yield Finding(Concern.FEW_TASKS, text)


def _of_side(name: str, side: Side, compared: Iterable[str]) -> Iterator[Finding]:
    config, summary = side.view.config, side.scan.summary
    noun = "task" if config.repeats == 1 else "generation"
    if not summary.is_sample:
        verdict = side.scan.verdict
        answer = f" ({answer})" if verdict and (answer := answer_text(verdict)) else ""
        text = (
            f"{name} stops once its question is settled{answer}, and its scores so far are no "
            "sample"
        )
        yield Finding(Concern.SETTLED, text, True)
    elif not summary.complete:
        total = summary.counts.total
        ungraded = total - summary.counts.scored - summary.did_not_complete
        text = f"{name} is not complete, with {ungraded:,} of {plural(total, noun)} not done"
        yield Finding(Concern.INCOMPLETE, text)
    if lacking := tuple(each for each in compared if side.tasks[each].scored < config.repeats):
        text = f"not all {config.repeats} repeats of {plural(len(lacking), 'task')} have a score"
        yield Finding(Concern.REPEATS_MISSING, f"{text} in {name}", task_ids=lacking)
    if part := first_of(config):
        yield Finding(Concern.PART_OF_DATASET, f"{name} is the {part} tasks")


def _is_same_major(a: str, b: str) -> bool:
    """Return True if both are versions in the sense of semver, with the same major number."""
    in_a, in_b = _VERSION.fullmatch(a), _VERSION.fullmatch(b)
    return bool(in_a and in_b and int(in_a[1]) == int(in_b[1]))


def _differ(a: str | None, b: str | None) -> bool:
    """Return True if both are known, and different."""
    return bool(a and b and a != b)
