"""Write the table of the runtime's rooms, and of what each imports, into CONTRIBUTING.md.

The order is that of the layers in ``pyproject.toml``, the imports are those of the code, and
the descriptions are the first lines of the docstrings. With ``--check`` nothing is written: the
exit code tells whether the table is up to date.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import grimp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
SOURCES = ROOT / "runtime" / "src"
PACKAGE = "benchmark_runner"
BEGIN, END = "<!-- rooms: written by `nox -s rooms` -->\n", "<!-- /rooms -->"


def rooms() -> list[str]:
    """Return the names of the rooms, from the top layer down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [
        contract["layers"] for contract in settings["contracts"] if contract["type"] == "layers"
    ]
    return [name.strip("() ") for layer in layers for name in re.split(r"[|:]", layer)]


def imports_of(names: Sequence[str]) -> dict[str, list[str]]:
    """Return, for each room, the other rooms that it imports, in the order of the layers."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: dict[str, set[str]] = {name: set() for name in names}
    for module in graph.modules:
        room = _room_of(module)
        for imported in graph.find_modules_directly_imported_by(module):
            found.setdefault(room, set()).add(_room_of(imported))
    return {
        name: [other for other in names if other in found[name] and other != name] for name in names
    }


def description(name: str) -> str:
    """Return the first line of the docstring of a room's package or module."""
    folder = SOURCES / PACKAGE / name
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    first = re.split(r"(?<=[.!?])\s", " ".join(docstring.split("\n\n")[0].split()))[0]
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", first.replace("``", "`")).replace("|", r"\|")


def table() -> Iterator[str]:
    """Yield the lines of the table."""
    names = rooms()
    imports = imports_of(names)
    yield "| room | contents | imports |"
    yield "|---|---|---|"
    for name in names:
        arrows = ", ".join(f"`{other}`" for other in imports[name])
        yield f"| `{name}` | {description(name)} | {arrows or 'nothing'} |"


def _room_of(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def main() -> int:
    """Write the table, or check it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the table is out of date")
    check = parser.parse_args().check
    sys.path.insert(0, str(SOURCES))
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    current = before + BEGIN + "\n".join(table()) + "\n" + END + after
    if current == text:
        return 0
    if check:
        print("The table of rooms in CONTRIBUTING.md is out of date. Update it: nox -s rooms")
        return 1
    PAGE.write_text(current)
    return 0


if __name__ == "__main__":
    sys.exit(main())
