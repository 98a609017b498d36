"""The datasets that the embedded service knows, found by name and read when asked for."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from benchmark_runner.datasets import DATASET_SUFFIXES, read_dataset
from benchmark_runner.errors import DatasetError

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue


@dataclass(frozen=True)
class LocalDataset:
    """One dataset as the service uses it.

    Attributes:
        path: Its file.
        name: What clients call it.
        rows: The raw tasks by id, reference answers included, in the file's order.
        tasks: The same as clients see them, without the evaluator's fields.
    """

    path: Path
    name: str
    rows: dict[str, dict[str, JsonValue]]
    tasks: list[dict[str, JsonValue]]

    @cached_property
    def version(self) -> str:
        """A hash of what clients see, so that a corrected reference is the same dataset."""
        return fingerprint(self.tasks)

    @cached_property
    def reference_version(self) -> str:
        """A hash of what the grader sees, in any order of the tasks."""
        return fingerprint(dict(sorted(self.rows.items())))


class LocalDatasets:
    """The datasets in a folder, or in one file; each file is read once, when it is needed.

    A dataset's name is its file's ``dataset_name``, else the file's stem. Safe to be used
    from several threads.

    Args:
        path: A folder with ``.json``, ``.jsonl`` and ``.csv`` files, or one such file.
        evaluator_fields: Fields of a task that only the grader may see.
    """

    def __init__(self, path: Path, *, evaluator_fields: frozenset[str]) -> None:
        self._path = path
        self._evaluator_fields = evaluator_fields
        self._read: dict[Path, LocalDataset] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> LocalDataset | None:
        """Return the dataset of that name, ``None`` if there is none.

        A file whose stem is the name is tried first, so that most files stay unread.

        Raises:
            DatasetError: its file is malformed, or two files claim the name.
        """
        with self._lock:
            files = self._files()
            by_stem = [path for path in files if path.stem == name]
            others = [path for path in files if path.stem != name]
            # A broken file matters if it is the one that was asked for.
            for paths, skip_broken in ((by_stem, False), (others, len(files) > 1)):
                loaded = self._load_all(paths, skip_broken=skip_broken)
                named = [dataset for dataset in loaded if dataset.name == name]
                if len(named) > 1:
                    raise DatasetError(
                        f"{' and '.join(dataset.path.name for dataset in named)} in {self._path} "
                        f"are both the dataset {name!r}",
                        hint="Rename one of the files, or change its dataset_name.",
                    )
                if named:
                    return named[0]
            return None

    def only(self) -> LocalDataset | None:
        """Return the dataset if there is exactly one file.

        Raises:
            DatasetError: it is malformed.
        """
        with self._lock:
            files = self._files()
            return self._load(files[0]) if len(files) == 1 else None

    def names(self) -> list[str]:
        """Return the names of all readable datasets, sorted; reads every file."""
        with self._lock:
            return sorted({item.name for item in self._load_all(self._files(), skip_broken=True)})

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        return sorted(
            path
            for path in self._path.iterdir()
            if path.suffix.lower() in DATASET_SUFFIXES and path.is_file()
        )

    def _load_all(self, paths: list[Path], *, skip_broken: bool) -> list[LocalDataset]:
        loaded: list[LocalDataset] = []
        for path in paths:
            try:
                loaded.append(self._load(path))
            except DatasetError:
                if not skip_broken:
                    raise
        return loaded

    def _load(self, path: Path) -> LocalDataset:
        if path not in self._read:
            file = read_dataset(path)
            rows = {str(row["id"]): row for row in file.rows}
            tasks = [self._visible(row) for row in file.rows]
            self._read[path] = LocalDataset(path, file.name, rows, tasks)
        return self._read[path]

    def _visible(self, row: dict[str, JsonValue]) -> dict[str, JsonValue]:
        shown = {name: value for name, value in row.items() if name not in self._evaluator_fields}
        return {"timeout": None, **shown}


def fingerprint(value: JsonValue | list[dict[str, JsonValue]]) -> str:
    """A short hash of JSON data; the order of fields does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
