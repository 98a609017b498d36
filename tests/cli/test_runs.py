"""``runs``: one line a run, the newest first."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.cli.output.runs import table_lines
from benchmark_runner.results.run_list import RunOverview
from tests.cli.outcomes import run_to_all_ends

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


def begun(project: RunnerProject, run_id: str, moment: datetime) -> None:
    """Say of a run when it was begun."""
    path = project.results / run_id / "run_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"created_at": moment.isoformat()}))


class TestTheLines:
    def test_each_run_has_a_line(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """Each run has a line, the newest first."""
        now = datetime.now(UTC)
        project.run("run", "--run-id", "whole", "--model", "m-1")
        project.run("run", "--run-id", "part", "--limit", "2", "--service-url", scripted.url)
        begun(project, "part", now - timedelta(hours=3, minutes=1))
        run_to_all_ends(project, "ends")
        begun(project, "ends", now - timedelta(days=4, minutes=1))

        ended = project.run("runs")

        assert (ended.code, ended.err) == (0, "")
        heading, *lines = ended.out.splitlines()
        assert heading.split() == ["RUN", "DONE", "SCORE", "AGE", "BY", "MODEL", "DATASET"]
        whole, part, ends = ([*filter(None, line.split("  "))] for line in lines)
        assert whole[:3] == ["whole", "all 3", "0.6667 ± 0.33"]
        assert [cell.strip() for cell in whole[4:]] == ["local", "m-1", "validation"]
        assert [cell.strip() for cell in part] == [
            "part", "all 2", "1 ± 0", "3 h", "service", "sample-model",
            "first 2 of 3, validation",
        ]  # fmt: skip
        assert [cell.strip() for cell in ends] == [
            "ends", "4/9", "4 d", "local", "sample-model", "validation",
        ]  # fmt: skip

    def test_no_runs_names_the_folder(self, project: RunnerProject) -> None:
        """Without runs the folder is named."""
        (project.results / "notes").mkdir(parents=True)

        ended = project.run("runs")

        assert (ended.code, ended.out) == (0, "No runs in results\n")

    def test_unreadable_run_is_shown(self, project: RunnerProject) -> None:
        """Other folders are left out, and a run that can't be read is shown."""
        project.run("run", "--run-id", "r1")
        project.run("run", "--run-id", "r2")
        (project.results / "r2" / "run_config.json").write_text("{")
        (project.results / "notes").mkdir()
        (project.results / "notes" / "run.txt").touch()

        ended = project.run("runs")

        assert ended.code == 0
        _, *lines = ended.out.splitlines()
        assert sorted(line.split()[0] for line in lines) == ["r1", "r2"]
        (damaged,) = [line for line in lines if line.startswith("r2")]
        assert "can't be read: " in damaged
        assert "run_config.json" in damaged

    def test_score_that_is_no_mean_has_no_error(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A score that is not the mean has no standard error."""
        scripted.answers["/final-score/"] = (
            200,
            {"tasks_evaluated": ["t1"], "final_score": 42.5},
            {},
        )
        project.run("run", "--run-id", "r1", "--service-url", scripted.url)

        _, line = project.run("runs").out.splitlines()

        assert line.split("  ")[2].strip() == "42.5"


class TestAsJson:
    def test_json_has_all_fields(self, project: RunnerProject) -> None:
        """The JSON has the same in full."""
        project.run("run", "--run-id", "r1", "--limit", "2")
        project.run("run", "--run-id", "r2")
        (project.results / "r2" / "run_config.json").write_text("{")

        document = project.run("runs", "--json").json

        assert (document["command"], document["results_dir"]) == ("runs", str(project.results))
        runs = {run["run_id"]: run for run in document["runs"]}
        assert [*runs] == ["r2", "r1"]
        first = runs["r1"]
        assert (first["done"], first["total"], first["complete"]) == (2, 2, True)
        assert (first["limit"], first["dataset_size"]) == (2, 3)
        assert (first["final_score"], first["stderr"], first["local"]) == (1, 0, True)
        assert (first["model"], first["dataset_name"]) == ("sample-model", "validation")
        assert first["error"] is None
        assert runs["r2"]["error"]["type"] == "ArtifactError"
        assert runs["r2"]["model"] is None


def overview(run_id: str, **fields: object) -> RunOverview:
    config = RunConfig.model_validate({"run_id": run_id, "model": "m", "tasks": ["t1"], **fields})
    return RunOverview(run_id=run_id, started_at=datetime.now(UTC), config=config, total=1)


class TestTheTable:
    RUNS = (
        overview("a-run-of-mine-1", model="a-provider/a-model-with-a-long-name-2026-05-04"),
        overview("r2", limit=1, dataset_size=1000, dataset_name="a-dataset-with-a-long-name"),
    )

    def test_terminal_cuts_names_but_not_ids(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On a terminal names are cut, but neither ids nor the limit."""
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "80")

        _, first, second = table_lines(self.RUNS)

        assert max(len(first), len(second)) <= 80
        assert first.startswith("a-run-of-mine-1 ")
        assert "…" in first
        assert "first 1 of 1,000" in second

    def test_repeats_fit_beside_an_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A run with a generated id, repeats and a score has one line of a terminal."""
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "80")
        run = overview(
            "20261127-192146-a7d3", model="baseline", dataset_name="validation", repeats=5
        )
        run = replace(run, total=8000, complete=True, local=True, score=0.4625, mean=0.4625)

        _, line = table_lines([replace(run, stderr=0.11)])

        assert len(line) <= 80

    def test_too_long_id_is_whole(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An id too long for the terminal is shown completely, and so is the limit."""
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "80")
        name = "a-long-name-of-a-run-" * 4
        run = overview(name, limit=1, dataset_size=1000, dataset_name="a-dataset")

        _, line = table_lines([run])

        assert line.startswith(f"{name} ")
        assert line.endswith("first 1 of 1,000…")

    def test_nothing_is_cut_elsewhere(self) -> None:
        """Without a terminal nothing is cut."""
        _, first, second = table_lines(self.RUNS)

        assert "a-provider/a-model-with-a-long-name-2026-05-04" in first
        assert second.endswith("first 1 of 1,000, a-dataset-with-a-long-name")

    def test_escapes_in_names_are_removed(self) -> None:
        """Escape sequences in a name are removed."""
        _, line = table_lines([overview("r1", model="m\x1b[2J\nm")])

        assert "m m" in line
