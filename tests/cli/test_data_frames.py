"""Runs as data frames: the values of the CSV export, with their types."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pytest

from benchmark_runner.errors import RunnerDefinitionError, UsageError
from benchmark_runner.results import open_run
from benchmark_runner.results.export.columns import COLUMNS
from tests.cli.outcomes import run_to_all_ends

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner.results import Run
    from tests.cli.conftest import RunnerProject

PANDAS = {
    str: "string",
    bool: "boolean",
    int: "Int64",
    float: "float64",
    datetime: "datetime64[us, UTC]",
}
POLARS = {
    str: pl.String,
    bool: pl.Boolean,
    int: pl.Int64,
    float: pl.Float64,
    datetime: pl.Datetime("us", "UTC"),
}
READ: dict[type, Callable[[str], object]] = {
    str: str,
    bool: lambda cell: cell == "true",
    int: int,
    float: float,
    datetime: datetime.fromisoformat,
}


def opened(project: RunnerProject, run_id: str = "r1") -> Run:
    from runner.benchmark import SampleRunner  # type: ignore[import-not-found]

    return open_run(project.results / run_id, SampleRunner)


def exported(project: RunnerProject, *more: str) -> list[dict[str, Any]]:
    """The rows of the CSV export, each cell read as its column's kind."""
    rows = csv.DictReader(io.StringIO(project.run("export", "r1", *more).out, newline=""))
    return [
        {name: READ[COLUMNS[name]](cell) if cell else None for name, cell in row.items()}
        for row in rows
    ]


def rows_of(frame: pd.DataFrame | pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of a data frame; CSV does not tell an empty text from none."""
    if isinstance(frame, pl.DataFrame):
        rows = frame.to_dicts()
    else:
        rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{name: None if v == "" else v for name, v in row.items()} for row in rows]


@pytest.fixture
def all_ends(project: RunnerProject) -> RunnerProject:
    run_to_all_ends(project)
    return project


class TestValues:
    def test_pandas_has_the_values_of_the_csv(self, all_ends: RunnerProject) -> None:
        """A data frame of pandas has the rows and values of the CSV export."""
        expected = exported(all_ends)

        assert rows_of(opened(all_ends).to_pandas()) == expected

    def test_polars_has_the_values_of_the_csv(self, all_ends: RunnerProject) -> None:
        """A data frame of polars has the rows and values of the CSV export."""
        expected = exported(all_ends)

        assert rows_of(opened(all_ends).to_polars()) == expected

    def test_repeats_have_rows_and_a_task_score(self, project: RunnerProject) -> None:
        """Each repeat has a row, and the score of the task is reduced as asked."""
        project.run("run", "--run-id", "r1", "--repeats", "3")
        run = opened(project)

        for reduce in ("mean", "pass^2"):
            expected = exported(project, "--reduce", reduce)
            assert len(expected) == 9
            assert rows_of(run.to_pandas(reduce)) == expected
            assert rows_of(run.to_polars(reduce)) == expected

    def test_mean_and_error_are_those_of_status(self, project: RunnerProject) -> None:
        """Mean and standard error of the tasks' scores are those that status tells."""
        project.run("run", "--run-id", "r1", "--repeats", "2")
        told = project.run("status", "r1", "--json").json

        scores = opened(project).to_pandas().drop_duplicates("task_id")["task_score"]

        assert scores.mean() == pytest.approx(told["mean"], abs=1e-12)
        assert scores.sem() == pytest.approx(told["stderr"], abs=1e-12)


class TestTypes:
    @pytest.mark.parametrize("started", [True, False])
    def test_columns_have_their_types(self, project: RunnerProject, started: bool) -> None:
        """Each column has the type of its values, also where all are missing."""
        project.run("run", "--run-id", "r1")
        if not started:
            for folder in ("t1", "t2", "t3"):
                shutil.rmtree(project.results / "r1" / folder)
        run = opened(project)

        frame, other = run.to_pandas(), run.to_polars()

        assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
            name: PANDAS[kind] for name, kind in COLUMNS.items()
        }
        assert dict(other.schema) == {name: POLARS[kind] for name, kind in COLUMNS.items()}
        assert len(frame) == len(other) == 3

    def test_times_are_in_utc(self, project: RunnerProject) -> None:
        """Times of any time zone are in UTC."""
        moment = 'datetime.fromisoformat("2026-05-04T01:00:00+05:30")'
        project.change_agent(
            ("import asyncio\n", "import asyncio\nfrom datetime import datetime\n"),
            ("Result(answer=rest)", f"Result(answer=rest, started_at={moment})"),
        )
        project.run("run", "--run-id", "r1", "t1")
        run = opened(project)
        in_utc = datetime(2026, 5, 3, 19, 30, tzinfo=UTC)

        frame = run.to_pandas().set_index("task_id")

        assert frame.loc["t1", "started_at"].to_pydatetime() == in_utc
        assert in_utc in run.to_polars()["started_at"].to_list()

    @pytest.mark.parametrize(
        ("answer", "kept"),
        [
            ("=1+1", "=1+1"),
            ("\x1b[31mred\x00", "\x1b[31mred\x00"),
            ("one\rtwo\r\n", "one\rtwo\r\n"),
            ("half \ud83d of one", "half \ufffd of one"),
            ("<b>\u2028\U0001f600", "<b>\u2028\U0001f600"),
        ],
    )
    def test_hostile_text_stays_text(self, project: RunnerProject, answer: str, kept: str) -> None:
        """A text stays as it is, but for half a surrogate pair."""
        project.change_agent(("answer=rest", f"answer={answer!a}"))
        project.write_tasks([{"id": "t1", "question": "say it", "answer": ""}])
        project.run("run", "--run-id", "r1")
        run = opened(project)

        assert run.to_pandas()["answer"].tolist() == [kept]
        assert run.to_polars()["answer"].to_list() == [kept]


class TestErrors:
    @pytest.mark.parametrize("package", ["pandas", "polars"])
    def test_missing_package_says_how_to_get_it(
        self, project: RunnerProject, package: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without the package, the error says how to install it, in the traceback, too."""
        project.run("run", "--run-id", "r1")
        run = opened(project)
        monkeypatch.setattr("benchmark_runner._extras.find_spec", lambda name: None)

        with pytest.raises(UsageError, match=f"not installed: {package}") as caught:
            getattr(run, f"to_{package}")()

        assert str(caught.value.hint).startswith("Install it: ")
        assert str(caught.value.hint).endswith(f" {package}")
        assert caught.value.__notes__ == [caught.value.hint]

    def test_unknown_reduction_is_refused(self, project: RunnerProject) -> None:
        """A reduction that the run has no repeats for is refused."""
        project.run("run", "--run-id", "r1")

        with pytest.raises(UsageError, match="repeats"):
            opened(project).to_pandas("pass@2")

    def test_failing_task_score_is_an_error(self, project: RunnerProject) -> None:
        """A task_score() that fails is an error that names the task."""
        project.run("run", "--run-id", "r1")
        project.set_in_class('task_score = lambda self, result: {}["no"]')
        project.run("--version")

        with pytest.raises(RunnerDefinitionError, match="t3"):
            opened(project).to_polars()

    def test_keys_of_the_environment_are_masked(
        self, project: RunnerProject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A key of the environment in an answer is masked."""
        project.write_tasks([{"id": "t1", "question": "say sk-proj-1f2e3d4c5b6a", "answer": ""}])
        project.run("run", "--run-id", "r1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-1f2e3d4c5b6a")

        assert opened(project).to_pandas()["answer"].tolist() == ["***"]
        assert opened(project).to_polars()["question"].to_list() == ["say ***"]
