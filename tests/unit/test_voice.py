"""The rules of names and voice that a program can check."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import benchmark_runner

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(benchmark_runner.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
#: First words of a question, or of a roundabout order.
QUESTION = re.compile(r"(What|Whether|How|Who|Where|Which|Why|Have|Let|Say)\b")
#: Words of a private language, and what to write for them is in the contributor's guide.
PRIVATE_WORDS = re.compile(
    r"\b(anew|heals?|beside the loop|(an)?other try|(is|are) told of|go(es)? on with|"
    r"let go of|take away|hands? on)\b",
    re.IGNORECASE,
)
#: Nouns that end as a gerund does.
NOUNS = {"grouping", "pairing", "scoring", "testing"}


def docstrings_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every text that stands as a statement, with its line: docstrings of fields, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.strip()
            case _:
                pass


def test_no_summary_begins_with_a_question() -> None:
    assert [
        f"{path.relative_to(PACKAGE)}:{line}: {text.splitlines()[0]}"
        for path in MODULES
        for line, text in docstrings_in(path)
        if QUESTION.match(text)
    ] == []


def test_no_module_is_named_by_a_gerund() -> None:
    names = {path.stem.lstrip("_") for path in MODULES}
    assert sorted(name for name in names if re.search("ing$|ed$", name)) == sorted(NOUNS)


def test_no_source_speaks_a_private_language() -> None:
    assert [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if PRIVATE_WORDS.search(line)
    ] == []


def test_every_module_says_what_it_is() -> None:
    assert [
        str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))
    ] == []
