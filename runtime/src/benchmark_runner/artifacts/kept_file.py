"""The kept file of a task, read piece by piece to be sent."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from benchmark_runner.errors import UnusableArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmark_runner.schemas import Artifact

__all__ = ["PIECE", "KeptFile", "changed_file", "read_pieces", "state_of"]

#: Bytes that are read at a time.
PIECE = 256 * 1024


class KeptFile:
    """A kept file that is as it was kept; the content of a small one is in memory."""

    def __init__(self, path: Path, artifact: Artifact, descriptor: int) -> None:
        """Check the file behind a descriptor, of which this one keeps a copy if it is large."""
        self.artifact = artifact
        self.content: bytes | None = None
        self._path = path
        self._descriptor = -1
        self._state = state_of(descriptor)
        if self._state[0] != artifact.size:
            raise changed_file(path, "it has another size")
        digest = hashlib.sha256()
        if artifact.size <= PIECE:
            self.content = os.pread(descriptor, PIECE + 1, 0)
            digest.update(self.content)
        else:
            for piece in read_pieces(descriptor):
                digest.update(piece)
        if digest.hexdigest() != artifact.sha256:
            raise changed_file(path, "it has another SHA-256")
        if self.content is None:
            self._descriptor = os.dup(descriptor)

    def pieces(self) -> Iterator[bytes]:
        """Yield the content; the last piece only if all of it is still as it was kept."""
        left, piece = self.artifact.size, b""
        for piece in read_pieces(self._descriptor):
            left -= len(piece)
            if left <= 0:
                break
            yield piece
        if left or state_of(self._descriptor) != self._state:
            raise changed_file(self._path, "it was changed while it was sent")
        yield piece

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def changed_file(path: Path, problem: str) -> UnusableArtifactError:
    """Return the error about a file that is not as it was kept."""
    return UnusableArtifactError(
        f"{path} is not the artifact that was generated: {problem}",
        hint="Restore the file, or generate the task again with --rerun TASK.",
    )


def state_of(descriptor: int) -> tuple[int, int, int]:
    """Return the size and the times of an open file, which differ once it was written to."""
    found = os.fstat(descriptor)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def read_pieces(descriptor: int) -> Iterator[bytes]:
    """Yield the content of an open file from its beginning."""
    offset = 0
    while piece := os.pread(descriptor, PIECE, offset):
        offset += len(piece)
        yield piece
