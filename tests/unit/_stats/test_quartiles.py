"""Quarters of values."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from benchmark_runner._stats.quartiles import quarters


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([5], [[5]]),
        ([1, 1, 1, 1, 1], [[1, 1, 1, 1, 1]]),
        ([4, 3, 2, 1], [[1], [2], [3], [4]]),
        ([1, 2, 3, 4, 5, 6, 7, 8], [[1, 2], [3, 4], [5, 6], [7, 8]]),
        ([1, 1, 1, 1, 1, 1, 2, 3], [[1, 1, 1, 1, 1, 1], [2, 3]]),
        ([0, 9, 9, 9, 9, 9, 9, 9], [[0, 9, 9, 9, 9, 9, 9, 9]]),
    ],
)
def test_equal_values_are_together(values: list[float], expected: list[list[float]]) -> None:
    """Values are in groups of about one size, and equal ones in one group."""
    assert [[values[place] for place in group] for group in quarters(values)] == expected


def test_each_value_is_in_one_group() -> None:
    """Each value is in one group, and none is greater than one of a later group."""
    chance = random.Random(1)
    for _ in range(50):
        values = [float(chance.randint(0, 12)) for _ in range(chance.randint(1, 60))]
        groups = quarters(values)
        assert sorted(place for group in groups for place in group) == [*range(len(values))]
        assert 1 <= len(groups) <= 4
        ends = [
            (min(values[place] for place in group), max(values[place] for place in group))
            for group in groups
        ]
        assert all(before[1] < after[0] for before, after in pairwise(ends))
