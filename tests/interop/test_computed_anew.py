"""Logs whose results Inspect computes anew: with reductions, unscored repeats and odd values."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._stats.reduction import Reduction
from benchmark_runner.artifacts.locks import LOCK_FILE, hold_lock
from benchmark_runner.checkpoint import Until
from benchmark_runner.results.export.inspect_log import write_log
from tests.unit.results.export.inspect_log.test_results import add_repeats
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.interop.releases import Release

#: Results are equal to this.
CLOSE = 1e-9
#: The names of reductions, and those of Inspect's reducers.
REDUCTIONS = {
    "mean": "mean",
    "max": "max",
    "pass@1": "pass_at_1",
    "pass@2": "pass_at_2",
    "pass^2": "pass_k_2",
}
ODD = ["naïve ✓", "a%2Fb #?&", "7", "..x", "x" * 200]

Logs = dict[str, Any]


def export(run: MadeRun, reduce: str = "mean") -> Path:
    """Export a run, and return the file."""
    file = run.results / f"{len([*run.results.glob('*.eval')])}.eval"
    with file.open("wb") as opened:
        write_log(run.save(), opened, Reduction.parse(reduce))
    return file


def repeated(folder: Path) -> MadeRun:
    """A run of three repeats, of which some have no score."""
    run = MadeRun(folder)
    some = ((1.0, 0.0, 0.0), (1.0, None, 1.0), (None, None, None), (0.0, 1.0, None))
    add_repeats(run, *some, (1.0, 1.0, 1.0))
    return run


def large(folder: Path) -> MadeRun:
    """A run with scores on another scale than 0 to 1."""
    run = MadeRun(folder)
    for number in range(200):
        run.graded(f"t{number}", (number * 7919 % 211) / 7 - 5)
    return run


def odd(folder: Path) -> MadeRun:
    """A run with odd ids, texts and results."""
    run = MadeRun(folder)
    nested: Any = 1.0
    for _ in range(150):
        nested = {"a": [nested]} if isinstance(nested, list) else [nested]
    for task_id in ODD:
        run.graded(task_id, {"score": 1.0, "nested": nested, "large": 10**300})
    run.graded("half", {"score": 1.0}, answer="\ud83d \x00\x1b[31m", question="\u202e")
    run.graded("not a number", {"score": 1.0})
    file = run.artifacts.task_dir("not a number") / "eval.json"
    evaluation = json.loads(file.read_text())
    evaluation["result"] |= {"nan": math.nan, "infinite": math.inf}
    file.write_text(json.dumps(evaluation))
    return run


def unfinished(folder: Path, **fields: Any) -> MadeRun:
    """A run of which one task is missing."""
    run = MadeRun(folder, fields=fields)
    for number in range(30):
        run.graded(f"t{number}", 1.0)
    run.missing("t30")
    return run


def exported(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each log with a name for it."""
    run = repeated(folder / "repeated")
    for reduce in REDUCTIONS:
        yield reduce, export(run, reduce)
    yield "large", export(large(folder / "large"))
    yield "odd", export(odd(folder / "odd"))
    yield "stopped", export(unfinished(folder / "stopped"))
    asked = Until(score=0.5, alpha=0.05, seed=1)
    yield "settled", export(unfinished(folder / "settled", until=asked))
    run = unfinished(folder / "running")
    with hold_lock(run.artifacts.run_dir / LOCK_FILE, "the run"):
        yield "running", export(run)
    empty = MadeRun(folder / "empty")
    empty.missing("t1")
    empty.save()
    yield "empty", export(empty)


@pytest.fixture(scope="session")
def logs(inspect: Release, tmp_path_factory: pytest.TempPathFactory) -> Logs:
    """What a release reads from the logs, by their names."""
    files = dict(exported(tmp_path_factory.mktemp("logs")))
    return dict(zip(files, inspect.read("recomputed", *files.values()), strict=True))


def close(one: dict[str, float], other: dict[str, float]) -> bool:
    """Return True if both have the same numbers, of which some may not be numbers."""
    return one.keys() == other.keys() and all(
        (math.isnan(value) and math.isnan(other[name])) or abs(value - other[name]) < CLOSE
        for name, value in one.items()
    )


class TestResults:
    @pytest.mark.parametrize(("reduce", "reducer"), REDUCTIONS.items())
    def test_reductions_are_those_of_inspect(self, logs: Logs, reduce: str, reducer: str) -> None:
        """A reduction has the metrics, the counts and the task scores that Inspect computes."""
        written, computed = logs[reduce]["written"], logs[reduce]["computed"]

        assert written["counts"] == computed["counts"] == {reducer: [4, 1]}
        assert written["metrics"].keys() == {f"{reducer} mean", f"{reducer} stderr"}
        assert close(written["metrics"], computed["metrics"])
        assert close(written["tasks"], computed["tasks"])

    def test_scores_of_any_scale(self, logs: Logs) -> None:
        """Scores on another scale than 0 to 1 have the same mean and error."""
        assert close(logs["large"]["written"]["metrics"], logs["large"]["computed"]["metrics"])

    def test_odd_ids_and_values_are_read(self, logs: Logs) -> None:
        """Samples of odd ids are found, and results of any JSON are read."""
        assert logs["odd"]["samples"] == [*ODD, "half", "not a number"]
        assert logs["odd"]["written"]["metrics"] == {"mean mean": 1.0, "mean stderr": 0.0}


class TestStates:
    @pytest.mark.parametrize(
        ("name", "status", "samples"),
        [
            ("running", "started", 30),
            ("stopped", "cancelled", 30),
            ("settled", "success", 30),
            ("empty", "cancelled", 0),
        ],
    )
    def test_unfinished_run_is_read(self, logs: Logs, name: str, status: str, samples: int) -> None:
        """A run that is under way, stopped, settled or empty is a log in such a state."""
        assert (logs[name]["status"], len(logs[name]["samples"])) == (status, samples)


class TestModels:
    @pytest.mark.parametrize(
        ("model", "args"), [("vals/x", ("--model", "none/none")), ("of-our-own", ())]
    )
    def test_log_of_any_can_be_scored(
        self, newest: Release, tmp_path: Path, model: str, args: tuple[str, ...]
    ) -> None:
        """A log of any model can be scored again, if need be with another one for the scorers."""
        run = MadeRun(tmp_path, fields={"model": model})
        run.graded("t1", 1.0)
        flags = ("--scorer", "includes", "--action", "append", "--output-file", "scored.eval")

        newest.command("score", export(run), *flags, *args, cwd=tmp_path)

        (scored,) = newest.read("log", tmp_path / "scored.eval")
        _, results = scored["results"]
        assert [score["name"] for score in results["scores"]] == ["evaluation", "includes"]
