"""Charts as SVG elements of the page, drawn by Vega-Lite from the extra ``report``.

Colours are CSS variables, which the page sets for light and dark. A label says in words what a
chart shows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from pydantic import JsonValue

from benchmark_runner._stats.histograms import Bar
from benchmark_runner.results.estimate import Estimate
from benchmark_runner.results.phrases import amount, plural
from benchmark_runner.results.report.run_figures import Distribution

if TYPE_CHECKING:
    from markupsafe import Markup

Spec = dict[str, JsonValue]

__all__ = ["draw_histogram", "draw_intervals"]


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


def draw_histogram(distribution: Distribution) -> Markup:
    """Draw the number of values in each range as bars with that number above."""
    bars, unit = distribution.bars, distribution.unit
    values: list[JsonValue] = [
        {
            "low": bar.low,
            "high": bar.high,
            "middle": (bar.low + bar.high) / 2,
            "name": amount(bar.low, unit),
            "count": bar.count,
            "shown": str(bar.count) if bar.count else "",
        }
        for bar in bars
    ]
    y: Spec = {"y": {"field": "count", "type": "quantitative", "axis": None}}
    by_name = all(bar.low == bar.high for bar in bars)
    of_bar, of_label = _by_name(bars, unit) if by_name else _by_range(bars, unit)
    text: Spec = {"text": {"field": "shown", "type": "nominal"}}
    layers: list[JsonValue] = [
        {"mark": {"type": "bar", "color": _BAR}, "encoding": {**of_bar, **y}},
        {"mark": {"type": "text", "dy": -7}, "encoding": {**of_label, **y, **text}},
    ]
    size: Spec = {"width": _HISTOGRAM_WIDTH, "height": _HISTOGRAM_HEIGHT}
    ranges = "; ".join(f"{_range(bar, unit)}: {bar.count}" for bar in bars)
    label = f"{distribution.name} of {plural(distribution.count, distribution.of)}. {ranges}."
    return _draw({**size, "layer": layers}, values, label)


def draw_intervals(rows: Sequence[tuple[str, Estimate]]) -> Markup:
    """Draw means as points on one scale, each with its interval as a line.

    Args:
        rows: The name of each and its mean, from the top.
    """
    ends = [_ends(estimate) for _, estimate in rows]
    values: list[JsonValue] = [
        {"place": place, "name": name, "mean": estimate.mean, "low": low, "high": high}
        for place, ((name, estimate), (low, high)) in enumerate(zip(rows, ends, strict=True))
    ]
    # Of a rate, the whole of its scale shows how much is left.
    is_rate = all(low >= 0 and high <= 1 for low, high in ends)
    x: Spec = {
        "type": "quantitative",
        "scale": {"domain": [0, 1]} if is_rate else {"zero": False},
        "axis": {"tickCount": 5, "format": "~g", "title": "mean score"},
    }
    grid: Spec = {"labels": False, "ticks": False, "domain": False, "grid": True}
    y: Spec = {"y": {"field": "place", "type": "ordinal", "axis": grid}}
    text: Spec = {"x": {"value": 0}, "text": {"field": "name", "type": "nominal"}}
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
            "encoding": {**y, **text},
        },
    ]
    size: Spec = {"width": _INTERVALS_WIDTH, "height": {"step": _ROW_HEIGHT}}
    words = "; ".join(f"{name}: {estimate.text}" for name, estimate in rows)
    return _draw({**size, "layer": layers}, values, f"Means with 95 % intervals. {words}.")


def _by_name(bars: Sequence[Bar], unit: str) -> tuple[Spec, Spec]:
    """Return the places of bars that are one value each, and those of their labels."""
    # Times and costs have their unit in the name.
    title = None if unit in ("s", "$") else _TITLES[unit]
    x: Spec = {
        "field": "name",
        "type": "ordinal",
        "sort": None,
        "axis": {"labelAngle": 0, "ticks": False, "title": title},
        "scale": {"paddingInner": 0.15, "paddingOuter": 0.3 if len(bars) > 1 else 1},
    }
    return {"x": x}, {"x": x}


def _by_range(bars: Sequence[Bar], unit: str) -> tuple[Spec, Spec]:
    """Return the places of bars on a scale, and those of their labels."""
    label, title = _scale(bars[-1].high, unit)
    x: Spec = {
        "type": "quantitative",
        "scale": {"domain": [bars[0].low, bars[-1].high], "nice": False, "zero": False},
        "axis": {
            "values": [bars[0].low, *(bar.high for bar in bars)],
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


def _draw(spec: Spec, values: list[JsonValue], label: str) -> Markup:
    import vl_convert
    from markupsafe import Markup

    frame: Spec = {"background": None, "padding": 4, "config": _CONFIG}
    whole: Spec = {"data": {"values": values}, **frame, **spec}
    # No chart of ours loads anything; texts are escaped there, and the page's policy runs nothing.
    drawn = vl_convert.vegalite_to_svg(whole, allowed_base_urls=[])
    attributes = f'role="img" aria-label="{escape(label)}"'
    named = _ROOT.sub(lambda root: f"<svg {root[1]} {attributes}>", drawn, count=1)
    return Markup(named)  # noqa: S704 (see above)


def _range(bar: Bar, unit: str) -> str:
    low = amount(bar.low, unit)
    return low if bar.high == bar.low else f"{low} to {amount(bar.high, unit)}"


def _ends(estimate: Estimate) -> tuple[float, float]:
    interval = estimate.interval
    return (interval.low, interval.high) if interval else (estimate.mean, estimate.mean)
