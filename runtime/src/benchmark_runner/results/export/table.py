"""The tasks of a run as CSV or JSON Lines, written row by row."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator

from pydantic import JsonValue

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._text import json_text, printable
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_repeats import by_task
from benchmark_runner.results.task_row import COLUMNS as COLUMNS_OF_TASKS
from benchmark_runner.results.task_row import TaskRow, row_as_json

__all__ = ["COLUMNS", "COLUMNS_WITH_ARTIFACTS", "Write", "write_rows"]

Write = Callable[[bytes], object]

_OF_ARTIFACTS = ("artifact_filename", "artifact_size", "artifact_sha256")
_TEXTS = ("question", "answer", "grade")
#: In the order in which they are written. What a later version adds comes before the texts.
COLUMNS = ("run_id", *COLUMNS_OF_TASKS, "task_score", *_TEXTS)
#: Of a run whose answers are files.
COLUMNS_WITH_ARTIFACTS = ("run_id", *COLUMNS_OF_TASKS, "task_score", *_OF_ARTIFACTS, *_TEXTS)

#: What spreadsheets take for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_rows(view: RunView, write: Write, reduction: Reduction, *, as_csv: bool) -> int:
    """Write a row for each repeat of each task, a task at a time, and return their number."""
    mask = view.artifacts.redactor.clean_text
    if as_csv:
        write(_csv_line(COLUMNS_WITH_ARTIFACTS if _has_artifacts(view) else COLUMNS))
    count = 0
    for cells in _rows(view, reduction):
        if as_csv:
            write(_csv_line(_csv_cell(cell, mask) for cell in cells.values()))
        else:
            masked = {n: mask(cell) if isinstance(cell, str) else cell for n, cell in cells.items()}
            write(f"{json_text(masked)}\n".encode())
        count += 1
    return count


def _rows(view: RunView, reduction: Reduction) -> Iterator[dict[str, JsonValue]]:
    for task, files in by_task(view.scan().with_files(), reduction):
        score = task.score
        for row, each in zip(task.rows, files, strict=True):
            yield _cells(view, row, each, score)


def _cells(
    view: RunView, row: TaskRow, task: TaskFiles, task_score: float | None
) -> dict[str, JsonValue]:
    generation = task.generation
    return {
        "run_id": view.run_id,
        **row_as_json(row),
        "task_score": task_score,
        **(_artifact_cells(task) if _has_artifacts(view) else {}),
        "question": generation.question if generation else None,
        "answer": generation.data if generation else None,
        "grade": task.result_text,
    }


def _has_artifacts(view: RunView) -> bool:
    return view.config.payload_type == "artifact"


def _artifact_cells(task: TaskFiles) -> dict[str, JsonValue]:
    artifact = task.artifact
    cells = (artifact.filename, artifact.size, artifact.sha256) if artifact else (None,) * 3
    return dict(zip(_OF_ARTIFACTS, cells, strict=True))


def _csv_line(cells: Iterable[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()


def _csv_cell(value: JsonValue, mask: Callable[[str], str]) -> str:
    if isinstance(value, str):
        text = mask(printable(value))
        is_formula = value.startswith(_FORMULA) or text.startswith(_FORMULA)
        return f"'{text}" if is_formula else text
    return "" if value is None else json.dumps(value)
