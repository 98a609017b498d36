"""The plan of a study: the tasks and repeats with which two runs show a difference.

It is made from what finished runs recorded: how their scores vary, and what a generation takes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from benchmark_runner._stats.means import is_pass_fail, mean
from benchmark_runner._stats.power import StudyVariance
from benchmark_runner._stats.variance import (
    WithinVariance,
    between_variance,
    difference_variance,
    pooled_within,
    within_variance,
)
from benchmark_runner._text import some_ids
from benchmark_runner.errors import UsageError
from benchmark_runner.results.recorded_run import RecordedRun

__all__ = ["Basis", "Mix", "Study", "make_study"]

#: The numbers of repeats that are weighed, beside the smallest with which the dataset suffices.
_REPEATS = (1, 2, 3, 5, 8, 13)
#: More repeats have to save one task in so many.
_WORTH_IT = 20
#: The variance of scores between 0 and 1 is at most this, with half of them 0 and half 1.
_LARGEST_VARIANCE = 0.25


class Basis(StrEnum):
    """The reason for the variance that a study is planned with."""

    PAIR = "pair"
    """Two runs: their differences vary as those of the study will."""
    ONE_RUN = "one_run"
    """One run: the other system finds the same tasks hard, or others; at worst unrelated ones."""
    SINGLE_REPEATS = "single_repeats"
    """As before, and what varies within a task is not known, as each was generated once."""
    NO_RUN = "no_run"
    """No run: scores between 0 and 1 can't vary more."""


class Mix(NamedTuple):
    """A number of tasks and of repeats that show the difference.

    Attributes:
        cost: US dollars of one run; ``None`` if no cost is recorded.
        seconds: The time of one run; ``None`` if no time is recorded.
        fits: True unless the dataset is known to have fewer tasks.
    """

    tasks: int
    repeats: int
    cost: float | None
    seconds: float | None
    fits: bool

    @property
    def generations(self) -> int:
        """Number of generations of one run."""
        return self.tasks * self.repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """The numbers of tasks and repeats of each of two runs that show a difference.

    Attributes:
        detect: The difference.
        power: The share of comparisons that show it.
        basis: The reason for ``variance``.
        runs: The runs that it is planned from.
        variance: The variances that it is planned with.
        between: The variance between the tasks of the one run; with single repeats an upper bound.
        within: The variance within tasks; ``None`` if no task has two repeats.
        mixes: What shows the difference: first what fits the dataset, the cheapest first.
        least: The least difference that the whole dataset shows with single repeats.
        cost: US dollars a generation; ``None`` if not recorded.
        seconds: Seconds a generation; ``None`` if not recorded.
    """

    detect: float
    power: float
    basis: Basis
    runs: list[RecordedRun]
    variance: StudyVariance
    between: float | None
    within: WithinVariance | None
    mixes: list[Mix]
    least: float | None
    cost: float | None
    seconds: float | None

    @property
    def dataset_size(self) -> int | None:
        """The number of tasks there are; ``None`` if that is not known."""
        return _dataset_size(self.runs)

    @property
    def parallelism(self) -> int | None:
        """The number of generations at a time in the first run; ``None`` if not recorded."""
        return self.runs[0].parallelism if self.runs else None


def make_study(runs: Sequence[RecordedRun], *, detect: float, power: float) -> Study:
    """Plan a comparison of two runs.

    Args:
        runs: None; one finished run; or two, whose differences are those to expect.
        detect: The difference to show, above 0.
        power: The share of comparisons that are to show it, from 0.5 to below 1.

    Raises:
        UsageError: the runs do not tell how scores vary, or no scores differ as much.
    """
    _check_scale(runs, detect)
    basis, variance, between, within = _variances(runs)
    size = _dataset_size(runs)
    cost = mean([each for run in runs for each in run.costs])
    seconds = mean([each for run in runs for each in run.seconds])
    at_a_time = (runs[0].parallelism if runs else None) or 1

    def mix(tasks: int, repeats: int) -> Mix:
        count = tasks * repeats
        return Mix(
            tasks,
            repeats,
            cost=None if cost is None else count * cost,
            seconds=None if seconds is None else count * seconds / min(at_a_time, count),
            fits=size is None or tasks <= size,
        )

    counts = _repeats_worth_it(variance, detect, power, size) if within else [1]
    found = [
        mix(tasks, repeats)
        for repeats in counts
        if (tasks := variance.tasks_needed(detect, repeats, power=power)) is not None
    ]
    return Study(
        detect=detect,
        power=power,
        basis=basis,
        runs=[*runs],
        variance=variance,
        between=between,
        within=within,
        mixes=sorted(found, key=lambda each: (not each.fits, each.generations)),
        least=variance.least_difference(size, 1, power=power) if size and size > 1 else None,
        cost=cost,
        seconds=seconds,
    )


def _dataset_size(runs: Iterable[RecordedRun]) -> int | None:
    return min((run.dataset_size for run in runs if run.dataset_size is not None), default=None)


def _check_scale(runs: Sequence[RecordedRun], detect: float) -> None:
    scores = [score for run in runs for task in run.scores.values() for score in task]
    low, high = min(scores, default=0.0), max(scores, default=1.0)
    if runs and low == high:
        raise UsageError(
            f"all scores of {some_ids([run.view.run_id for run in runs])} are {low:g}: they do "
            "not tell how scores vary",
            hint="Name a run with tasks that are solved and tasks that are not.",
        )
    widest = max(high, 1.0) - min(low, 0.0)
    if detect >= widest:
        raise UsageError(
            f"--detect {detect:g}: the means of scores from {min(low, 0.0):g} to "
            f"{max(high, 1.0):g} can't differ so much",
            hint="Give the difference in the unit of the scores: 0.03 for three points of 100 %.",
        )


def _variances(
    runs: Sequence[RecordedRun],
) -> tuple[Basis, StudyVariance, float | None, WithinVariance | None]:
    within = pooled_within(within_variance(run.scores.values()) for run in runs)
    pass_fail = all(is_pass_fail(scores) for run in runs for scores in run.scores.values())
    both = 0.0 if within is None else 2 * within.variance
    if not runs:
        largest = _LARGEST_VARIANCE
        return Basis.NO_RUN, StudyVariance(2 * largest, 0.0, pass_fail), largest, None
    if len(runs) == 1:
        between = _needed(between_variance(runs[0].scores.values(), within), runs)
        basis = Basis.SINGLE_REPEATS if within is None else Basis.ONE_RUN
        return basis, StudyVariance(2 * between, both, pass_fail), between, within
    first, second = (run.scores for run in runs)
    common = [task_id for task_id in first if task_id in second]
    differences = difference_variance(
        [first[each] for each in common], [second[each] for each in common], within
    )
    variance = StudyVariance(_needed(differences, runs), both, pass_fail)
    if not variance.differences and not variance.within:
        names = " and ".join(run.view.run_id for run in runs)
        raise UsageError(
            f"each task has the same score in {names}: they do not tell how differences vary",
            hint="Name one run, or two of which not all scores are the same.",
        )
    return Basis.PAIR, variance, None, within


def _needed(variance: float | None, runs: Iterable[RecordedRun]) -> float:
    if variance is None:
        names = some_ids([run.view.run_id for run in runs])
        raise UsageError(
            f"{names}: fewer than two tasks have a score, which tells nothing about how they vary",
            hint="Name a run of more tasks.",
        )
    return variance


def _repeats_worth_it(
    variance: StudyVariance, detect: float, power: float, size: int | None
) -> list[int]:
    """Return the numbers of repeats that save tasks, and the smallest that fits the dataset."""
    worth_it, before = [1], variance.tasks_needed(detect, 1, power=power)
    for repeats in _REPEATS[1:]:
        tasks = variance.tasks_needed(detect, repeats, power=power)
        if before is None or tasks is None or tasks > before - before / _WORTH_IT:
            break
        worth_it.append(repeats)
        before = tasks
    if size is not None and size > 1:
        enough = variance.repeats_needed(detect, size, power=power)
        if enough is not None and enough not in worth_it:
            worth_it.append(enough)
    return worth_it
