"""Quarters of values, such that equal ones are never apart."""

from bisect import bisect_left
from collections.abc import Sequence

_QUARTERS = 4


def quarters(values: Sequence[float]) -> list[list[int]]:
    """Return the places of the values in up to four groups of about one size, the least first.

    Group ``k`` ends at the least value that has ``k/4`` of all values at or below it. Equal values
    are in one group, so that there are fewer than four groups if many are equal.
    """
    ordered, count = sorted(values), len(values)
    ends = {ordered[-(-k * count // _QUARTERS) - 1] for k in range(1, _QUARTERS + 1) if count}
    edges = sorted(ends)
    groups: list[list[int]] = [[] for _ in edges]
    for place, value in enumerate(values):
        groups[bisect_left(edges, value)].append(place)
    return groups
