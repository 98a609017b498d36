"""The datasets of the embedded service, found by name and read when asked for."""

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Self

from pydantic import JsonValue

from benchmark_runner.datasets import DATASET_SUFFIXES, read_dataset
from benchmark_runner.datasets.dataset_file import INPUTS
from benchmark_runner.errors import DatasetError

__all__ = ["LocalDataset", "LocalDatasets", "fingerprint"]


#: A version in the sense of semver, of which the later numbers may be missing.
_LABEL = re.compile(
    r"v?(?P<numbers>[0-9]+(\.[0-9]+){0,2})(-(?P<before>[0-9A-Za-z.-]+))?(\+[0-9A-Za-z.-]+)?"
)


@dataclass(frozen=True)
class LocalDataset:
    """One dataset: the raw tasks by id, and the tasks as clients see them, in the file's order."""

    name: str
    rows: dict[str, dict[str, JsonValue]]
    tasks: list[dict[str, JsonValue]]
    label: str | None = None
    """The name of this version of the dataset."""

    @property
    def version_id(self) -> str:
        """The name of this version for programs, which is that of its content, too."""
        return self.version if self.label is None else fingerprint([self.label, self.version])

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
    ``dataset_name``, else the file's stem. ``validation@1.2.json`` is version 1.2 of the dataset
    ``validation``. Safe to be used from several threads.
    Only the grader sees the ``evaluator_fields`` of a task. The input files of tasks are in
    ``inputs``, by default beside the datasets.
    """

    def __init__(
        self, path: Path, *, evaluator_fields: frozenset[str], inputs: Path | None = None
    ) -> None:
        self._path = path
        self.inputs = inputs or (path if path.is_dir() else path.parent) / INPUTS
        self._evaluator_fields = evaluator_fields
        self._given: LocalDataset | None = None
        self._read: dict[Path, LocalDataset] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_rows(
        cls,
        name: str,
        rows: Iterable[Mapping[str, JsonValue]],
        *,
        evaluator_fields: frozenset[str],
        inputs: Path | None = None,
    ) -> Self:
        """Return one dataset of raw tasks in memory, each with an ``id`` of its own."""
        made = cls(Path(name), evaluator_fields=evaluator_fields, inputs=inputs)
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
        """Return the dataset of that name, in its default version; ``None`` if there is none.

        Raises:
            DatasetError: as :meth:`versions`.
        """
        return next(iter(self.versions(name)), None)

    def versions(self, name: str) -> list[LocalDataset]:
        """Return the versions of a dataset: that of the file without a version, the highest first.

        Files whose stem is the name are read first, so that most files stay unread.

        Raises:
            DatasetError: a file of it is malformed, or two files claim the name and version.
        """
        if self._given is not None:
            return [self._given] if self._given.name == name else []
        with self._lock:
            files = self._files()
            by_stem = [path for path in files if _name_and_label(path)[0] == name]
            others = [path for path in files if path not in by_stem]
            # A broken file matters if it is the one that was asked for.
            for paths, skip_broken in ((by_stem, False), (others, len(files) > 1)):
                loaded = self._load_all(paths, skip_broken=skip_broken)
                if named := [path for path, dataset in loaded if dataset.name == name]:
                    return self._in_order(named)
            return []

    def only(self) -> LocalDataset | None:
        """Return the dataset if there is exactly one, in its default version."""
        if self._given is not None:
            return self._given
        with self._lock:
            files = self._files()
            one = len({_name_and_label(path)[0] for path in files}) == 1
            return self._in_order(files)[0] if one else None

    def _in_order(self, files: list[Path]) -> list[LocalDataset]:
        """Return the versions in the files, the default one first; two of one label are refused."""
        loaded = {path: self._load(path) for path in files}
        for one, other in combinations(files, 2):
            label = loaded[one].label
            is_same = label == loaded[other].label
            if is_same or (_name_and_label(one)[1] is _name_and_label(other)[1] is None):
                version = f" in version {label}" if is_same and label is not None else ""
                raise DatasetError(
                    f"{one.name} and {other.name} in {self._path} "
                    f"are both the dataset {loaded[one].name!r}{version}",
                    hint="Rename one of the files, or change its dataset_name.",
                )
        by_label = sorted(files, key=lambda path: _order_of(loaded[path].label), reverse=True)
        default_first = sorted(by_label, key=lambda path: _name_and_label(path)[1] is not None)
        return [loaded[path] for path in default_first]

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
            stem, label = _name_and_label(path)
            name = file.declared_name or stem
            self._read[path] = self._dataset(name, rows, label or file.declared_version)
        return self._read[path]

    def _dataset(
        self, name: str, rows: dict[str, dict[str, JsonValue]], label: str | None = None
    ) -> LocalDataset:
        hidden = self._evaluator_fields
        tasks: list[dict[str, JsonValue]] = [
            {"timeout": None, **{field: row[field] for field in row if field not in hidden}}
            for row in rows.values()
        ]
        return LocalDataset(name, rows, tasks, label)


def _order_of(label: str | None) -> tuple[list[int], bool, str]:
    """Return what labels are sorted by: their numbers, then releases after what precedes them."""
    found = _LABEL.fullmatch(label or "")
    if found is None:
        return [], False, label or ""
    numbers = [int(number) for number in found["numbers"].split(".")]
    return [*numbers, 0, 0][:3], found["before"] is None, found["before"] or ""


def _name_and_label(path: Path) -> tuple[str, str | None]:
    """Return the dataset that a file's name tells, and its version, if it tells one."""
    name, at, label = path.stem.rpartition("@")
    return (name, label) if at and name and _LABEL.fullmatch(label) else (path.stem, None)


def fingerprint(value: JsonValue | list[dict[str, JsonValue]]) -> str:
    """Return a short hash of JSON data; the order of fields does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
