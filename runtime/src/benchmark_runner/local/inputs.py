"""The input files of tasks, which lie in a folder for each task."""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from benchmark_runner._json import valid_text
from benchmark_runner.errors import DatasetError

__all__ = ["input_files"]

#: A name that stands in a path of the service as it is.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
#: What the Mac's Finder leaves in each folder that it shows.
_NO_INPUT = ".DS_Store"
#: Characters that a name keeps after the hash that makes it unique.
_KEPT = 80


def input_files(folder: Path, task_id: str, wanted: str | None = None) -> dict[str, str]:
    """Return the files of a task, relative to its folder, by the names that clients ask for.

    All of them, or only the one that is ``wanted``. Links that lead out of the task's folder are
    left out: they may lead to reference answers.

    Raises:
        DatasetError: a name is not UTF-8, so that JSON can't hold it.
    """
    own = folder / task_id
    if own.resolve().parent != folder.resolve():  # a link, or an id that is no name
        return {}
    named = ((_name_of(path), path) for path in _paths_in(own))
    return {name: path for name, path in named if wanted in (None, name) and _is_input(own, path)}


def _paths_in(folder: Path) -> Iterator[str]:
    start = len(os.fspath(folder)) + 1
    for base, _, names in os.walk(folder):
        for name in sorted(names):
            if name != _NO_INPUT:
                yield f"{base}/{name}"[start:]


def _is_input(folder: Path, relative: str) -> bool:
    path = folder / relative
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        return False
    if valid_text(relative) != relative:
        message = f"rename the input file {os.fspath(path)!r}: its name is not UTF-8"
        raise DatasetError(message)
    return True


def _name_of(relative: str) -> str:
    """Return a name without separators, from which no other file's follows."""
    if _PLAIN.fullmatch(relative):
        return relative
    readable = re.sub(r"[^A-Za-z0-9._-]", "_", relative.rpartition("/")[2])[-_KEPT:]
    return f"{hashlib.sha256(os.fsencode(relative)).hexdigest()[:12]}-{readable}"
