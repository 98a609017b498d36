"""The verdict on a comparison: better, worse, no difference shown, or not comparable.

An obstacle makes two runs not comparable, whatever the numbers say. B is *better* only if that
holds, too, with the tasks that have a score in A only counted as 0, and if the difference is larger
than what two single runs of one thing may have, where repeats tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pydantic import JsonValue

from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.results.compare.effect import Comparison, Direction, Effect
from benchmark_runner.results.compare.findings import Finding, find

__all__ = ["Difference", "Judgement", "Verdict", "judge"]

#: Facts of a run that are compared, beside its sampling settings and options.
_COMPARED = (
    "generation_version",
    "runner_commit",
    "runner_dirty",
    "runner_version",
    "runtime_version",
    "python_version",
)
#: The remark on so many runs without repeats.
_SINGLE = {
    1: "{} is one run, which does not show how much it varies from run to run.",
    2: "One run each does not show how much each varies from run to run.",
}


class Verdict(StrEnum):
    """The result of a comparison in a word or two."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE_SHOWN = "no difference shown"
    NOT_COMPARABLE = "not comparable"


class Difference(NamedTuple):
    """A setting or a fact in which the runs differ; ``None`` is not set, or not known."""

    name: str
    a: JsonValue
    b: JsonValue


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on a comparison and its grounds.

    Attributes:
        reason: The reason for it, in a sentence without its end.
        differences: The settings and facts that differ; without any, only chance can.
        single: The runs, A or B, that do not show how much they vary: none of their tasks has
            several repeats with a score.
    """

    verdict: Verdict
    reason: str
    obstacles: list[Finding]
    warnings: list[Finding]
    differences: list[Difference]
    single: list[str]

    @property
    def remarks(self) -> list[str]:
        """The sentences that keep a verdict from being read as more than it is."""
        remarks = [_SINGLE[len(self.single)].format(*self.single)] if self.single else []
        if self.verdict is Verdict.NO_DIFFERENCE_SHOWN:
            remarks.insert(0, "That does not show that they are alike.")
        return [] if self.verdict is Verdict.NOT_COMPARABLE else remarks


def judge(comparison: Comparison) -> Judgement:
    """Return the verdict on a comparison."""
    findings, sides = find(comparison), comparison.sides
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
        single=[name for name, side in sides.items() if side.scan.summary.within is None],
    )


def _verdict(comparison: Comparison, effect: Effect) -> tuple[Verdict, str]:
    certain = "the 95 % interval of the difference leaves out 0"
    worst_case = comparison.worst_case
    match effect.shows:
        case Direction.WORSE:
            return Verdict.WORSE, f"B scores lower, and {certain}"
        case Direction.BETTER if comparison.is_noise:
            return Verdict.NO_DIFFERENCE_SHOWN, (
                "B scores higher, but by no more than two single runs of one thing differ by "
                f"chance, which is up to {comparison.noise_floor:.2g}; only more tasks lower that"
            )
        case Direction.BETTER if worst_case is not None and worst_case.shows is effect.shows:
            return Verdict.BETTER, f"B scores higher, and {certain}"
        case Direction.BETTER:
            lacking = comparison.pairing.lacking_text
            return Verdict.NO_DIFFERENCE_SHOWN, (
                "B scores higher where both have a score, but that is not shown with its "
                f"{lacking} without a score counted as 0"
            )
        case Direction.NOT_SHOWN:
            return Verdict.NO_DIFFERENCE_SHOWN, _not_shown_text(comparison, effect)


def _not_shown_text(comparison: Comparison, effect: Effect) -> str:
    difference = effect.difference
    if difference.interval is None:
        of_what = "task" if comparison.clusters is None else "cluster"
        return f"a single {of_what} does not tell how sure the difference is"
    if difference.standard_error == 0 == difference.mean:
        return "each task has the same score in both"
    if 0 in difference.interval:
        return "the 95 % interval of the difference includes 0"
    return (
        f"the exact test does not rule out chance (p = {effect.sign_p_value:.2g}), though the "
        "95 % interval of the difference leaves out 0"
    )


def _differences(a: RunConfig, b: RunConfig) -> Iterator[Difference]:
    if a.model != b.model:
        yield Difference("model", a.model, b.model)
    yield from _unlike(*({"imported": each.imported is not None} for each in (a, b)))
    yield from _unlike(a.sampling, b.sampling)
    yield from _unlike(a.options, b.options)
    yield from _unlike(*({"timeout": each.operational.get("timeout")} for each in (a, b)))
    yield from _unlike(*(each.model_dump(mode="json", include={*_COMPARED}) for each in (a, b)))


def _unlike(a: Mapping[str, JsonValue], b: Mapping[str, JsonValue]) -> Iterator[Difference]:
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield Difference(name, a.get(name), b.get(name))
