"""The wheel of a runner, which an image installs: modules of the author's that it would lack.

In a repository everything beside ``runner/`` can be imported; a wheel holds what
``pyproject.toml`` lists for hatchling.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path, PurePath
from typing import cast

from benchmark_runner._project.manifest import MANIFEST, Table, read_manifest, table_in

_TABLE = "[tool.hatch.build.targets.wheel]"
#: A module that is named in a text, as in ``make_cli(grader="graders.exact:grade")``.
_REFERENCE = re.compile(r"([A-Za-z_]\w*)(?:\.\w+)*:\w+")

#: Functions that import the module that their first argument names.
_IMPORTERS = frozenset({"__import__", "import_module"})


@dataclass(frozen=True, slots=True)
class MissingModule:
    """A module or package beside the runner's that the wheel would lack, and its first user."""

    path: PurePath
    used_by: PurePath

    def __str__(self) -> str:
        return f"{self.used_by} uses {self.path}, which is not in the wheel, nor in the image"

    @property
    def advice(self) -> str:
        """The line that includes it."""
        return f'Add "/{self.path.as_posix()}" to include of {_TABLE} in {MANIFEST}.'


def missing_modules(root: Path, package: Path) -> list[MissingModule]:
    """Return what the code of ``package``, in the project at ``root``, uses beside it.

    What is not built by hatchling, or can't be read, is not judged.
    """
    manifest = read_manifest(root)
    wheel = _wheel_settings(manifest)
    first = _top_package(package)
    if wheel is None or not first.is_relative_to(root):
        return []
    # A module at the root has no package; the scripts lead to it.
    folder, waiting = (root, []) if first == root else (first.parent, [first])
    uses = [(PurePath(MANIFEST), name) for name in _script_modules(manifest)]
    found: dict[Path, MissingModule | None] = {first: None}
    while waiting or uses:
        for file, name in uses:
            path = _beside(folder, name)
            if path is not None and path not in found:
                relative = path.relative_to(root)
                held = _holds(wheel, relative)
                found[path] = None if held else MissingModule(relative, file)
                waiting += [path] if held else []
        used = _uses_in(waiting.pop()) if waiting else ()
        uses = [(file.relative_to(root), name) for file, name in used]
    return [module for module in found.values() if module is not None]


def _wheel_settings(manifest: Table) -> Table | None:
    """Return hatchling's settings of the wheel, if they say what is in it."""
    if table_in(manifest, "build-system").get("build-backend") != "hatchling.build":
        return None
    build = table_in(manifest, "tool", "hatch", "build")
    settings = {**build, **table_in(build, "targets", "wheel")}
    return settings if settings.keys() & {"include", "only-include", "packages"} else None


def _holds(wheel: Table, path: PurePath) -> bool:
    """Return True if the wheel has ``path`` under the name that it is imported by."""
    keys = ("only-include", "include", "packages")
    patterns = next((texts for key in keys if (texts := _texts(wheel.get(key)))), ())
    forced = table_in(wheel, "force-include").keys()
    renamed = table_in(wheel, "sources").keys() - {"", *map(str, path.parents)}
    return (
        any(_matches(pattern, path) for pattern in (*patterns, *forced))
        and not any(_matches(pattern, path, whole=True) for pattern in _texts(wheel.get("exclude")))
        and not any(_matches(name, path) for name in renamed)
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, cast("list[object]", value))) if isinstance(value, list) else ()


def _matches(pattern: str, path: PurePath, *, whole: bool = False) -> bool:
    """Return True if a pattern of git's kind selects ``path``, or something in it."""
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if whole and len(parts) > len(path.parts):
        return False
    # Without a slash, a pattern selects files of that name anywhere.
    pairs = zip(parts, path.parts, strict=False)
    return all(wanted == "**" or fnmatchcase(part, wanted) for wanted, part in pairs)


def _top_package(package: Path) -> Path:
    while (package.parent / "__init__.py").is_file():
        package = package.parent
    return package


def _beside(folder: Path, name: str) -> Path | None:
    """Return the module or package that ``name`` imports, if it is in ``folder``."""
    if name in sys.stdlib_module_names:
        return None
    candidates = (folder / name, folder / f"{name}.py")
    path = next((path for path in candidates if path.is_file() or _has_code(path)), None)
    return path if path is not None and _is_imported_from(folder, name) else None


def _has_code(folder: Path) -> bool:
    return folder.is_dir() and any(folder.rglob("*.py"))


def _is_imported_from(folder: Path, name: str) -> bool:
    """Return False for a folder that an installed package of the same name hides."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return True
    if spec is None:
        return True
    places = [spec.origin] if spec.has_location else spec.submodule_search_locations or []
    return any(place is not None and Path(place).is_relative_to(folder) for place in places)


def _script_modules(manifest: Table) -> Iterator[str]:
    for kind in ("scripts", "gui-scripts"):
        yield from _referenced(table_in(manifest, "project", kind).values())


def _uses_in(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file of a module or package, with the top-level modules that it names."""
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for name in _named_in(tree):
            yield file, name


def _named_in(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            children: Iterable[ast.AST] = node.orelse  # the rest is never imported
        case ast.Import():
            yield from (alias.name.partition(".")[0] for alias in node.names)
            return
        case ast.ImportFrom(module=str(module), level=0):
            yield module.partition(".")[0]
            return
        case ast.Call(
            func=ast.Name(id=called) | ast.Attribute(attr=called),
            args=[ast.Constant(value=str(module)), *_],
        ) if called in _IMPORTERS and not module.startswith("."):
            yield module.partition(".")[0]
            children = ast.iter_child_nodes(node)
        case ast.Constant():
            yield from _referenced([node.value])
            return
        case _:
            children = ast.iter_child_nodes(node)
    for child in children:
        yield from _named_in(child)


def _referenced(texts: Iterable[object]) -> Iterator[str]:
    for text in texts:
        if isinstance(text, str) and (reference := _REFERENCE.fullmatch(text)):
            yield reference[1]
