"""What is in a folder, for tests that compare it before and after."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def contents(folder: Path) -> dict[Path, bytes]:
    """Return the bytes of all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def state(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Return the bytes and the times of all files and folders that can be read in a folder."""
    return {
        path: (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if os.access(path, os.R_OK)
    }
