"""Charts show any values, with the unit on the axis, and hostile names as words."""

from __future__ import annotations

import re

import pytest

from benchmark_runner._stats.histograms import histogram
from benchmark_runner.results.estimate import estimate_of
from benchmark_runner.results.report.charts import draw_histogram, draw_intervals
from benchmark_runner.results.report.run_figures import Distribution
from tests.unit.results.report.hostile import TEXTS


def distribution_of(values: list[float], unit: str) -> Distribution:
    return Distribution(
        name="Values",
        unit=unit,
        count=len(values),
        unknown=0,
        least=min(values),
        median=values[0],
        greatest=max(values),
        total=sum(values),
        bars=histogram(values),
    )


@pytest.mark.parametrize("text", TEXTS[:10])
def test_hostile_names_are_text_in_a_chart(text: str) -> None:
    """Hostile names are text in a chart."""
    estimate = estimate_of([0.0, 1.0, 1.0])
    assert estimate is not None

    drawn = draw_intervals([(text, estimate), (text, estimate)])

    assert "<script" not in drawn
    assert "<img" not in drawn
    assert drawn.count("<svg") == 1


@pytest.mark.parametrize(
    "values",
    [[1.0], [0.0, 1.0], [0.1, 0.2, 0.35], [1e-300, 1e300], [5e-324, 1e-323], [-3.0, 2.0]],
    ids=str,
)
@pytest.mark.parametrize("unit", ["", "s", "tokens", "$"])
def test_any_values_can_be_drawn(values: list[float], unit: str) -> None:
    """Any values can be drawn."""
    drawn = draw_histogram(distribution_of(values, unit))

    assert drawn.count('fill="var(--mark)"') == len(histogram(values))
    assert "NaN" not in drawn


@pytest.mark.parametrize(
    ("values", "unit", "labels", "title"),
    [
        ([0.001, 0.0025, 0.0041], "s", ["0", "2", "4", "6"], "milliseconds"),
        ([0.5, 3.2, 61.2], "s", ["0", "50", "100"], "seconds"),
        ([300.0, 4000.5, 9000.0], "s", ["0", "5,000", "10,000"], "seconds"),
        ([5.0, 5.0], "s", ["5 s"], None),
        ([1000.0, 2300.0, 7000.0], "tokens", ["0", "5k", "10k"], "tokens"),
        ([10.0, 23.0, 70.0], "tokens", ["0", "50", "100"], "tokens"),
        ([0.001, 0.007], "$", ["$0", "$0.005", "$0.01"], "US dollars"),
        ([0.0, 0.5, 1.0], "", ["0", "0.5", "1"], "score"),
    ],
)
def test_axes_have_a_unit(
    values: list[float], unit: str, labels: list[str], title: str | None
) -> None:
    """The axis of a chart has round labels and the unit."""
    bars = histogram(values)

    drawn = draw_histogram(distribution_of(values, unit))

    words = re.findall(r"<text[^>]*>([^<]*)</text>", drawn)
    counts = [str(bar.count) for bar in bars if bar.count]
    assert words == [*labels, *([title] if title else []), *counts]
