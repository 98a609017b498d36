"""The images and sounds that a trajectory names by their paths, copied beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from benchmark_runner._redaction import Redactor
from benchmark_runner.artifacts.artifact_copy import ArtifactCopy
from benchmark_runner.errors import ArtifactError, UnusableArtifactError
from benchmark_runner.results.export.atif.export_folder import ExportFolder
from benchmark_runner.trajectory import Content, ContentPart, Trajectory, text_of

__all__ = ["Media"]

_URL = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)
#: Bytes of a file that is copied, and of all those of a trajectory; a hostile one may name any.
_MOST_BYTES, _MOST_TOGETHER, _MOST_FILES = 64 * 1024**2, 512 * 1024**2, 2000
#: Trajectories within trajectories are looked at down to here.
_DEPTH = 20


class Media:
    """The files that one trajectory names, as far as they are in the folder of its logs.

    Args:
        logs: The folder of the agent's logs; nothing outside it, or behind a link, is copied.
        recorded: The same folder as it was called when the agent ran.
        content: Where the copies are written.
        folder: Their folder there, beside the trajectory.
        redactor: Masks keys; a file that is no text and holds one is not copied.
    """

    def __init__(
        self,
        logs: Path,
        recorded: str | None,
        content: ExportFolder,
        folder: Path,
        redactor: Redactor,
    ) -> None:
        self._logs = logs
        self._recorded = recorded
        self._content = content
        self._folder = folder
        self._redactor = redactor
        self._copied: dict[Path, str | None] = {}
        self._size = 0

    def place(self, trajectory: Trajectory, depth: int = _DEPTH) -> None:
        """Copy the files, and change their paths in the trajectory; name what can't be copied."""
        folders = [*dict.fromkeys(path.parent for path in trajectory.files), self._logs]
        for step in trajectory.steps:
            step.message = self._placed(step.message, folders)
            for result in step.results:
                if result.content is not None:
                    result.content = self._placed(result.content, folders)
        for below in trajectory.subagent_trajectories or () if depth else ():
            self.place(below, depth - 1)

    def _placed(self, content: Content, folders: list[Path]) -> Content:
        if isinstance(content, str):
            return content
        return [self._placed_part(part, folders) for part in content]

    def _placed_part(self, part: ContentPart, folders: list[Path]) -> ContentPart:
        source = part.source
        if source is None or _URL.match(source.path):
            return part
        path = next((self._copy(file) for file in self._candidates(source.path, folders)), None)
        if path is None:
            return ContentPart(text=text_of([part]))
        return part.model_copy(update={"source": source.model_copy(update={"path": path})})

    def _candidates(self, named: str, folders: list[Path]) -> Iterator[Path]:
        """Yield the files that a path may mean: regular ones, in the folder of logs."""
        path = PurePosixPath(named)
        for recorded in (self._recorded, os.fspath(self._logs)):
            if recorded and path.is_relative_to(recorded):
                path, folders = path.relative_to(recorded), [self._logs]
        if path.is_absolute() or ".." in path.parts or "\0" in named:
            return
        for folder in folders:
            file = folder / path
            if file.is_relative_to(self._logs) and not self._is_behind_link(file):
                try:
                    if file.is_file():
                        yield file
                except OSError:  # a name that no file can have
                    return

    def _is_behind_link(self, file: Path) -> bool:
        within = str(self._logs)
        parts = file.relative_to(self._logs).parts
        return any(os.path.islink(within := f"{within}/{part}") for part in parts)  # noqa: PTH114 (of text)

    def _copy(self, file: Path) -> str | None:
        """Copy a file, and return its path from the trajectory; ``None`` if it can't be copied."""
        if file not in self._copied:
            self._copied[file] = self._copied_now(file) if len(self._copied) < _MOST_FILES else None
        return self._copied[file]

    def _copied_now(self, file: Path) -> str | None:
        within = file.relative_to(self._logs)
        most = min(_MOST_BYTES, _MOST_TOGETHER - self._size)
        copy = ArtifactCopy(file.name, most, self._redactor)
        try:
            with copy.opened(str(file)) as descriptor:
                pieces = copy.clean(copy.pieces_of(descriptor))
                self._content.write(self._folder / within, pieces)
        except UnusableArtifactError:
            return None
        except ArtifactError:
            if not file.is_file():
                return None
            raise
        self._size += copy.record.size
        return f"{self._folder.name}/{within.as_posix()}"
