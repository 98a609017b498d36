"""A chart's SVG with nothing in it but shapes and words, to stand in a page.

What a library draws is taken apart and put together anew from a list of what is allowed: no
script, no style, no link, nothing that loads. Colours are those of the page, by ``var()``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset({"svg", "g", "path", "line", "rect", "circle", "text", "tspan"})
_ATTRIBUTES = (
    *("d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "width", "height", "cx", "cy", "r"),
    *("transform", "viewBox", "opacity", "fill", "fill-opacity"),
    *("stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap"),
    *("font-size", "font-weight", "text-anchor"),
)
#: Numbers, names and colours; of functions those that move, and ``var()``.
_VALUE = re.compile(r"(?:[\w\s.,#+-]|\b(?:translate|rotate|scale|var)\([\w\s.,+-]*\))*")
_OF_ROOT = frozenset({"viewBox"})


def plain_svg(drawn: str, described: str) -> str:
    """Put together what a library has drawn, for a page.

    Args:
        drawn: Its SVG.
        described: What the chart says, in words, for who does not see it.

    Raises:
        ParseError: it is no SVG.
    """
    source = ET.fromstring(drawn)  # noqa: S314 (of a library of ours, made just now)
    root = _plain(source)
    if root is None:
        raise ET.ParseError(f"{source.tag} is no SVG")
    for name in [name for name in root.attrib if name not in _OF_ROOT]:
        del root.attrib[name]
    root.set("role", "img")
    root.set("aria-label", described)
    return ET.tostring(root, encoding="unicode")


def _plain(source: Element) -> Element | None:
    name = source.tag.removeprefix(_NAMESPACE)
    if name not in _ELEMENTS or _is_empty(source):
        return None
    made = ET.Element(name)
    for attribute in _ATTRIBUTES:
        value = source.get(attribute)
        if value is not None and _VALUE.fullmatch(value):
            made.set(attribute, value)
    made.text = source.text
    made.extend(child for each in source if (child := _plain(each)) is not None)
    return None if name == "g" and not len(made) else made


def _is_empty(source: Element) -> bool:
    hidden = source.get("display") == "none" or source.get("opacity") == "0"
    return hidden or source.get("d") in ("", "M0,0h0v0h0Z")
