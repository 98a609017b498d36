"""Of what a library draws, only shapes and words reach the page."""

from __future__ import annotations

from xml.etree.ElementTree import ParseError

import pytest

from benchmark_runner._stats.histograms import histogram
from benchmark_runner.results.report.charts import draw_histogram, draw_intervals
from benchmark_runner.results.report.figures import Distribution, estimate_of
from benchmark_runner.results.report.svg import plain_svg
from tests.unit.results.report.hostile import TEXTS

SVG = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


OPENED = '<svg viewBox="0 0 1 1" role="img" aria-label="a chart"'


def inside(content: str) -> str:
    """What becomes of the content of an SVG."""
    made = plain_svg(f'<svg {SVG} viewBox="0 0 1 1">{content}</svg>', "a chart")
    assert made.startswith(OPENED)
    return made.removeprefix(OPENED).removesuffix("</svg>").removesuffix(" />").removeprefix(">")


def test_shapes_and_words_stay() -> None:
    kept = (
        '<g transform="translate(4,17) rotate(-45)" fill="var(--ink)">'
        '<path d="M0,0h3.5v-2Z" fill="#1f5fbf" /><text text-anchor="end">a &lt; b</text></g>'
    )

    assert inside(kept) == kept


@pytest.mark.parametrize(
    "content",
    [
        "<script>hit()</script>",
        "<style>*{fill:red}</style>",
        '<image href="http://example.com/x.png"/>',
        '<use xlink:href="#x"/>',
        "<foreignObject><b>hit</b></foreignObject>",
        '<a href="javascript:hit()"><text>here</text></a>',
        '<animate attributeName="href" to="javascript:hit()"/>',
        "<g/>",
        '<path d="" />',
        '<text opacity="0">hidden</text>',
    ],
)
def test_everything_else_goes(content: str) -> None:
    assert inside(content) == ""


@pytest.mark.parametrize(
    "attribute",
    [
        'onload="hit()"',
        'style="fill:url(http://example.com)"',
        'fill="url(http://example.com/x.svg#a)"',
        'fill="image(x)"',
        'class="marks"',
        'id="x"',
        'href="#x"',
    ],
)
def test_attributes_that_load_or_run_or_name_go(attribute: str) -> None:
    assert inside(f'<path d="M0,0h1" {attribute}/><g><path d="M1"/></g>').startswith(
        '<path d="M0,0h1" />'
    )


def test_what_is_no_svg_is_refused() -> None:
    with pytest.raises(ParseError):
        plain_svg("<html/>", "a chart")


@pytest.mark.parametrize("text", TEXTS[:10])
def test_hostile_names_are_words_in_a_chart(text: str) -> None:
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
    bars = histogram(values)
    distribution = Distribution(
        name="Values",
        unit=unit,
        count=len(values),
        unknown=0,
        least=min(values),
        median=values[0],
        greatest=max(values),
        total=sum(values),
        bars=bars,
    )

    drawn = draw_histogram(distribution)

    assert drawn.count('fill="var(--mark)"') == len(bars)
    assert "NaN" not in drawn
