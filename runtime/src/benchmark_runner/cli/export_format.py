"""The formats of ``export``, chosen by name or by the name of the file."""

from enum import StrEnum
from pathlib import Path
from typing import Self


class ExportFormat(StrEnum):
    """A format that a run can be exported to."""

    CSV = "csv"
    JSONL = "jsonl"
    INSPECT = "inspect"
    ATIF = "atif"
    OTEL = "otel"

    @classmethod
    def of(cls, output: Path | None) -> Self:
        """Return the format that the name of a file tells; CSV where it tells none."""
        suffix = output.suffix.lower() if output is not None else ""
        return cls(_BY_SUFFIX.get(suffix, "csv"))


_BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".eval": "inspect"}
