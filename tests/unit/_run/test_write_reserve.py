"""Results are written with what an agent has left of descriptors and limits."""

from __future__ import annotations

import os
import resource
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.write_reserve import WriteReserve
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def limited(limit: int, most: int) -> Generator[tuple[int, int]]:
    """Set a soft limit of this process, as an agent does."""
    before = resource.getrlimit(limit)
    resource.setrlimit(limit, (most, before[1]))
    try:
        yield before
    finally:
        resource.setrlimit(limit, before)


@contextmanager
def without_descriptors() -> Generator[None]:
    """Leave no descriptor, and no higher limit to go back to."""
    leaked: list[int] = []
    try:
        with suppress(OSError):
            while True:
                leaked.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in leaked:
            os.close(descriptor)


def test_file_size_limit_is_taken_back(tmp_path: Path) -> None:
    """A file size limit that is set while a run goes on stops no result."""
    with WriteReserve() as reserve, limited(resource.RLIMIT_FSIZE, 4) as before:
        reserve.call(Storage(tmp_path).write, tmp_path / "file", b"a long answer")
        assert resource.getrlimit(resource.RLIMIT_FSIZE) == before
    assert (tmp_path / "file").read_bytes() == b"a long answer"


def test_descriptors_are_held_back(tmp_path: Path) -> None:
    """A result is written, also again, where an agent has left no descriptor."""
    storage = Storage(tmp_path)
    most = max(int(path.name) for path in Path("/dev/fd").iterdir()) + 20  # above the open ones
    with limited(resource.RLIMIT_NOFILE, most), WriteReserve() as reserve, without_descriptors():
        for name in ("a", "b"):
            reserve.call(storage.write, tmp_path / name, b"kept")
    assert (tmp_path / "b").read_bytes() == b"kept"


def test_other_errors_are_raised(tmp_path: Path) -> None:
    """An error that no limit causes is raised, and so is each one outside of the context."""
    storage = Storage(tmp_path)
    (tmp_path / "folder").touch()
    reserve = WriteReserve()
    with reserve, pytest.raises(ArtifactError, match=r"Not a directory|File exists"):
        reserve.call(storage.write, tmp_path / "folder" / "file", b"")
    with limited(resource.RLIMIT_FSIZE, 4), pytest.raises(ArtifactError, match="too large"):
        reserve.call(storage.write, tmp_path / "file", b"a long answer")
