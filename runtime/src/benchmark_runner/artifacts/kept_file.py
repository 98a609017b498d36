"""The kept file of a task, read piece by piece to be sent."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Self

from benchmark_runner.errors import UnusableArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmark_runner.schemas import Artifact

__all__ = ["PIECE", "KeptFile", "changed_file", "read_pieces"]

#: Bytes that are read at a time.
PIECE = 256 * 1024


class KeptFile:
    """A kept file that is as it was kept; the content of a small one is in memory."""

    def __init__(self, path: Path, artifact: Artifact, descriptor: int, content: bytes) -> None:
        self._path = path
        self._descriptor = descriptor
        self.artifact = artifact
        self.content: bytes | None = content or None

    @classmethod
    def of(cls, path: Path, artifact: Artifact, descriptor: int) -> Self:
        """Check the file behind a descriptor, of which this one keeps a copy."""
        content = b""
        if os.fstat(descriptor).st_size != artifact.size:
            raise changed_file(path, "it has another size")
        if artifact.size <= PIECE:
            content = os.pread(descriptor, PIECE + 1, 0)
        digest = hashlib.sha256(content)
        if not content:
            for piece in read_pieces(descriptor):
                digest.update(piece)
        if digest.hexdigest() != artifact.sha256:
            raise changed_file(path, "it has another SHA-256")
        return cls(path, artifact, -1 if content else os.dup(descriptor), content)

    def pieces(self) -> Iterator[bytes]:
        """Yield the content; the last piece only if all of it is still as it was kept."""
        digest, sent, held = hashlib.sha256(), 0, b""
        for piece in read_pieces(self._descriptor):
            if held:
                yield held
            digest.update(piece)
            sent, held = sent + len(piece), piece
        if sent != self.artifact.size or digest.hexdigest() != self.artifact.sha256:
            raise changed_file(self._path, "it was changed while it was sent")
        yield held

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def changed_file(path: Path, problem: str) -> UnusableArtifactError:
    """Return the error about a file that is not as it was kept."""
    return UnusableArtifactError(
        f"{path}: is not the artifact that was generated: {problem}, so it is not evaluated",
        hint="Restore the file, or generate the task again with --rerun TASK.",
    )


def read_pieces(descriptor: int) -> Iterator[bytes]:
    """Yield the content of an open file from its beginning."""
    offset = 0
    while piece := os.pread(descriptor, PIECE, offset):
        offset += len(piece)
        yield piece
