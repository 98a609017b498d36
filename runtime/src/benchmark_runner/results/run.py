"""One run as notebooks open it: by its path, for rows and for data frames."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._redaction import Redactor
from benchmark_runner._secrets import secrets_of_environment
from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._text import plural, some_ids
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.checkpoint import field_words
from benchmark_runner.errors import BenchmarkRunnerError, UsageError
from benchmark_runner.results.reduced_score import check_repeats, parse_reduction
from benchmark_runner.results.run_view import RunView, is_run, open_view, run_ids

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["Run", "open_run"]

#: Where runs are, seen from a notebook in the project, or in a folder of it.
_RESULTS = (Path("results"), Path("..") / "results")


class Run(RunView):
    """One run on disk, opened by :func:`open_run`, also while a command is working on it."""

    def to_pandas(self, reduce: str = "mean") -> pd.DataFrame:
        """Return the run as a data frame of pandas, with a row for each repeat of each task.

        It has the columns of ``export``. Texts are ``string``, integers ``Int64``, numbers
        ``float64``, booleans ``boolean``, times ``datetime64[us, UTC]``. What is unknown is
        missing, and half a surrogate pair in a text becomes U+FFFD.

        Args:
            reduce: How the repeats of a task become its ``task_score``: ``mean``, ``max``,
                ``pass@K`` or ``pass^K``.

        Raises:
            UsageError: pandas is not installed, or the scores can't be reduced so.
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        from benchmark_runner.results.export.data_frame import pandas_frame

        with _with_hints():
            return pandas_frame(self, self._reduction(reduce))

    def to_polars(self, reduce: str = "mean") -> pl.DataFrame:
        """Return the run as a data frame of polars, with the same rows and columns.

        Texts are ``String``, integers ``Int64``, numbers ``Float64``, booleans ``Boolean``,
        times ``Datetime("us", "UTC")``.

        Args:
            reduce: How the repeats of a task become its ``task_score``: ``mean``, ``max``,
                ``pass@K`` or ``pass^K``.

        Raises:
            UsageError: polars is not installed, or the scores can't be reduced so.
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        from benchmark_runner.results.export.data_frame import polars_frame

        with _with_hints():
            return polars_frame(self, self._reduction(reduce))

    def _reduction(self, reduce: str) -> Reduction:
        reduction = parse_reduction(reduce)
        check_repeats(reduction, self.config)
        return reduction


def open_run(path: Path | str, runner: BenchmarkRunner | type[BenchmarkRunner]) -> Run:
    """Open a run for reading.

    Keys of the environment are masked in what is read, as they are in all that is written.

    Args:
        path: The folder of the run, such as ``results/my-run``.
        runner: The author's runner class, or an instance, for ``task_score()``.

    Raises:
        UsageError: there is no such run; the hint names runs with a similar name.
        ArtifactError: its config can't be read, or is damaged.
    """
    with _with_hints():
        folder = Path(path).expanduser()
        whole = folder.resolve()
        if not is_run(whole.parent, whole.name):
            raise _no_run(folder, whole)
        redactor = Redactor(secrets_of_environment(os.environ), reserved=field_words)
        view = open_view(whole.parent, whole.name, runner, redactor)
        return Run(view.artifacts, view.config, view.runner)


def _no_run(folder: Path, whole: Path) -> UsageError:
    for above in whole.parents:
        if (above / "run_config.json").is_file():
            return UsageError(
                f"{folder} is part of a run, and is none itself", hint=f"Open the run: {above}"
            )
    if not whole.exists():
        return UsageError(f"there is no run {folder}", hint=_where_runs_are(folder))
    if whole.is_dir() and (runs := [folder / name for name in run_ids(whole)]):
        return UsageError(
            f"{folder} is a folder of runs, and is none itself",
            hint=f"It has {plural(len(runs), 'run')}: {some_ids(runs)}.",
        )
    return UsageError(
        f"{folder} is no run: it has no run_config.json",
        hint="Give the folder of a run, such as results/my-run.",
    )


def _where_runs_are(folder: Path) -> str:
    """Return a hint with the runs of similar names, there and where runs are by default."""
    runs: dict[str, Path] = {}
    for place in (folder.parent, *_RESULTS):
        for name in run_ids(place):
            runs.setdefault(name, place / name)
    if near := get_close_matches(folder.name, runs):
        return f"Did you mean {' or '.join(str(runs[name]) for name in near)}?"
    if runs:
        return f"Found {plural(len(runs), 'run')}: {some_ids([*runs.values()])}."
    return f"{folder.parent} has no runs; the working directory is {Path.cwd()}."


@contextmanager
def _with_hints() -> Generator[None]:
    """Add the hint of an error to its traceback, which is what a notebook shows."""
    try:
        yield
    except BenchmarkRunnerError as error:
        if error.hint:
            error.add_note(error.hint)
        raise
