"""Commands that fix a repository, for a new shell in the same folder."""

import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmark_runner._text import shell_line

__all__ = ["copier", "in_project", "install", "uninstall", "update"]


def in_project(root: Path, *commands: Sequence[str]) -> str:
    """Return the line that runs ``commands`` at the project's root, up to the first that fails."""
    there = [] if Path.cwd() == root else [["cd", str(root)]]
    return " && ".join(shell_line(command) for command in [*there, *commands])


def install(root: Path) -> list[str]:
    """Return the command that installs the project with its dependencies."""
    if _has_make(root):
        return ["make", "install"]
    if shutil.which("uv"):
        return ["uv", "sync"]
    return [_from(root, sys.executable), "-m", "pip", "install", "--editable", "."]


def uninstall(root: Path, *distributions: str) -> list[str]:
    """Return the command that removes distributions from this environment."""
    python = _from(root, sys.executable)
    if shutil.which("uv"):
        return ["uv", "pip", "uninstall", "--python", python, *distributions]
    return [python, "-m", "pip", "uninstall", "--yes", *distributions]


def update(root: Path) -> list[list[str]]:
    """Return the commands that update to the template's newest release."""
    return [["make", "update"]] if _has_make(root) else copier(root, "update", "--skip-answered")


def copier(root: Path, *arguments: str) -> list[list[str]]:
    """Return the commands that run copier, installed or not."""
    python = _from(root, sys.executable)
    if found := shutil.which("copier"):
        # One that belongs to this environment may not be on the path of a new shell.
        own = Path(found).is_relative_to(sys.prefix)
        return [[_from(root, found) if own else "copier", *arguments]]
    if find_spec("copier") is not None:
        return [[python, "-m", "copier", *arguments]]
    if shutil.which("uvx"):
        return [["uvx", "copier", *arguments]]
    return [[python, "-m", "pip", "install", "copier"], [python, "-m", "copier", *arguments]]


def _has_make(root: Path) -> bool:
    return shutil.which("make") is not None and (root / "Makefile").is_file()


def _from(root: Path, program: str) -> str:
    path = Path(program)
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
