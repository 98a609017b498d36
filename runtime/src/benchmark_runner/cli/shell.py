"""Commands that are printed for a person to run, such that they work in a fresh shell."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def command_line(arguments: Sequence[str], script_name: str, project_root: Path | None) -> str:
    """Return the command line that runs this program again with ``arguments``.

    ``script_name`` is the console script, for a program that was started some other way.
    """
    return shlex.join([*_program(script_name, project_root), *arguments])


def _program(script_name: str, project_root: Path | None) -> list[str]:
    script = Path(sys.argv[0])
    if not (script.is_file() and os.access(script, os.X_OK)):
        script = Path(sys.executable).with_name(script_name)
    started_by_uv = "UV_RUN_RECURSION_DEPTH" in os.environ
    found = shutil.which(script.name)
    if found is not None and not started_by_uv and Path(found).resolve() == script.resolve():
        return [script.name]
    if project_root is not None and shutil.which("uv") and _belongs_to(project_root):
        inside = Path.cwd().is_relative_to(project_root)
        where = [] if inside else ["--project", str(project_root)]
        return ["uv", "run", *where, script.name]
    return [short_path(script)]


def _belongs_to(project_root: Path) -> bool:
    return Path(sys.prefix).is_relative_to(project_root)


def short_path(path: Path) -> str:
    """Return ``path`` as seen from the working directory, where it is below it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
