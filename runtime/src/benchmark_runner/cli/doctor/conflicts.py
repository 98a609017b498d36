"""Conflict markers and rejected changes that an update of the template has left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._text import some_ids
from benchmark_runner.cli.doctor.findings import Finding, NotChecked, fault, ok
from benchmark_runner.cli.doctor.processes import ProgramError, call

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["check_conflicts"]

#: As `make conflicts` of a copy, which works in a folder without a repository, too.
_GREP = ("git", "grep", "--no-index", "--exclude-standard", "-I")
_FOUND_NOTHING = 1


async def check_conflicts(root: Path) -> Finding:
    """Search the files that git does not ignore.

    Raises:
        NotChecked: git can't search.
    """
    marked = await _grep(root, "--line-number", "--null", "--extended-regexp", "^(<{7}|>{7}) ")
    places = [":".join(line.split("\0")[:2]) for line in marked]
    places += await _grep(root, "--files-with-matches", "", "--", "*.rej")
    if not places:
        return ok("no conflict markers, and no rejected changes")
    return fault(
        f"conflict markers or rejected changes of an update: {some_ids(sorted(places))}",
        advice="Merge these places by hand, and delete the .rej files.",
    )


async def _grep(root: Path, *arguments: str) -> list[str]:
    # A repository around the project may ignore it.
    environment = {"GIT_CEILING_DIRECTORIES": str(root.parent)}
    try:
        printed = await call(*_GREP, *arguments, cwd=root, environment=environment)
    except ProgramError as error:
        if error.exit_code == _FOUND_NOTHING:
            return []
        raise NotChecked(str(error)) from None
    return printed.decode("utf-8", "surrogateescape").splitlines()
