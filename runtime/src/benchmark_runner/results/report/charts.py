"""Charts as SVG elements of the page, drawn by Vega-Lite from the extra ``report``.

Colours are CSS variables, which the page sets for light and dark. A label says in words what a
chart shows.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from benchmark_runner.results.phrases import amount, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import JsonValue

    from benchmark_runner._stats.histograms import Bar
    from benchmark_runner.results.report.run_figures import Distribution, Estimate

    Spec = dict[str, JsonValue]

_INK, _FAINT, _BAR, _POINT = "var(--ink)", "var(--line)", "var(--mark)", "var(--mark-strong)"
_FONT_SIZE = 12
_HISTOGRAM_WIDTH, _HISTOGRAM_HEIGHT = 300, 110
_INTERVALS_WIDTH, _ROW_HEIGHT, _LABEL_WIDTH = 230, 26, 110
#: From here on d3's ``s`` writes 20k; below, it would write 0.002 as 2m.
_THOUSAND = 1000
_TITLES = {"": "score", "s": "seconds", "tokens": "tokens", "$": "US dollars"}
_CONFIG: Spec = {
    # The label of the whole says it.
    "aria": False,
    "mark": {"aria": False},
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "labelFontSize": _FONT_SIZE,
        "titleColor": _INK,
        "titleFontSize": _FONT_SIZE,
        "titleFontWeight": "normal",
        "domainColor": _FAINT,
        "tickColor": _FAINT,
        "gridColor": _FAINT,
        "title": None,
    },
    "text": {"color": _INK, "fontSize": _FONT_SIZE},
}
_ROOT = re.compile(r'<svg [^>]*(viewBox="[^"]*")[^>]*>')


def draw_histogram(distribution: Distribution) -> str:
    """Draw the number of values in each range as bars with that number above."""
    values: list[JsonValue] = [
        {
            "low": bar.low,
            "high": bar.high,
            "middle": (bar.low + bar.high) / 2,
            "name": amount(bar.low, distribution.unit),
            "count": bar.count,
            "shown": str(bar.count) if bar.count else "",
        }
        for bar in distribution.bars
    ]
    of_bar, of_label = _across(distribution.bars, distribution.unit)
    y: Spec = {"y": {"field": "count", "type": "quantitative", "axis": None}}
    layers: list[JsonValue] = [
        {"mark": {"type": "bar", "color": _BAR}, "encoding": {**of_bar, **y}},
        {
            "mark": {"type": "text", "dy": -7},
            "encoding": {**of_label, **y, "text": {"field": "shown", "type": "nominal"}},
        },
    ]
    size: Spec = {"width": _HISTOGRAM_WIDTH, "height": _HISTOGRAM_HEIGHT}
    return _draw({**size, "layer": layers}, values, histogram_text(distribution))


def histogram_text(distribution: Distribution) -> str:
    """Return the same in words."""
    unit = distribution.unit
    bars = "; ".join(f"{_range(bar, unit)}: {bar.count}" for bar in distribution.bars)
    return f"{distribution.name} of {plural(distribution.count, 'task')}. {bars}."


def draw_intervals(rows: Sequence[tuple[str, Estimate]]) -> str:
    """Draw means as points on one scale, each with its interval as a line.

    Args:
        rows: The name of each and its mean, from the top.
    """
    values: list[JsonValue] = [
        {"place": place, "name": name, "mean": estimate.mean, "low": low, "high": high}
        for place, (name, estimate) in enumerate(rows)
        for low, high in [_ends(estimate)]
    ]
    ends = [end for _, estimate in rows for end in _ends(estimate)]
    # Of a rate, the whole of its scale shows how much is left.
    is_rate = min(ends) >= 0 and max(ends) <= 1
    x: Spec = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]} if is_rate else {"zero": False},
        "axis": {"tickCount": 5, "format": "~g", "title": "mean score"},
    }
    by_row: JsonValue = {
        "field": "place",
        "type": "ordinal",
        "axis": {"labels": False, "ticks": False, "domain": False, "grid": True},
    }
    y: Spec = {"y": by_row}
    layers: list[JsonValue] = [
        {
            "mark": {"type": "rule", "color": _BAR, "strokeWidth": 5, "strokeCap": "round"},
            "encoding": {**y, "x": {"field": "low", **x}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "color": _POINT, "size": 80, "opacity": 1},
            "encoding": {**y, "x": {"field": "mean", **x}},
        },
        {
            "mark": {"type": "text", "align": "right", "dx": -8, "limit": _LABEL_WIDTH},
            "encoding": {**y, "x": {"value": 0}, "text": {"field": "name", "type": "nominal"}},
        },
    ]
    size: Spec = {"width": _INTERVALS_WIDTH, "height": {"step": _ROW_HEIGHT}}
    words = "; ".join(f"{name}: {estimate.text}" for name, estimate in rows)
    return _draw({**size, "layer": layers}, values, f"Means with 95 % intervals. {words}.")


def _across(bars: Sequence[Bar], unit: str) -> tuple[Spec, Spec]:
    """The places of bars and of their labels: by name if each is one value, else on a scale."""
    if all(bar.low == bar.high for bar in bars):
        # Times and costs have their unit in the name.
        title = None if unit in ("s", "$") else _TITLES[unit]
        by_name: JsonValue = {
            "field": "name",
            "type": "ordinal",
            "sort": None,
            "axis": {"labelAngle": 0, "ticks": False, "title": title},
            "scale": {"paddingInner": 0.15, "paddingOuter": 0.3 if len(bars) > 1 else 1},
        }
        return {"x": by_name}, {"x": by_name}
    label, title = _scale(bars[-1].high, unit)
    x: Spec = {
        "type": "quantitative",
        "scale": {"domain": [bars[0].low, bars[-1].high], "nice": False, "zero": False},
        "axis": {
            "values": [*_edges(bars)],
            "labelExpr": label,
            "labelOverlap": "greedy",
            "labelSeparation": 6,
            "grid": False,
            "title": title,
        },
    }
    from_to: Spec = {"x": {"field": "low", "bin": "binned", **x}, "x2": {"field": "high"}}
    return from_to, {"x": {"field": "middle", **x}}


def _scale(greatest: float, unit: str) -> tuple[str, str]:
    """Return the expression for an axis' labels, and its title, which names the unit."""
    if unit == "s" and greatest < 1:
        return "format(datum.value * 1000, '~g')", "milliseconds"
    form = "~s" if unit == "tokens" and greatest >= _THOUSAND else ",~g"
    return f"format(datum.value, '{'$' if unit == '$' else ''}{form}')", _TITLES[unit]


def _draw(spec: Spec, values: list[JsonValue], label: str) -> str:
    import vl_convert

    whole: Spec = {
        "data": {"values": values},
        "background": None,
        "padding": 4,
        "config": _CONFIG,
        **spec,
    }
    # No chart of ours loads anything; texts are escaped there, and the page's policy runs nothing.
    drawn = vl_convert.vegalite_to_svg(whole, allowed_base_urls=[])
    return _ROOT.sub(
        lambda root: f'<svg {root[1]} role="img" aria-label="{escape(label)}">', drawn, count=1
    )


def _range(bar: Bar, unit: str) -> str:
    low = amount(bar.low, unit)
    return low if bar.high == bar.low else f"{low} to {amount(bar.high, unit)}"


def _edges(bars: Sequence[Bar]) -> Iterator[float]:
    yield bars[0].low
    yield from (bar.high for bar in bars)


def _ends(estimate: Estimate) -> tuple[float, float]:
    interval = estimate.interval
    return (interval.low, interval.high) if interval else (estimate.mean, estimate.mean)
