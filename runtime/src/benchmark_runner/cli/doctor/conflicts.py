"""What an update could not merge: conflict markers, and files of rejected changes."""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import beside_loop
from benchmark_runner._text import some_ids
from benchmark_runner.cli.doctor.findings import Finding, fault, ok
from benchmark_runner.cli.doctor.processes import ProgramError, git

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKER = re.compile(rb"^(?:<{7}|>{7}) ", re.MULTILINE)
#: Without git, what is not the author's is known by its name.
_MADE = frozenset({"__pycache__", "dist", "node_modules", "results", "vendor"})
_HIDDEN_BUT_OURS = frozenset({".github"})
#: A file that holds a zero byte so early is no text.
_LOOKED_AT = 8192


async def check_conflicts(root: Path) -> Finding:
    """Look for what an update left for a person to merge."""
    files = await _files(root)
    places = await beside_loop(lambda: [place for name in files for place in _places(root, name)])
    if not places:
        return ok("no conflict markers, and no rejected changes")
    kinds = "conflict markers or rejected changes of an update"
    return fault(
        f"{kinds}: {some_ids(places)}",
        advice="Merge by hand what stands there, and delete the .rej files.",
    )


async def _files(root: Path) -> list[str]:
    """The files that git tracks or would, else all that look like the author's."""
    try:
        listed = await git(
            "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=root
        )  # fmt: skip
    except ProgramError:
        listed = ""
    # None at all: it is the repository around the project, which ignores it.
    return sorted(set(filter(None, listed.split("\0")))) or await beside_loop(_walk, root)


def _walk(root: Path) -> list[str]:
    found: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if _is_authors(Path(folder, name)))
        found += [str(Path(folder, name).relative_to(root)) for name in sorted(files)]
    return found


def _is_authors(folder: Path) -> bool:
    if folder.name in _MADE or (folder / "pyvenv.cfg").exists():
        return False
    return not folder.name.startswith(".") or folder.name in _HIDDEN_BUT_OURS


def _places(root: Path, name: str) -> Iterator[str]:
    path = root / name
    if path.is_symlink() or not path.is_file():  # deleted, or a submodule
        return
    if path.suffix == ".rej":
        yield name
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if b"\0" in content[:_LOOKED_AT]:
            return
        line, seen = 1, 0
        for marker in _MARKER.finditer(content):
            line += content[seen : marker.start()].count(b"\n")
            seen = marker.start()
            yield f"{name}:{line}"
