"""A run as a data frame of pandas or polars: the columns of its CSV export, with their types."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmark_runner._extras import require_package
from benchmark_runner._json import valid_text
from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.results.export.columns import columns_of, rows_of
from benchmark_runner.results.run_view import RunView
from benchmark_runner.results.task_row import Cell, Kind

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["pandas_frame", "polars_frame"]


def pandas_frame(view: RunView, reduction: Reduction) -> pd.DataFrame:
    """Return a run as a data frame of pandas.

    Raises:
        UsageError: pandas is not installed.
    """
    require_package("pandas")
    import pandas as pd

    # Floats are those of numpy, in which NaN is missing: what computes expects them.
    dtypes: dict[Kind, str] = {
        str: "string", bool: "boolean", int: "Int64", float: "float64",
        datetime: "datetime64[us, UTC]",
    }  # fmt: skip
    values = _values(view, reduction)
    return pd.DataFrame(
        {
            name: pd.Series(values.pop(name), dtype=dtypes[kind])
            for name, kind in columns_of(view).items()
        }
    )


def polars_frame(view: RunView, reduction: Reduction) -> pl.DataFrame:
    """Return a run as a data frame of polars.

    Raises:
        UsageError: polars is not installed.
    """
    require_package("polars")
    import polars as pl

    dtypes: dict[Kind, pl.DataType] = {
        str: pl.String(), bool: pl.Boolean(), int: pl.Int64(), float: pl.Float64(),
        datetime: pl.Datetime("us", "UTC"),
    }  # fmt: skip
    values = _values(view, reduction)
    return pl.DataFrame(
        [pl.Series(name, values.pop(name), dtypes[kind]) for name, kind in columns_of(view).items()]
    )


def _values(view: RunView, reduction: Reduction) -> dict[str, list[Cell]]:
    """Return the values of each column, masked."""
    columns: dict[str, list[Cell]] = {name: [] for name in columns_of(view)}
    for row in rows_of(view, reduction):
        for name, value in row.items():
            columns[name].append(_fit(value, view.artifacts.redactor.clean_text))
    return columns


def _fit(value: Cell, mask: Callable[[str], str]) -> Cell:
    match value:
        case str():
            # Arrow, in which both keep texts, has no half surrogate pairs.
            return valid_text(mask(value))
        case datetime():
            return value.astimezone(UTC)
        case _:
            return value
