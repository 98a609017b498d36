"""A dataset file: opened, read, and checked for the ids of its tasks."""

import json
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import cast

from pydantic import JsonValue, TypeAdapter, ValidationError

from benchmark_runner._json import RepeatedKeyError, parse_strictly
from benchmark_runner.datasets.csv_rows import parse_csv
from benchmark_runner.errors import DatasetError
from benchmark_runner.schemas import safe_path_segment

__all__ = ["DATASET_SUFFIXES", "INPUTS", "DatasetFile", "open_dataset", "read_dataset"]

#: File name endings that :func:`read_dataset` understands.
DATASET_SUFFIXES = (".json", ".jsonl", ".csv")

#: The folder beside datasets that has the input files of their tasks, in a folder for each.
INPUTS = "inputs"

#: The fields of a JSON dataset beside its tasks that are read.
_NAME = "dataset_name"
_VERSION = "dataset_version"
_LISTS = ("tests", "tasks")

_Row = dict[str, JsonValue]
#: A raw task, perhaps malformed, and the number that gives its line.
_Entry = tuple[int, JsonValue]
#: Returns the line of an entry; for JSON by a second read.
_LineOf = Callable[[int], int]
_ROW: TypeAdapter[_Row] = TypeAdapter(_Row)


@dataclass(frozen=True, slots=True)
class DatasetFile:
    """The content of a dataset file, including reference answers.

    Attributes:
        path: The file.
        name: ``declared_name``, else the file's name without its ending.
        declared_name: The file's ``dataset_name``; only JSON objects have one.
        declared_version: The file's ``dataset_version``, likewise.
        rows: The raw tasks in the file's order; each has a unique, safe ``id``.
    """

    path: Path
    name: str
    declared_name: str | None
    declared_version: str | None
    rows: list[_Row]


def read_dataset(path: Path) -> DatasetFile:
    """Read the tasks of a JSON, JSONL or CSV file.

    Raises:
        DatasetError: the file is missing, malformed, empty, or a task in it has no usable
            or unique ``id``; the message names the file and the line.
    """
    declared, version, rows = _open(path, None)
    return DatasetFile(path, declared or path.stem, declared, version, list(rows))


def open_dataset(path: Path, unused: list[str] | None = None) -> tuple[str | None, Iterator[_Row]]:
    """Open a JSON, JSONL or CSV file.

    Args:
        path: The file.
        unused: Gets the names of the fields beside the tasks that are not read.

    Returns:
        The file's ``dataset_name``, and its raw tasks in order. Those of a JSONL file are read
        one by one, so that a large file is never in memory as a whole.

    Raises:
        DatasetError: as :func:`read_dataset`, in part during the iteration.
    """
    declared, _, rows = _open(path, unused)
    return declared, rows


def _open(path: Path, unused: list[str] | None) -> tuple[str | None, str | None, Iterator[_Row]]:
    """Return the name and the version that a file declares, and its raw tasks."""
    declared, version, line_of = None, None, int
    if unused is not None:
        unused.clear()
    match path.suffix.lower():
        case ".json":
            declared, version, line_of, entries = _parse_json(path, _read_text(path), unused)
        case ".jsonl":
            entries = _parse_jsonl(path)
        case ".csv":
            entries = parse_csv(path, _read_text(path))
        case _:
            message = f"{path}: no dataset, whose name ends in .json, .jsonl or .csv"
            raise DatasetError(message, hint="Rename or convert the file.")
    return declared, version, _with_unique_ids(path, entries, line_of)


@contextmanager
def _read_errors(path: Path) -> Generator[None]:
    """Raise errors of reading a file as a ``DatasetError`` that names it."""
    try:
        if path.is_fifo():  # a resume would read nothing, or wait for ever
            raise DatasetError(f"{path}: a pipe", hint="Save the dataset as a file.")
        yield
    except FileNotFoundError:
        raise DatasetError(
            f"{path}: no such file", hint="Check the path; relative ones start at this folder."
        ) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{path}, line {line}: not UTF-8 text", hint="Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror or error}") from None


def _read_text(path: Path) -> str:
    with _read_errors(path):
        return path.read_text(encoding="utf-8-sig")


def _parse_json(
    path: Path, text: str, unused: list[str] | None
) -> tuple[str | None, str | None, _LineOf, Iterator[_Entry]]:
    declared, version, key = None, None, None
    rows = document = _from_json(path, text, "")
    if isinstance(document, dict):
        declared = document.get(_NAME)
        if declared is not None and (not isinstance(declared, str) or not declared.strip()):
            raise DatasetError(f"{path}, field dataset_name: must be a non-empty text")
        given = document.get(_VERSION)
        version = str(given) if isinstance(given, (str, int, float)) and given else None
        key = next((name for name in _LISTS if document.get(name) is not None), _LISTS[-1])
        rows = document.get(key)
        if unused is not None:
            unused += [name for name in document if name not in (_NAME, _VERSION, key)]
    if not isinstance(rows, list):
        raise DatasetError(
            f"{path}, field tests: missing, or not a list",
            hint='Use {"dataset_name": "…", "tests": [{"id": "…", "question": "…"}]}.',
        )
    return declared, version, partial(_json_line, text, key), iter(enumerate(rows))


def _json_line(text: str, key: str | None, index: int) -> int:
    """Return the line of the task at ``index``, by a second read, as only an error needs it."""
    position = _list_start(text, key)
    for current in range(index + 1):
        position = _skip(text, position, "[,")
        if current < index:
            _, position = _decode(text, position)
    return text.count("\n", 0, position) + 1


def _list_start(text: str, key: str | None) -> int:
    """Return the position of the list of tasks: the text itself, or the last value of ``key``."""
    position = start = _skip(text, 0, "")
    if key is None:
        return start
    while text[position := _skip(text, position, "{,")] != "}":
        name, position = _decode(text, position)
        position = _skip(text, position, ":")
        if name == key:
            start = position
        _, position = _decode(text, position)
    return start


def _skip(text: str, position: int, marks: str) -> int:
    while text[position].isspace() or text[position] in marks:
        position += 1
    return position


def _decode(text: str, position: int) -> tuple[object, int]:
    return cast("tuple[object, int]", json.JSONDecoder().raw_decode(text, position))


def _parse_jsonl(path: Path) -> Iterator[_Entry]:
    with _read_errors(path), path.open(encoding="utf-8-sig") as lines:
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    # without the line's end, so that a message's column fits
                    yield number, _from_json(path, line.removesuffix("\n"), f", line {number}")
        except UnicodeDecodeError:
            _read_text(path)  # raises with the line in the whole file
            raise


def _from_json(path: Path, text: str, place: str) -> JsonValue:
    try:
        return parse_strictly(text)
    except RepeatedKeyError as error:
        raise DatasetError(
            f"{path}{place}: {error}", hint="Remove one of the two: only one would count."
        ) from None
    except ValueError as error:
        raise DatasetError(
            f"{path}{place}: not valid JSON: {error}", hint="Correct the file at that place."
        ) from None


def _with_unique_ids(path: Path, entries: Iterable[_Entry], line_of: _LineOf) -> Iterator[_Row]:
    def place(number: int) -> str:
        return f"{path}, line {line_of(number)}"

    # Without a dict, which would take several times the memory of these lists.
    ids: list[str] = []
    numbers = array("Q")
    for number, entry in entries:
        try:
            row = _ROW.validate_python(entry)
        except ValidationError:
            message = f"{place(number)}: a task must be an object with id and question"
            raise DatasetError(message) from None
        task_id = row.get("id")
        if isinstance(task_id, int) and not isinstance(task_id, bool):
            task_id = row["id"] = str(task_id)
        if not isinstance(task_id, str):
            problem = "missing" if task_id is None else "must be a text"
            raise DatasetError(f"{place(number)}, field id: {problem}")
        try:
            safe_path_segment(task_id)
        except ValueError as error:
            raise DatasetError(
                f"{place(number)}, field id: {error}",
                hint="Each task gets a folder named by its id.",
            ) from None
        ids.append(task_id)
        numbers.append(number)
        yield row
    if not ids:
        raise DatasetError(f"{path}: holds no tasks", hint="Add at least one task to it.")
    if repeated := next((one for one, other in pairwise(sorted(ids)) if one == other), None):
        first = ids.index(repeated)
        line, again = line_of(numbers[first]), numbers[ids.index(repeated, first + 1)]
        raise DatasetError(
            f"{place(again)}, field id: {repeated!r} is taken by line {line}",
            hint="Give each task an id of its own.",
        )
