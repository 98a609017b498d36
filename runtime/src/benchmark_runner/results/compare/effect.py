"""How far two runs are apart on the tasks that both have a score for, and how sure that is.

A is the baseline, B the candidate; a difference is B less A, and a higher score is better.

.. code-block:: python

    a, b = read_side(view_of_a), read_side(view_of_b)
    comparison = compare(a, b, pair(a, b))
    print(comparison.effect.difference.mean, comparison.effect.shows)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from benchmark_runner._stats.flips import Flips, exact_mcnemar, flips
from benchmark_runner._stats.means import mean
from benchmark_runner._stats.paired_difference import minimum_detectable_effect, paired_difference

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from benchmark_runner._stats.paired_difference import PairedDifference
    from benchmark_runner.results.compare.pairing import Pairing, Side

#: What is less probable by chance is not put down to chance.
_SIGNIFICANCE = 0.05


class PassFail(NamedTuple):
    """Tasks that were passed (1) or failed (0) in two runs.

    Attributes:
        both_passed: Passed in both.
        both_failed: Failed in both.
        only_a: Passed in A only.
        only_b: Passed in B only.
        p_value: Of the exact McNemar test: how likely flips as uneven as these are by chance.
    """

    both_passed: int
    both_failed: int
    only_a: int
    only_b: int
    p_value: float


class Direction(StrEnum):
    """What a comparison shows of B."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How far B is from A on tasks that both have a score for.

    Attributes:
        mean_a: Mean of A on these tasks.
        mean_b: Mean of B.
        difference: B less A, with its error.
        pass_fail: Where each score is 0 or 1, who passed what.
        sign_p_value: Of the exact sign test: how likely it is by chance that B is higher, or
            lower, on so many of the tasks that differ. For pass/fail that is McNemar's.
    """

    mean_a: float
    mean_b: float
    difference: PairedDifference
    pass_fail: PassFail | None
    sign_p_value: float

    @property
    def shows(self) -> Direction:
        """What can be said of B with 95 % confidence.

        The interval has to leave out 0. For pass/fail the exact test has to agree, which holds
        for few tasks, too; and so it has to where all differences are the same, as an interval
        without width says nothing of how sure it is.
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
        """The least true difference that such a comparison shows in 80 of 100 cases.

        ``None`` where nothing is known of it: below two tasks, and where all differences are the
        same.
        """
        error = self.difference.standard_error
        return minimum_detectable_effect(error) if error else None


def measure(
    a: Mapping[str, float],
    b: Mapping[str, float],
    clusters: Mapping[str, Hashable] | None = None,
) -> Effect | None:
    """Compare scores by task.

    Args:
        a: The scores of A.
        b: Those of B, for the same tasks.
        clusters: The cluster of each task, where tasks are related.

    Returns:
        The effect; ``None`` without a task.
    """
    difference = paired_difference(a, b, clusters)
    mean_a, mean_b = mean([*a.values()]), mean([*b.values()])
    if difference is None or mean_a is None or mean_b is None:
        return None
    higher = sum(b[task_id] > score for task_id, score in a.items())
    lower = sum(b[task_id] < score for task_id, score in a.items())
    p_value = exact_mcnemar(Flips(gained=higher, lost=lower))
    return Effect(
        mean_a=mean_a,
        mean_b=mean_b,
        difference=difference,
        pass_fail=_pass_fail(a, b, p_value),
        sign_p_value=p_value,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two runs come to beside each other.

    Attributes:
        a: The baseline.
        b: The candidate.
        pairing: Which tasks are compared.
        effect: How far B is from A on these; ``None`` without any.
        worst_case: The same with tasks that A has a score for and B has none counted as 0.
        clusters: How many clusters the compared tasks are in, where they are.
        groups: The same by group of tasks.
    """

    a: Side
    b: Side
    pairing: Pairing
    effect: Effect | None
    worst_case: Effect | None
    clusters: int | None = None
    groups: Mapping[str, Effect] = field(default_factory=dict[str, Effect])

    @property
    def units(self) -> int:
        """How many independent things are compared: clusters, or else tasks."""
        return len(self.pairing.a) if self.clusters is None else self.clusters

    @property
    def higher(self) -> list[str]:
        """Compared tasks that B scores higher on, the greatest gain first."""
        return self._sorted(lambda task_id: self.pairing.b[task_id] - self.pairing.a[task_id])

    @property
    def lower(self) -> list[str]:
        """Compared tasks that B scores lower on, the greatest loss first."""
        return self._sorted(lambda task_id: self.pairing.a[task_id] - self.pairing.b[task_id])

    def _sorted(self, gain: Callable[[str], float]) -> list[str]:
        gains = {task_id: gain(task_id) for task_id in self.pairing.a}
        return sorted((each for each in gains if gains[each] > 0), key=lambda each: -gains[each])


def compare(
    a: Side,
    b: Side,
    pairing: Pairing,
    *,
    clusters: Mapping[str, Hashable] | None = None,
    groups: Mapping[str, str] | None = None,
) -> Comparison:
    """Compare two runs.

    Args:
        a: The baseline.
        b: The candidate.
        pairing: Their tasks, see :func:`pair`.
        clusters: The cluster of each task, where tasks are related.
        groups: The group of each task, where the groups are to be compared, too.
    """
    lacking = pairing.lacking_in_b
    return Comparison(
        a=a,
        b=b,
        pairing=pairing,
        effect=measure(pairing.a, pairing.b, clusters),
        worst_case=measure(pairing.a | lacking, pairing.b | dict.fromkeys(lacking, 0.0), clusters),
        clusters=None if clusters is None else len({clusters[each] for each in pairing.a}),
        groups={} if groups is None else dict(_by_group(pairing, groups, clusters)),
    )


def mean_of_known(values: Iterable[float | None]) -> tuple[float | None, int]:
    """Mean of what is known, and how much that is."""
    known = [value for value in values if value is not None]
    return mean(known), len(known)


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


def _pass_fail(a: Mapping[str, float], b: Mapping[str, float], p_value: float) -> PassFail | None:
    counted = flips(a, b)
    if counted is None:
        return None
    both_passed = sum(score == 1 == b[task_id] for task_id, score in a.items())
    return PassFail(
        both_passed=both_passed,
        both_failed=len(a) - both_passed - sum(counted),
        only_a=counted.lost,
        only_b=counted.gained,
        p_value=p_value,
    )
