"""A stand-in for ``os`` that notes the system calls of a write."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_runner.artifacts import atomic_file
from benchmark_runner.artifacts import storage as storage_module

if TYPE_CHECKING:
    import pytest


class Calls:
    """The system calls that change or flush something; they are made all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, ...]] = []
        self.paths: dict[int, str] = {}
        self.fails: dict[str, int] = {}
        monkeypatch.setattr(storage_module, "os", self)
        monkeypatch.setattr(atomic_file, "os", self)
        # A test of this on macOS sees the same calls as one on Linux.
        monkeypatch.setattr(atomic_file, "_FULL_FLUSH", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path | str, flags: int, mode: int = 0o777) -> int:
        descriptor = os.open(path, flags, mode)
        self.paths[descriptor] = Path(path).name
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        self.made.append(("write", self.paths[descriptor]))
        return os.write(descriptor, data)

    def fsync(self, descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        self.made.append(("flush", self.paths[descriptor]))
        if folder and "flush a folder" in self.fails:
            number = self.fails["flush a folder"]
            raise OSError(number, os.strerror(number))
        os.fsync(descriptor)

    def replace(self, source: str, target: Path) -> None:
        self.made.append(("rename", Path(source).name, target.name))
        Path(source).replace(target)

    def rename(self, source: Path, target: Path) -> None:
        self.made.append(("rename", source.name, target.name))
        source.rename(target)

    def mkdir(self, path: str) -> None:
        self.made.append(("mkdir", Path(path).name))
        Path(path).mkdir()

    def unlink(self, path: Path) -> None:
        self.made.append(("unlink", path.name))
        path.unlink()
