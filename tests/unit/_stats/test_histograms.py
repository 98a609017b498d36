from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_runner._stats.histograms import Bar, histogram

VALUES = st.one_of(
    st.lists(st.floats(-1e300, 1e300), min_size=1),
    st.lists(st.floats(0, 1), min_size=1),
    st.lists(st.integers(-30, 30).map(float), min_size=1),
    st.lists(st.floats(1e16, 1e16 + 100), min_size=1),
)


def test_without_values_there_are_no_bars() -> None:
    """A histogram without values has no bars."""
    assert histogram([]) == []


@pytest.mark.parametrize("values", [[0.7], [12.5, 12.5, 12.5], [-3.0, -3.0], [0.1] * 3])
def test_equal_values_have_one_bar(values: list[float]) -> None:
    """Values that are all equal have one bar."""
    assert histogram(values) == [Bar(values[0], values[0], len(values))]


@pytest.mark.parametrize(
    ("values", "counts"), [([1.0, 0.0, 1.0], (1, 2)), ([1.0, 1.0], (0, 2)), ([0.0], (1, 0))]
)
def test_passes_and_failures_have_two_bars(values: list[float], counts: tuple[int, int]) -> None:
    """Passes and failures have a bar each, even an empty one."""
    failures, passes = counts

    assert histogram(values) == [Bar(0, 0, failures), Bar(1, 1, passes)]


def test_few_whole_numbers_have_a_bar_each() -> None:
    """A few whole numbers have a bar each, those between them included."""
    assert histogram([2.0, 5.0, 2.0, 4.0]) == [
        Bar(2, 2, 2),
        Bar(3, 3, 0),
        Bar(4, 4, 1),
        Bar(5, 5, 1),
    ]


def test_scores_are_counted_between_tenths() -> None:
    """Scores between 0 and 1 are counted by tenths."""
    scores = [index / 1000 for index in range(1001)]

    bars = histogram(scores)

    assert [bar.low for bar in bars] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert [bar.count for bar in bars] == [100] * 9 + [101]


@pytest.mark.parametrize(
    ("values", "edges"),
    [
        ([3.2, 41.0, 17.5, 88.0, 64.0], [0, 50, 100]),
        ([1234.0, 4321.0, 1999.5, 3000.0], [0, 2000, 4000, 6000]),
        ([0.0012, 0.0031, 0.0049, 0.0005], [0.0, 0.002, 0.004, 0.006]),
        ([-7.5, 7.5, 0.1, 0.2], [-10, 0, 10]),
    ],
)
def test_edges_are_round_numbers(values: list[float], edges: list[float]) -> None:
    """The edges are round numbers around all values."""
    bars = histogram(values)

    assert [bars[0].low, *(bar.high for bar in bars)] == edges


@given(VALUES, st.integers(2, 12))
def test_each_value_is_in_one_bar(values: list[float], most: int) -> None:
    """Each value is in one bar, bars are adjacent, and no more than allowed."""
    bars = histogram(values, most)

    assert sum(bar.count for bar in bars) == len(values)
    assert len(bars) <= most
    assert bars[0].low <= min(values)
    assert max(values) <= bars[-1].high
    if bars[0].low == bars[0].high:
        expected = [sum(value == bar.low for value in values) for bar in bars]
    else:
        assert all(before.high == after.low for before, after in pairwise(bars))
        edges = [bars[0].low, *(bar.high for bar in bars)]
        expected = list(np.histogram(values, edges)[0])
    assert [bar.count for bar in bars] == expected


@given(st.lists(st.floats(1e-3, 1e6), min_size=2))
def test_widths_are_1_2_or_5_times_ten(values: list[float]) -> None:
    """The width of a bar is 1, 2 or 5 times a power of ten."""
    for bar in histogram(values):
        width = bar.high - bar.low
        if width > 1e-6 * bar.high:  # else it is lost in rounding
            first_digit = width / 10 ** math.floor(math.log10(width) + 1e-6)
            assert min(abs(first_digit - digit) for digit in (1, 2, 5)) < 1e-2


@pytest.mark.parametrize(
    "values", [[1.0] * 1000 + [1 + 2**-52], [1e16, 1e16 + 2, 1e16 + 4, 1e16 + 6]]
)
def test_neighbouring_floats_have_distinct_bars(values: list[float]) -> None:
    """Values that are neighbouring floats have bars with different edges."""
    bars = histogram(values)

    assert sum(bar.count for bar in bars) == len(values)
    assert len({bar.low for bar in bars}) == len({bar.high for bar in bars}) == len(bars)
