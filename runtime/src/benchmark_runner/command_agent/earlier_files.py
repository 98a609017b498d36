"""The files that stand in a workspace before a command begins: what it leaves as it is, is not its.

A workspace that is used again holds the answer and the trajectory of another task, or attempt.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["EarlierFiles"]

_Stamp = tuple[int, int, int, int]


class EarlierFiles:
    """The state of files before a command; ``in`` tells whether a file still is as it was."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._stamps = {path: _stamp(path) for path in paths}

    def __contains__(self, path: Path) -> bool:
        before = self._stamps.get(path)
        return before is not None and before == _stamp(path)


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = os.lstat(path)
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
