"""Tasks that passed in one run and failed in the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from benchmark_runner._stats.distributions import binomial_cdf

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping

_Task = TypeVar("_Task", bound="Hashable")


class Flips(NamedTuple):
    """The numbers of tasks that passed in one run only.

    Attributes:
        gained: Failed in the first run, passed in the second.
        lost: Passed in the first run, failed in the second.
    """

    gained: int
    lost: int


def is_pass_fail(scores: Iterable[float]) -> bool:
    """Return True if each score is 0 or 1."""
    return all(score in (0, 1) for score in scores)


def count_flips(first: Mapping[_Task, float], second: Mapping[_Task, float]) -> Flips | None:
    """Count the tasks that passed in one run only, among those that both runs have.

    Args:
        first: The score of each task in the first run.
        second: The score of each task in the second run.

    Returns:
        The counts; ``None`` if a score is neither 0 nor 1.
    """
    pairs = [(score, second[task]) for task, score in first.items() if task in second]
    if not all(map(is_pass_fail, pairs)):
        return None
    return Flips(
        gained=sum(before < after for before, after in pairs),
        lost=sum(before > after for before, after in pairs),
    )


def exact_mcnemar(flips: Flips) -> float:
    """Return the probability of flips at least as uneven, if both directions are equally likely.

    The exact, two-sided form of McNemar's test: twice the binomial tail of the smaller count, at
    most 1; 1 without flips. It errs on the cautious side.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12, 1947; in its exact form Fagerland, Lydersen
    and Laake, BMC Medical Research Methodology 13:91, 2013.
    """
    return min(1.0, 2 * binomial_cdf(min(flips), sum(flips), 0.5))
