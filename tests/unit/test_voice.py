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
NOUNS = {"grouping", "pairing", "scoring"}


def docstrings_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every text that stands as a statement, with its line: docstrings of fields, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield node.lineno, text.strip()
            case _:
                pass


def test_no_summary_begins_with_a_question() -> None:
    """The docstrings of the package do not begin as questions."""
    assert [
        f"{path.relative_to(PACKAGE)}:{line}: {text.splitlines()[0]}"
        for path in MODULES
        for line, text in docstrings_in(path)
        if QUESTION.match(text)
    ] == []


def test_no_module_is_named_by_a_gerund() -> None:
    """The names of modules are no gerunds, but for a few nouns."""
    names = {path.stem.lstrip("_") for path in MODULES}
    assert sorted(name for name in names if re.search("ing$|ed$", name)) == sorted(NOUNS)


def test_no_source_speaks_a_private_language() -> None:
    """The source of the package is free of private words."""
    assert [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if PRIVATE_WORDS.search(line)
    ] == []


def test_every_module_has_a_docstring() -> None:
    """Each module of the package has a docstring."""
    assert [
        str(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))
    ] == []


TESTS = Path(__file__).parents[1]
LONGEST_NAME = 50
#: A capital, a flag or a call begins a docstring of a test, and a full stop ends it.
SENTENCE = re.compile(r"(?!(Tests?|Checks?|Verify)\b)([A-Z]|-|\w+\().*\.\Z", re.DOTALL)


def docstrings_of_tests() -> dict[str, str]:
    """Return the docstring of each test, empty if it has none."""
    return {
        f"{path.relative_to(TESTS)}:{node.lineno}::{node.name}": ast.get_docstring(node) or ""
        for path in sorted(TESTS.rglob("test_*.py"))
        if "old_runner" not in path.parts  # a project of an earlier framework, kept as it was
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_")
    }


def test_tests_have_short_names() -> None:
    """The name of a test has at most 50 characters."""
    names = [test.split("::")[-1] for test in docstrings_of_tests()]
    assert names
    assert [name for name in names if len(name) > LONGEST_NAME] == []


def test_docstrings_of_tests_state_the_behaviour() -> None:
    """The docstring of a test is a sentence that states the behaviour."""
    docs = docstrings_of_tests()
    assert {
        test: doc
        for test, doc in docs.items()
        if not SENTENCE.match(doc) or QUESTION.match(doc) or PRIVATE_WORDS.search(doc)
    } == {}
