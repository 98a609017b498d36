"""Which tasks of two runs can be compared, and why the others can't.

A is the baseline, B the candidate. No task drops out unsaid: each is compared, or in
:attr:`Pairing.excluded` with the reason. What ran out of time or turns is compared, as 0.

.. code-block:: python

    pairing = pair(read_side(view_of_a), read_side(view_of_b))
    for excluded in pairing.excluded:
        print(excluded.because, excluded.in_a, excluded.in_b, excluded.task_ids)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from benchmark_runner.results.task_row import TaskState

if TYPE_CHECKING:
    from benchmark_runner._run.graded_by import GradedBy
    from benchmark_runner.results.run_scan import RunScan
    from benchmark_runner.results.run_view import RunView
    from benchmark_runner.results.task_row import TaskRow

#: Less than that is what floats make of the same score, added up in another order.
_NOISE = 1e-9


class Taken(NamedTuple):
    """What is kept of one task.

    Attributes:
        score: What it counts; ``None`` where that is not known.
        missing: Why there is no score, in a few words.
        graded_by: Who made the grade.
        cost: US dollars of the attempt that counts.
        seconds: Wall-clock time of it.
    """

    score: float | None
    missing: str | None
    graded_by: GradedBy | None
    cost: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has taken of something, as far as that is recorded.

    Attributes:
        total: All of it, over the whole run; ``None`` where nothing is recorded.
        unknown: How many generations do not say.
    """

    total: float | None
    unknown: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs, read once.

    Attributes:
        view: The run.
        reading: What its tasks come to.
        tasks: What is kept of each of its tasks, in its order.
        cost: US dollars, those of earlier attempts included.
        seconds: Time spent in ``generate()`` by the attempts that count.
    """

    view: RunView
    reading: RunScan
    tasks: dict[str, Taken]
    cost: Spent
    seconds: Spent


def read_side(view: RunView) -> Side:
    """Read a run, also one that is going on; ids and a few numbers a task are all that is kept.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    reading = view.scan()
    tasks: dict[str, Taken] = {}
    seconds, untimed, has_cost = 0.0, 0, False
    graders: dict[GradedBy, GradedBy] = {}
    for row in reading:
        by = row.graded_by and graders.setdefault(row.graded_by, row.graded_by)
        tasks[row.task_id] = Taken(
            row.score, _why_unscored(row), by, row.cost, row.generation_seconds
        )
        has_cost |= row.cost is not None or row.cost_of_earlier_attempts is not None
        if row.generation_seconds is not None:
            seconds += row.generation_seconds
        else:
            untimed += row.generation_status is not None
    costs = reading.summary.spend
    is_timed = any(task.seconds is not None for task in tasks.values())
    return Side(
        view,
        reading,
        tasks,
        cost=Spent(costs.dollars if has_cost else None, costs.unknown),
        seconds=Spent(seconds if is_timed else None, untimed),
    )


class Because(StrEnum):
    """Why a task is not compared."""

    ONLY_IN_A = "only in A"
    ONLY_IN_B = "only in B"
    OTHER_CONTENT = "another task under the same id"
    NO_SCORE_IN_A = "no score in A"
    NO_SCORE_IN_B = "no score in B"
    NO_SCORE_IN_EITHER = "no score in A nor B"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Tasks that are not compared, for one reason.

    Attributes:
        because: The reason.
        in_a: Why there is no score in A, if that is the reason.
        in_b: Likewise in B.
        task_ids: Which tasks.
    """

    because: Because
    in_a: str | None
    in_b: str | None
    task_ids: list[str]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Which tasks of two runs are compared.

    Attributes:
        a: The score of each compared task in A, in A's order.
        b: The same in B.
        excluded: The other tasks of both, by reason, in the order of :class:`Because`.
        unverified: Compared tasks of which a run does not say what they were, so that nobody
            knows whether they were the same.
        lacking_in_b: What A scores on tasks that B has, too, and has no score for.
    """

    a: dict[str, float]
    b: dict[str, float]
    excluded: list[Exclusion]
    unverified: list[str]
    lacking_in_b: dict[str, float]

    def because(self, *reasons: Because) -> list[str]:
        """The tasks that are excluded for one of these reasons."""
        found = (each for each in self.excluded if each.because in reasons)
        return [task_id for each in found for task_id in each.task_ids]


def pair(a: Side, b: Side) -> Pairing:
    """Find the tasks that both runs have a score for, and say why the others are left out."""
    pairing = Pairing({}, {}, [], [], {})
    hashes_a, hashes_b = a.view.config.task_hashes, b.view.config.task_hashes
    excluded: dict[tuple[Because, str | None, str | None], list[str]] = {}
    for task_id in dict.fromkeys([*a.tasks, *b.tasks]):
        in_a, in_b = a.tasks.get(task_id), b.tasks.get(task_id)
        hashes = hashes_a.get(task_id), hashes_b.get(task_id)
        why = _why_left_out(in_a, in_b, other_content=all(hashes) and hashes[0] != hashes[1])
        score_a, score_b = in_a and in_a.score, in_b and in_b.score
        if why is not None:
            excluded.setdefault(why, []).append(task_id)
            if why[0] is Because.NO_SCORE_IN_B and score_a is not None:
                pairing.lacking_in_b[task_id] = score_a
        elif score_a is not None and score_b is not None:
            same = math.isclose(score_a, score_b, rel_tol=_NOISE, abs_tol=_NOISE)
            pairing.a[task_id] = score_a
            pairing.b[task_id] = score_a if same else score_b
            if not all(hashes):
                pairing.unverified.append(task_id)
    order = [*Because]
    for why in sorted(excluded, key=lambda each: order.index(each[0])):
        pairing.excluded.append(Exclusion(*why, excluded[why]))
    return pairing


def _why_left_out(
    a: Taken | None, b: Taken | None, *, other_content: bool
) -> tuple[Because, str | None, str | None] | None:
    """The reason and why there is no score in A and in B; ``None`` for a task to compare."""
    if a is None or b is None:
        return (Because.ONLY_IN_A if b is None else Because.ONLY_IN_B), None, None
    if other_content:
        return Because.OTHER_CONTENT, None, None
    match a.score, b.score:
        case None, None:
            return Because.NO_SCORE_IN_EITHER, a.missing, b.missing
        case None, _:
            return Because.NO_SCORE_IN_A, a.missing, None
        case _, None:
            return Because.NO_SCORE_IN_B, None, b.missing
        case _:
            return None


def _why_unscored(row: TaskRow) -> str | None:
    if row.score is not None:
        return None
    if row.unreadable:
        return "can't be read"
    if row.state is TaskState.SCORED:
        return "graded, without a task score"
    if row.state.is_done:
        return f"{row.state}, not graded yet"
    return row.state.value
