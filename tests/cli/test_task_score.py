"""Runs of results in which ``task_score()`` finds no score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.doctor.repositories import ask_for, commit, write_answers
from tests.cli.summing_service import TASKS, SummingService

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.cli.conftest import RunnerProject

OVERRIDE = "def task_score(self, result): return result['points']"


@pytest.fixture
def points(project: RunnerProject, serve_app: Callable[[ASGIApp], str]) -> SummingService:
    """A service whose results have points, of a run with one task that runs out of turns."""
    service = SummingService(mode="custom", wrong={"t3"})
    service.url = serve_app(service.app())
    project.write_tasks([*TASKS[:5], {"id": "t5", "question": "out-of-turns"}])
    project.set_in_class('SCORE_SUBMISSION = "result"')
    project.monkeypatch.setenv("SERVICE_URL", service.url)
    return service


def test_score_has_no_mean_beside_it(project: RunnerProject, points: SummingService) -> None:
    """No mean is shown if only a task that ran out of turns has a value."""
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert "Score    0.6667\n" in ended.out
    assert "no standard error: no task has a numeric score" in ended.out
    assert "mean" not in f"{ended.out}{ended.err}".lower()
    shown = project.run("status", "r1")
    assert "no standard error: no task has a numeric score" in shown.out
    assert "Mean" not in shown.out
    assert project.run("status", "r1", "--json").json["mean"] is None
    page = project.root / "report.html"
    assert project.run("report", "r1", "--output", page).code == 0
    assert "No interval: no task has a numeric score" in page.read_text()
    assert project.read("r1", "final_score.json")["mean"] is None


def test_compare_points_at_task_score(project: RunnerProject, points: SummingService) -> None:
    """Compare names task_score(), and is possible once that knows the scores."""
    for run_id in ("r1", "r2"):
        project.run("run", "--run-id", run_id)
    ended = project.run("compare", "r1", "r2")
    said = " ".join(ended.out.split())
    assert "Not comparable" in said
    assert "task_score() in runner/benchmark.py finds no score in 5 results of A" in said
    project.set_in_class(OVERRIDE)
    ended = project.run("compare", "r1", "r2")
    assert "task_score()" not in ended.out
    assert "Verdict    No difference shown" in ended.out


def test_doctor_points_at_task_score(project: RunnerProject, points: SummingService) -> None:
    """Doctor names task_score() with a result of the newest run, until that knows a score."""
    write_answers(project)
    ask_for(project, ">=0.1,<99")
    commit(project.root)
    project.run("run", "--run-id", "r1")
    for line, found in ((None, True), (OVERRIDE, False)):
        if line is not None:
            project.set_in_class(line)
        checks = project.run("doctor", "--offline", "--json").json["checks"]
        (check,) = [each for each in checks if each["check"] == "runner"]
        assert check["status"] == "ok"
        assert ("in a result of run 'r1': {\"points\": 1}" in (check["remedy"] or "")) is found
