"""The datasets of the embedded service, found by name and read when asked for."""

import hashlib
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import JsonValue

from benchmark_runner.datasets import DATASET_SUFFIXES, read_dataset
from benchmark_runner.errors import DatasetError

__all__ = ["LocalDataset", "LocalDatasets", "fingerprint"]


@dataclass(frozen=True)
class LocalDataset:
    """One dataset: the raw tasks by id, and the tasks as clients see them, in the file's order."""

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
    """The datasets in a folder, in one file, or given in memory (:meth:`from_rows`).

    Each file is read once, when it is needed. A dataset's name is its file's
    ``dataset_name``, else the file's stem. Safe to be used from several threads.
    Only the grader sees the ``evaluator_fields`` of a task.
    """

    def __init__(self, path: Path, *, evaluator_fields: frozenset[str]) -> None:
        self._path = path
        self._evaluator_fields = evaluator_fields
        self._given: LocalDataset | None = None
        self._read: dict[Path, LocalDataset] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_rows(
        cls, name: str, rows: Iterable[Mapping[str, JsonValue]], *, evaluator_fields: frozenset[str]
    ) -> Self:
        """Return one dataset of raw tasks in memory, each with an ``id`` of its own."""
        made = cls(Path(name), evaluator_fields=evaluator_fields)
        tasks: dict[str, dict[str, JsonValue]] = {}
        for number, row in enumerate(rows, start=1):
            task_id = str(row["id"]) if row.get("id") is not None else ""
            if not task_id or task_id in tasks:
                problem = f"the id {task_id!r} is taken" if task_id else "it has no id"
                raise DatasetError(f"dataset {name!r}, task {number}: {problem}")
            tasks[task_id] = {**row, "id": task_id}
        made._given = made._dataset(name, tasks)
        return made

    def get(self, name: str) -> LocalDataset | None:
        """Return the dataset of that name; ``None`` if there is none.

        A file whose stem is the name is read first, so that most files stay unread.

        Raises:
            DatasetError: its file is malformed, or two files claim the name.
        """
        if self._given is not None:
            return self._given if self._given.name == name else None
        with self._lock:
            files = self._files()
            by_stem = [path for path in files if path.stem == name]
            others = [path for path in files if path.stem != name]
            # A broken file matters if it is the one that was asked for.
            for paths, skip_broken in ((by_stem, False), (others, len(files) > 1)):
                loaded = self._load_all(paths, skip_broken=skip_broken)
                named = [path for path, dataset in loaded if dataset.name == name]
                if len(named) > 1:
                    raise DatasetError(
                        f"{' and '.join(path.name for path in named)} in {self._path} "
                        f"are both the dataset {name!r}",
                        hint="Rename one of the files, or change its dataset_name.",
                    )
                if named:
                    return self._load(named[0])
            return None

    def only(self) -> LocalDataset | None:
        """Return the dataset if there is exactly one."""
        if self._given is not None:
            return self._given
        with self._lock:
            files = self._files()
            return self._load(files[0]) if len(files) == 1 else None

    def _files(self) -> list[Path]:
        if not self._path.is_dir():
            return [self._path]
        return sorted(
            path
            for path in self._path.iterdir()
            if path.suffix.lower() in DATASET_SUFFIXES and path.is_file()
        )

    def _load_all(self, paths: list[Path], *, skip_broken: bool) -> list[tuple[Path, LocalDataset]]:
        loaded: list[tuple[Path, LocalDataset]] = []
        for path in paths:
            try:
                loaded.append((path, self._load(path)))
            except DatasetError:
                if not skip_broken:
                    raise
        return loaded

    def _load(self, path: Path) -> LocalDataset:
        if path not in self._read:
            file = read_dataset(path)
            rows = {str(row["id"]): row for row in file.rows}
            self._read[path] = self._dataset(file.name, rows)
        return self._read[path]

    def _dataset(self, name: str, rows: dict[str, dict[str, JsonValue]]) -> LocalDataset:
        hidden = self._evaluator_fields
        tasks: list[dict[str, JsonValue]] = [
            {"timeout": None, **{field: row[field] for field in row if field not in hidden}}
            for row in rows.values()
        ]
        return LocalDataset(name, rows, tasks)


def fingerprint(value: JsonValue | list[dict[str, JsonValue]]) -> str:
    """Return a short hash of JSON data; the order of fields does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
