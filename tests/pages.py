"""The Markdown pages of this repository: their sections, code blocks and links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "runtime" / "docs"
README = ROOT / "README.md"
#: What is written for people to read, but for the templates of a copy's pages.
PAGES = sorted(
    page
    for pattern in ("*.md", "template/*.md.jinja", "runtime/README.md", "runtime/docs/*.md")
    for page in ROOT.glob(pattern)
)

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"(#+) (.+)")


def sections(page: Path) -> dict[str, str]:
    """Return the text below each heading of a page, up to the next heading."""
    found = {"": ""}
    heading, in_code = "", False
    for line in page.read_text().splitlines(keepends=True):
        in_code ^= line.startswith("```")
        if not in_code and (match := _HEADING.match(line)):
            heading = match[2].strip()
            assert heading not in found, f"{page.name} has the heading {heading!r} twice"
            found[heading] = ""
        else:
            found[heading] += line
    return found


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a text that are in a language."""
    return [code for name, code in _FENCE.findall(text) if name == language]


def commands(page: Path, heading: str) -> list[str]:
    """Return the commands below a heading, without the comments behind them."""
    code = "".join(blocks(sections(page)[heading], "sh"))
    return [re.sub(r"\s+# .*", "", command) for command in code.splitlines()]


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither code nor part of a table, with their numbers."""
    in_code = False
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        in_code ^= line.startswith("```")
        if not in_code and not line.startswith("|"):
            yield number, line


def links(page: Path) -> list[str]:
    """Return the targets of a page's links and pictures, inline and by reference."""
    text = _FENCE.sub("", page.read_text())
    inline = re.findall(r"\]\(([^)\s]+)\)", text)
    return inline + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)


def anchor(heading: str) -> str:
    """Return the fragment by which a heading is linked."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


def sections_with_commands(pages: Iterable[Path]) -> set[tuple[Path, str]]:
    """Return the sections of pages, by page and heading, that have commands."""
    return {
        (page, heading)
        for page in pages
        for heading, text in sections(page).items()
        if blocks(text, "sh")
    }
