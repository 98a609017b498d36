"""The tasks of a run as CSV or JSON Lines, written row by row."""

import csv
import io
import json
from collections.abc import Callable, Iterable

from pydantic import JsonValue

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._text import json_text, printable
from benchmark_runner.results.export.columns import columns_of, rows_of
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_row import cell_as_json

__all__ = ["Write", "write_rows"]

Write = Callable[[bytes], object]

#: What spreadsheets take for the start of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_rows(view: RunView, write: Write, reduction: Reduction, *, as_csv: bool) -> int:
    """Write a row for each repeat of each task, a task at a time, and return their number."""
    mask = view.artifacts.redactor.clean_text
    if as_csv:
        write(_csv_line(columns_of(view)))
    count = 0
    for row in rows_of(view, reduction):
        cells = {name: cell_as_json(value) for name, value in row.items()}
        if as_csv:
            write(_csv_line(_csv_cell(cell, mask) for cell in cells.values()))
        else:
            masked = {n: mask(cell) if isinstance(cell, str) else cell for n, cell in cells.items()}
            write(f"{json_text(masked)}\n".encode())
        count += 1
    return count


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
