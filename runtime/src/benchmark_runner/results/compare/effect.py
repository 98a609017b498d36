"""The difference of two runs on the tasks with a score in both, and how certain it is.

A is the baseline, B the candidate; a difference is B less A, and a higher score is better.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from benchmark_runner._stats.means import is_pass_fail, mean
from benchmark_runner._stats.paired_difference import (
    PairedDifference,
    exact_mcnemar,
    minimum_detectable_effect,
    paired_difference,
)
from benchmark_runner._stats.reduction import ReductionKind
from benchmark_runner._stats.variance import WithinVariance, noise_floor, pooled_within
from benchmark_runner.results.compare.pairing import Pairing, pair
from benchmark_runner.results.compare.side import Side

__all__ = ["Comparison", "Direction", "Effect", "PassFail", "compare", "measure"]

#: A result that is less probable by chance is not put down to chance.
_SIGNIFICANCE = 0.05


class PassFail(NamedTuple):
    """The number of tasks that were passed (1) or failed (0) in both runs, or passed in one only.

    ``p_value`` is that of the exact McNemar test: the probability of changes as uneven by chance.
    """

    both_passed: int
    both_failed: int
    only_a: int
    only_b: int
    p_value: float


class Direction(StrEnum):
    """The direction in which B is shown to differ."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """The difference of B from A on some tasks.

    Attributes:
        mean_a: Mean of A on these tasks.
        mean_b: Mean of B.
        difference: B less A, with its error.
        pass_fail: ``None`` unless each score is 0 or 1.
        sign_p_value: Of the exact sign test: the probability by chance that B is higher, or
            lower, on so many of the tasks that differ. For pass/fail that is McNemar's.
    """

    mean_a: float
    mean_b: float
    difference: PairedDifference
    pass_fail: PassFail | None
    sign_p_value: float

    @property
    def shows(self) -> Direction:
        """The direction that is shown with 95 % confidence.

        The interval has to leave out 0. For pass/fail the exact test has to agree, which holds
        for few tasks, too; and so it has to where all differences are the same, as an interval
        without width does not tell how certain it is.
        """
        interval, centre = self.difference.interval, self.difference.mean
        if interval is None or 0 in interval:
            return Direction.NOT_SHOWN
        needs_sign_test = self.pass_fail is not None or not self.difference.standard_error
        if needs_sign_test and self.sign_p_value >= _SIGNIFICANCE:
            return Direction.NOT_SHOWN
        return Direction.BETTER if centre > 0 else Direction.WORSE

    @property
    def detectable(self) -> float | None:
        """The least true difference that 80 of 100 such comparisons show, if there is an error."""
        error = self.difference.standard_error
        return minimum_detectable_effect(error) if error else None


def measure(
    a: Mapping[str, float], b: Mapping[str, float], clusters: Mapping[str, Hashable] | None = None
) -> Effect | None:
    """Return the effect on the scores of the same tasks in A and B; ``None`` without a task."""
    difference = paired_difference(a, b, clusters)
    mean_a, mean_b = mean([*a.values()]), mean([*b.values()])
    if difference is None or mean_a is None or mean_b is None:
        return None
    higher = sum(b[task_id] > score for task_id, score in a.items())
    lower = sum(b[task_id] < score for task_id, score in a.items())
    p_value = exact_mcnemar(higher, lower)
    pass_fail = None
    if is_pass_fail([*a.values(), *b.values()]):
        both = sum(score == 1 == b[task_id] for task_id, score in a.items())
        pass_fail = PassFail(both, len(a) - both - higher - lower, lower, higher, p_value)
    return Effect(
        mean_a=mean_a,
        mean_b=mean_b,
        difference=difference,
        pass_fail=pass_fail,
        sign_p_value=p_value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs and the difference between them.

    Attributes:
        a: The baseline.
        b: The candidate.
        pairing: The tasks that are compared, and those that are not.
        effect: The difference of B from A; ``None`` without a compared task, and of a run that
            has stopped at a question.
        worst_case: The same with tasks and repeats that have no score in B counted as 0 there.
        clusters: Number of clusters of the compared tasks; ``None`` if they are unrelated.
        groups: The effect by group of tasks.
        within: The variance within tasks, of the runs that have repeats; ``None`` if neither has,
            or if tasks are scored by another reduction than the mean.
    """

    a: Side
    b: Side
    pairing: Pairing
    effect: Effect | None
    worst_case: Effect | None
    clusters: int | None = None
    groups: Mapping[str, Effect] = field(default_factory=dict[str, Effect])
    within: WithinVariance | None = None

    @property
    def sides(self) -> dict[str, Side]:
        """Both runs by their names, A and B."""
        return {"A": self.a, "B": self.b}

    @property
    def has_repeats(self) -> bool:
        """True if a run has several repeats of its tasks."""
        return max(self.a.view.config.repeats, self.b.view.config.repeats) > 1

    @property
    def units(self) -> int:
        """Number of independent things that are compared: clusters, or else tasks."""
        return len(self.pairing.a) if self.clusters is None else self.clusters

    @property
    def noise_floor(self) -> float | None:
        """The difference up to which two single runs of the compared tasks lie apart by chance."""
        return noise_floor(self.within, [*self.pairing.a.values()])

    @property
    def is_noise(self) -> bool:
        """True if the difference of B from A is inside that."""
        floor, effect = self.noise_floor, self.effect
        return floor is not None and effect is not None and abs(effect.difference.mean) <= floor

    @property
    def detectable(self) -> float | None:
        """The least true difference that 80 of 100 such comparisons show as *better*.

        ``None`` without an error. A noise floor that is wider than the interval adds to it.
        """
        effect, floor = self.effect, self.noise_floor
        error = effect.difference.standard_error if effect else None
        if effect is None or effect.detectable is None or not error or floor is None:
            return effect.detectable if effect else None
        # A power of a half leaves what the interval alone asks for.
        by_interval = minimum_detectable_effect(error, power=0.5)
        return effect.detectable + max(floor - by_interval, 0.0)

    @property
    def higher(self) -> list[str]:
        """Compared tasks with a higher score in B, the greatest gain first."""
        return _gainers(self.pairing.a, self.pairing.b)

    @property
    def lower(self) -> list[str]:
        """Compared tasks with a lower score in B, the greatest loss first."""
        return _gainers(self.pairing.b, self.pairing.a)


def compare(
    a: Side,
    b: Side,
    *,
    clusters: Mapping[str, Hashable] | None = None,
    groups: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare two runs.

    Args:
        a: The baseline.
        b: The candidate.
        clusters: The cluster of each task, where tasks are related.
        groups: The group of each task, to compare by group, too.
    """
    pairing = pair(a, b)
    lacking = pairing.lacking_in_b
    by_mean = all(side.reduction.kind is ReductionKind.MEAN for side in (a, b))
    least = pairing.b | pairing.partly_in_b | dict.fromkeys(lacking, 0.0)
    # A run that has stopped at a question has done the tasks on which that was settled.
    has_effect = all(side.scan.summary.is_sample for side in (a, b))
    return Comparison(
        a=a,
        b=b,
        pairing=pairing,
        effect=measure(pairing.a, pairing.b, clusters) if has_effect else None,
        worst_case=measure(pairing.a | lacking, least, clusters) if has_effect else None,
        clusters=None if clusters is None else len({clusters[each] for each in pairing.a}),
        groups=dict(_by_group(pairing, groups, clusters)) if groups and has_effect else {},
        within=pooled_within([a.scan.summary.within, b.scan.summary.within]) if by_mean else None,
    )


def _gainers(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    gains = {task_id: after[task_id] - score for task_id, score in before.items()}
    return sorted((each for each in gains if gains[each] > 0), key=lambda each: -gains[each])


def _by_group(
    pairing: Pairing, groups: Mapping[str, str], clusters: Mapping[str, Hashable] | None
) -> Iterator[tuple[str, Effect]]:
    members: dict[str, list[str]] = {}
    for task_id in pairing.a:
        members.setdefault(groups[task_id], []).append(task_id)
    for name, task_ids in members.items():
        a, b = ({each: scores[each] for each in task_ids} for scores in (pairing.a, pairing.b))
        if (effect := measure(a, b, clusters)) is not None:
            yield name, effect
