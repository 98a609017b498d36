"""Commands that are printed for a person to run, such that they work in a fresh shell."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._start_state import absolute, output, start_arguments, start_folder
from benchmark_runner._text import shell_line

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes of a script in which its interpreter is named.
_BEGINNING = 1024


def command_line(arguments: Sequence[str], script_name: str, project_root: Path | None) -> str:
    """Return the command line that runs this program again with ``arguments``.

    ``script_name`` is the console script, for a program that was started some other way.
    """
    encoding = getattr(output(), "encoding", None) or "utf-8"
    return shell_line([*_program(script_name, project_root), *arguments], encoding)


def _program(script_name: str, project_root: Path | None) -> list[str]:
    started = absolute(Path("".join(start_arguments()[:1])))
    if _runs_by_itself(started):
        return _console_script(started, project_root)
    as_started = _as_started()
    if as_started and as_started[1] != "-c":
        return as_started
    # Called by a program of another kind, such as a test or a notebook.
    script = Path(sys.executable).with_name(script_name)
    if as_started and not _runs_by_itself(script):
        return as_started
    return _console_script(script, project_root)


def _console_script(script: Path, project_root: Path | None) -> list[str]:
    started_by_uv = "UV_RUN_RECURSION_DEPTH" in os.environ
    found = shutil.which(script.name)
    if found is not None and not started_by_uv and Path(found).resolve() == script.resolve():
        return [script.name]
    if project_root is not None and shutil.which("uv") and _belongs_to(project_root):
        where = [] if _is_inside(project_root) else ["--project", str(project_root)]
        return ["uv", "run", *where, script.name]
    path = short_path(script)
    return [path if "/" in path else f"./{path}"]


def _as_started() -> list[str]:
    """Return how Python was started: ``python bench.py``, ``python -m bench``; empty if unknown."""
    name, *arguments = start_arguments() or [""]
    given = len(sys.orig_argv) - len(arguments)
    program = sys.orig_argv[1:given]
    is_program = name in program[-1:] or "-m" in program or "-c" in program
    if sys.orig_argv[given:] != arguments or not is_program:
        return []
    return [_python(), *program]


def _python() -> str:
    in_environment = sys.prefix != sys.base_prefix
    for name in ("python", "python3"):
        found = shutil.which(name)
        # An environment's is a link to another one.
        if found and (found == sys.executable or (not in_environment and _is_same(found))):
            return name
    return short_path(Path(sys.executable))


def _is_same(program: str) -> bool:
    return Path(program).resolve() == Path(sys.executable).resolve()


def _runs_by_itself(script: Path) -> bool:
    """Return True if the system runs the file, with this interpreter."""
    if not (script.is_file() and os.access(script, os.X_OK)):
        return False
    with script.open("rb") as file:
        beginning = file.read(_BEGINNING)
    if not beginning.startswith(b"#!"):
        return False
    beside = script.parent.absolute() == Path(sys.executable).parent
    return beside or os.fsencode(sys.executable) in beginning


def _belongs_to(project_root: Path) -> bool:
    return Path(sys.prefix).is_relative_to(project_root)


def _is_inside(folder: Path) -> bool:
    return start_folder().is_relative_to(folder)


def short_path(path: Path) -> str:
    """Return ``path`` as seen from the first working directory, where it is below it."""
    try:
        return str(absolute(path).relative_to(start_folder()))
    except ValueError:
        return str(path)
