"""The tasks that two runs are compared on, and the reasons why others are left out.

A is the baseline, B the candidate. Each task is compared, or in :attr:`Pairing.excluded` with the
reason. A task that ran out of time or turns is compared, as 0.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from benchmark_runner._text import plural
from benchmark_runner.results.compare.side import Side, TaskOutcome

__all__ = ["Exclusion", "ExclusionReason", "Pairing", "pair"]

#: Scores closer than this are the same, added up in another order.
_NOISE = 1e-9


class ExclusionReason(StrEnum):
    """The reason why a task is not compared."""

    ONLY_IN_A = "only in A"
    ONLY_IN_B = "only in B"
    OTHER_CONTENT = "another task under the same id"
    NO_SCORE_IN_A = "no score in A"
    NO_SCORE_IN_B = "no score in B"
    NO_SCORE_IN_EITHER = "no score in A nor B"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Tasks that are not compared, for one reason: in A or B, why there is no score."""

    because: ExclusionReason
    in_a: str | None
    in_b: str | None
    task_ids: list[str]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The tasks of two runs, compared or excluded.

    Attributes:
        a: The score of each compared task in A, in A's order.
        b: The same in B.
        excluded: The other tasks of both by reason, in the order of :class:`ExclusionReason`.
        unverified: Compared tasks whose content a run does not record, so that they may differ.
        lacking_in_b: The score in A of tasks that B has, too, but without a score.
        partly_in_b: Of compared tasks of which not all repeats in B have a score, that in B with
            the others counted as 0.
    """

    a: dict[str, float]
    b: dict[str, float]
    excluded: list[Exclusion]
    unverified: list[str]
    lacking_in_b: dict[str, float]
    partly_in_b: dict[str, float]

    @property
    def lacking_text(self) -> str:
        """The tasks, and those with repeats, that B has no score for, in a few words."""
        tasks, partly = len(self.lacking_in_b), len(self.partly_in_b)
        parts = [plural(tasks, "task")] if tasks or not partly else []
        return " and ".join([*parts, *([f"repeats of {plural(partly, 'task')}"] if partly else [])])

    @property
    def left_out(self) -> int:
        """Number of tasks that are excluded."""
        return sum(len(each.task_ids) for each in self.excluded)

    def because(self, *reasons: ExclusionReason) -> list[str]:
        """Return the tasks that are excluded for one of ``reasons``."""
        found = (each for each in self.excluded if each.because in reasons)
        return [task_id for each in found for task_id in each.task_ids]


def pair(a: Side, b: Side) -> Pairing:
    """Find the tasks with a score in both runs, and the reasons why the others are left out."""
    pairing = Pairing({}, {}, [], [], {}, {})
    hashes_a, hashes_b = a.view.config.task_hashes, b.view.config.task_hashes
    excluded: dict[tuple[ExclusionReason, str | None, str | None], list[str]] = {}
    for task_id in dict.fromkeys([*a.tasks, *b.tasks]):
        in_a, in_b = a.tasks.get(task_id), b.tasks.get(task_id)
        hashes = hashes_a.get(task_id), hashes_b.get(task_id)
        why = _exclusion(in_a, in_b, other_content=all(hashes) and hashes[0] != hashes[1])
        score_a, score_b = in_a and in_a.score, in_b and in_b.score
        if why is not None:
            excluded.setdefault(why, []).append(task_id)
            if why[0] is ExclusionReason.NO_SCORE_IN_B and score_a is not None:
                pairing.lacking_in_b[task_id] = score_a
        elif score_a is not None and score_b is not None:
            same = math.isclose(score_a, score_b, rel_tol=_NOISE, abs_tol=_NOISE)
            pairing.a[task_id] = score_a
            pairing.b[task_id] = score_a if same else score_b
            if in_b is not None and in_b.least is not None and in_b.scored < b.view.config.repeats:
                pairing.partly_in_b[task_id] = in_b.least
            if not all(hashes):
                pairing.unverified.append(task_id)
    order = [*ExclusionReason]
    for why in sorted(excluded, key=lambda each: order.index(each[0])):
        pairing.excluded.append(Exclusion(*why, excluded[why]))
    return pairing


def _exclusion(
    a: TaskOutcome | None, b: TaskOutcome | None, *, other_content: bool
) -> tuple[ExclusionReason, str | None, str | None] | None:
    """Return the reason, and why there is no score in A and in B; ``None`` if compared."""
    if a is None or b is None:
        only = ExclusionReason.ONLY_IN_A if b is None else ExclusionReason.ONLY_IN_B
        return only, None, None
    if other_content:
        return ExclusionReason.OTHER_CONTENT, None, None
    match a.score, b.score:
        case None, None:
            return ExclusionReason.NO_SCORE_IN_EITHER, a.missing, b.missing
        case None, _:
            return ExclusionReason.NO_SCORE_IN_A, a.missing, None
        case _, None:
            return ExclusionReason.NO_SCORE_IN_B, None, b.missing
        case _:
            return None
