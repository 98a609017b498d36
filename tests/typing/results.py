"""The reading of runs as type checkers see it; pyright checks this file, and nothing runs it.

A line with ``# pyright: ignore[rule]`` must be an error: pyright reports one that is none.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import assert_type

import pandas as pd
import polars as pl

from benchmark_runner import BenchmarkRunner
from benchmark_runner.results import Run, RunOverview, TaskRow, TaskState, list_runs, open_run


def runs(runner: type[BenchmarkRunner], made: BenchmarkRunner, folder: Path) -> None:
    run = open_run("results/my-run", runner)
    assert_type(run, Run)
    open_run(folder, made)
    open_run("results/my-run")  # pyright: ignore[reportCallIssue]
    open_run("results", "my-run")  # pyright: ignore[reportArgumentType]
    assert_type(list_runs(folder, runner), list[RunOverview])
    assert_type(run.rows(), Iterator[TaskRow])
    assert_type(run.to_pandas(), pd.DataFrame)
    assert_type(run.to_polars(reduce="pass@2"), pl.DataFrame)
    assert_type(run.scan().finish().summary.mean, float | None)


def rows(row: TaskRow) -> None:
    assert_type(row.state, TaskState)
    assert_type(row.score, float | None)
    assert_type(row.input_tokens, int | None)
    assert_type(row.started_at, datetime | None)
