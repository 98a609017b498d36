"""Histograms of scores, durations, tokens or costs, with a handful of bars."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise

from benchmark_runner._stats.means import is_pass_fail


@dataclass(frozen=True, slots=True)
class Bar:
    """The number of values in a range, from ``low`` to just below ``high``.

    The last bar includes ``high``. In a bar of one value, both are that value.
    """

    low: float
    high: float
    count: int


def histogram(values: Sequence[float], most: int = 10) -> list[Bar]:
    """Count values in ranges of one width, with round numbers as edges.

    Few whole numbers, such as turns, have a bar each; so have 0 and 1 if each value is one of
    them. Otherwise the width is 1, 2 or 5 times a power of ten, the least that needs no more
    bars than ``ceil(1 + log2(n))`` and ``most``.

    Source of the number of bars: H. A. Sturges, "The Choice of a Class Interval", Journal of the
    American Statistical Association 21, 1926.

    The bars go from the least value to the greatest, including empty ones.
    """
    if not values:
        return []
    low, high = (0.0, 1.0) if is_pass_fail(values) else (min(values), max(values))
    if low == high:
        return [Bar(low, high, len(values))]
    if high - low < most and all(float(value).is_integer() for value in values):
        counts = Counter(values)
        # Without repeats: beyond 2**53 not every whole number is a float.
        each = dict.fromkeys(map(float, _numbers(Fraction(low), Fraction(high))))
        return [Bar(value, value, counts[value]) for value in each]
    edges = _round_edges(low, high, min(most, math.ceil(1 + math.log2(len(values)))))
    counts = Counter(min(bisect_right(edges, value), len(edges) - 1) for value in values)
    return [Bar(*ends, counts[number]) for number, ends in enumerate(pairwise(edges), 1)]


def _round_edges(low: float, high: float, most: int) -> list[float]:
    # In exact fractions, so that an edge such as 0.3 is the float that is printed so.
    least, greatest = Fraction(low), Fraction(high)
    candidates = (
        [float(number * width) for number in _numbers(least / width, greatest / width)]
        for width in _widths((greatest - least) / most)
    )
    # Edges between neighbouring floats would coincide.
    return next(
        edges for edges in candidates if len(edges) <= most + 1 and len({*edges}) == len(edges)
    )


def _numbers(least: Fraction, greatest: Fraction) -> range:
    return range(math.floor(least), math.ceil(greatest) + 1)


def _widths(least: Fraction) -> Iterator[Fraction]:
    """Yield round widths from about ``least`` up."""
    # Of whole numbers: the quotient of very small floats is no float any more.
    logarithm = math.log10(least.numerator) - math.log10(least.denominator)
    for exponent in count(math.floor(logarithm)):
        yield from (digit * Fraction(10) ** exponent for digit in (1, 2, 5))
