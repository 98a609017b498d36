"""The file that is the answer of a task, in its ``submission/``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner.artifacts.artifact_copy import ArtifactCopy
from benchmark_runner.artifacts.kept_file import PIECE, KeptFile, changed_file
from benchmark_runner.errors import UnusableArtifactError
from benchmark_runner.schemas import Artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmark_runner._redaction import Redactor
    from benchmark_runner.artifacts.storage import Storage

__all__ = ["SUBMISSION_FOLDER", "Submission"]

#: In a task's folder.
SUBMISSION_FOLDER = "submission"
#: The names that a service takes as part of the key of an upload.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Submission:
    """The ``submission/`` of the task in ``task_dir``.

    Raises:
        UnusableArtifactError: in a method: the file can't be an answer; the message says why.
        ArtifactError: in a method: the disk refuses.
    """

    def __init__(self, storage: Storage, task_dir: Path, redactor: Redactor) -> None:
        self._storage = storage
        self._task_dir = task_dir
        self._redactor = redactor

    def path(self, filename: str) -> Path:
        """Return the place of the kept file."""
        if not _NAME.fullmatch(filename):
            raise UnusableArtifactError(f"an artifact can't have the name {filename!r}")
        return self._task_dir / SUBMISSION_FOLDER / filename

    def keep(
        self, source: Artifact | Path | bytes, filename: str | None, most: int
    ) -> tuple[Artifact, bool]:
        """Copy a file of at most ``most`` bytes, and flush it to the disk.

        Returns:
            Its record, and whether a key in its text was masked.
        """
        return self._copy(source, filename, most, self._write)

    def check(self, source: Path, most: int) -> tuple[Artifact, bool]:
        """Return what :meth:`keep` would return for a file, which is not copied."""
        return self._copy(source, None, most, _read_only)

    def _copy(
        self,
        source: Artifact | Path | bytes,
        filename: str | None,
        most: int,
        write: Callable[[ArtifactCopy, Iterator[bytes]], None],
    ) -> tuple[Artifact, bool]:
        if isinstance(source, Artifact):
            raise UnusableArtifactError(
                "the artifact is the record of another one, not a file",
                hint="Return GenerationResult(artifact=PATH).",
            )
        if isinstance(source, bytes):
            copy = ArtifactCopy(self._checked_name(filename, None), most, self._redactor)
            copy.check_size(len(source))
            write(copy, _slices(source))
        else:
            copy = ArtifactCopy(self._checked_name(filename, source), most, self._redactor)
            try:
                with copy.opened(self._target_of(source)) as descriptor:
                    write(copy, copy.pieces_of(descriptor))
            except ValueError as error:  # such as a zero byte in the path
                message = f"the path of the artifact {copy.name!r} can't be used: {error}"
                raise UnusableArtifactError(message) from None
        return copy.record, copy.masked

    def open(self, artifact: Artifact) -> KeptFile:
        """Open the kept file to send it, after checking that it is as it was kept."""
        path = self.path(artifact.filename)
        try:
            with self._storage.opened(path) as descriptor:
                return KeptFile(path, artifact, descriptor)
        except FileNotFoundError:
            raise changed_file(path, "it is missing") from None

    def _write(self, copy: ArtifactCopy, pieces: Iterator[bytes]) -> None:
        self._storage.write(self.path(copy.name), copy.clean(pieces))

    def _checked_name(self, given: str | None, source: Path | None) -> str:
        name = given if given is not None else source.name if source is not None else None
        if name is None:
            raise UnusableArtifactError(
                "an artifact that is bytes has no file name",
                hint='Name it: GenerationResult(artifact=…, filename="answer.txt").',
            )
        if not _NAME.fullmatch(name):
            raise UnusableArtifactError(
                f"an artifact can't have the name {name[:200]!r}: a name begins with a letter or a "
                "digit, then has letters, digits, '.', '_' and '-', up to 128 in all",
                hint="Set another name with GenerationResult(artifact=…, filename=…).",
            )
        if self._redactor.clean_text(name) != name:
            raise UnusableArtifactError(
                "the name of the artifact holds a key",
                hint="Set another name with GenerationResult(artifact=…, filename=…).",
            )
        return name

    def _target_of(self, source: Path) -> str:
        """Return the path without links; one that leads out of the task's folder is refused."""
        target = os.path.realpath(source)
        folder = os.path.realpath(self._task_dir)
        named = os.path.abspath(source)  # noqa: PTH100 (which keeps links)
        inside = (os.path.abspath(self._task_dir), folder)  # noqa: PTH100 (likewise)
        if any(map(Path(named).is_relative_to, inside)) and not Path(target).is_relative_to(folder):
            raise UnusableArtifactError(
                f"the artifact {os.fspath(source)!r} leads out of the folder of its task by a "
                "symbolic link",
                hint="Return the path of the file itself, or copy it there.",
            )
        return target


def _read_only(copy: ArtifactCopy, pieces: Iterator[bytes]) -> None:
    for _ in copy.clean(pieces):
        pass


def _slices(content: bytes) -> Iterator[bytes]:
    return (content[start : start + PIECE] for start in range(0, len(content), PIECE))
