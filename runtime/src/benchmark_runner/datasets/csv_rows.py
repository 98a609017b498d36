"""The rows of a CSV file, also as spreadsheets write them."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from pydantic import JsonValue

from benchmark_runner.errors import DatasetError

__all__ = ["parse_csv"]


def parse_csv(path: Path, text: str) -> Iterator[tuple[int, JsonValue]]:
    """Yield the rows of a CSV file, each with the number of its last line.

    An empty cell means a missing field. Empty columns and cells at the end, which spreadsheets
    write beyond the table, are left out, and so are empty rows.

    Raises:
        DatasetError: the file is malformed; the message names the line.
    """
    # A question may be longer than the module's default limit.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next((cells for cells in reader if any(cell.strip() for cell in cells)), None)
        if header is None:
            return
        if "id" not in header:
            raise DatasetError(
                f"{path}, line {reader.line_num}: the header names no column id: "
                f"{','.join(header)[:80]!r}",
                hint="Name the columns id and question, as they are here, and separate by commas.",
            )
        named = [name for name in header if name.strip()]
        if repeated := sorted({name for name in named if named.count(name) > 1}):
            raise DatasetError(
                f"{path}, line {reader.line_num}: the header names {', '.join(repeated)} twice",
                hint="Give each column a name of its own.",
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _row(path, reader.line_num, header, cells)
    except csv.Error as error:
        raise DatasetError(f"{path}, line {reader.line_num}: {error}") from None


def _row(path: Path, line: int, header: list[str], cells: list[str]) -> JsonValue:
    wanted = _without_empty_end(header)
    if len(wanted) > len(cells) or len(_without_empty_end(cells)) > len(header):
        raise DatasetError(
            f"{path}, line {line}: {len(cells)} cells, where the header has {len(header)}",
            hint="Quote cells that hold commas or line breaks.",
        )
    row: dict[str, JsonValue] = {}
    for name, cell in zip(header, cells, strict=False):
        if name.strip() and cell:
            row[name] = cell
        elif cell.strip():
            raise DatasetError(
                f"{path}, line {line}: {cell[:40]!r} stands in a column without a name",
                hint="Name the column in the header, or remove it.",
            )
    return row


def _without_empty_end(cells: list[str]) -> list[str]:
    length = len(cells)
    while length and not cells[length - 1].strip():
        length -= 1
    return cells[:length]
