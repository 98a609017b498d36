"""The reading and writing of the files of one run, whatever stands in their place."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from benchmark_runner._json import json_file, parse_model
from benchmark_runner._redaction import Redactor
from benchmark_runner.artifacts.ids import checked_id
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.artifacts.task_obstacles import clear_way
from benchmark_runner.errors import ArtifactError

__all__ = ["ModelT", "RunFiles"]

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)


class RunFiles:
    """The folder of a run, and how its files are read and written.

    ``repeat_folder`` leads from the folder of a task to that of one repeat; empty for the first.
    """

    run_dir: Path
    redactor: Redactor
    read_only: bool
    set_aside: list[Path]
    _storage: Storage
    repeat_folder: str = ""

    def task_dir(self, task_id: str) -> Path:
        """Return the folder of one task, or of the repeat of it that these files are of."""
        return self.run_dir / f"{checked_id(task_id, 'task id')}{self.repeat_folder}"

    def load(self, path: Path, model: type[ModelT]) -> ModelT | None:
        """Read a file of this run; what can't be read is set aside and counts as missing."""
        return self._parse(lambda: path, self._storage.read(path), model)

    def save(self, path: Path, content: BaseModel, *, folders: int = 0) -> str:
        """Write a file of this run atomically, with the names of so many folders above it.

        Returns its SHA-256.
        """
        data = self.redactor.clean_json(json_file(content), indent=2)
        self._storage.write(path, data, folders=folders)
        return hashlib.sha256(data).hexdigest()

    def save_pieces(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Write a large file of this run atomically; no secret may span two pieces."""
        self._storage.write(path, map(self.redactor.clean, pieces))

    def set_file_aside(self, path: Path) -> None:
        """Rename a file that can't be read to ``<file>.corrupt-N``, and remember it."""
        self.set_aside.append(path if self.read_only else self._storage.put_aside(path))

    def _in_task(self, task_id: str, function: Callable[[], T]) -> T:
        """Call a function on a task's files, again without what an agent put in their place."""
        try:
            return function()
        except ArtifactError:
            if self.read_only:
                raise
        self.set_aside += clear_way(self._storage, self.run_dir / task_id, self.repeat_folder)
        return function()

    def _parse(
        self,
        path: Callable[[], Path],  # made only for a file that can't be read
        content: bytes | None,
        model: type[ModelT],
        task_id: str | None = None,
    ) -> ModelT | None:
        if content is None:
            return None
        with suppress(ValidationError):
            found = parse_model(model, content)
            # It may be another task's, copied or moved here by somebody.
            if task_id is None or getattr(found, "task_id", None) in ("", task_id):
                return found
        self.set_file_aside(path())
        return None
