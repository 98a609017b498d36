"""Scores, costs, tokens and times beyond reason: every command shows the run, in sentences."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject
    from tests.scripted_service import ScriptedService

HUGE = [1e308, -1e308, 10**400, 1e200]
LAST, FIRST = "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"
OF_GENERATIONS: list[dict[str, Any]] = [
    {"cost": 1e308},
    {"cost": -1e308},
    {"usage": {"input": 10**400, "output": 10**15, "reasoning": -5}},
    {"total_turns": 10**400, "attempts": 10**30},
    {"duration": 1e308},
    {"duration": -1e308},
    {"started_at": FIRST, "ended_at": LAST},
    {"started_at": LAST, "ended_at": FIRST},
]


def show_everything(project: RunnerProject) -> dict[str, Ended]:
    """Call each command that shows the runs r1 and r2, with and without --json."""
    page = project.root / "report.html"
    commands = [
        *(["status", "r1"], ["show", "r1", "t1"], ["runs"], ["compare", "r1", "r2"]),
        *(["report", "r1", "--output", page], ["report", "r1", "r2", "--output", page]),
        ["run", "--run-id", "r1"],
    ]
    shown: dict[str, Ended] = {}
    for command in commands:
        for flags in ([], ["--json"]):
            name = " ".join(map(str, [*command, *flags]))
            ended = shown[name] = project.run(*command, *flags)
            assert ended.code == 0, f"{name}: {ended.err}"
            assert "Traceback" not in ended.err
            if flags:
                json.loads(ended.out, parse_constant=pytest.fail)
    for form in ("csv", "jsonl"):
        ended = shown[form] = project.run("export", "r1", "--format", form)
        assert ended.code == 0, ended.err
    return shown


@pytest.mark.sampled(1)
@pytest.mark.parametrize("score", HUGE)
def test_huge_score_is_said_to_be_unknown(
    project: RunnerProject, scripted: ScriptedService, score: float
) -> None:
    """A task score beyond reason leaves no mean, and the task is named."""
    url = ["--service-url", scripted.url]
    project.run("run", "--run-id", "r2", *url)
    fine = {"score": 0.5}
    scripted.answers["/evaluate-response/"] = [(200, {"score": score}), (200, fine), (200, fine)]
    ended = project.run("run", "--run-id", "r1", *url, "--eval-parallelism", "1")
    assert ended.code == 0, ended.err
    assert "no standard error: 1 of 3 evaluated tasks without a numeric score: " in ended.out
    assert "Mean" not in ended.out
    project.monkeypatch.setenv("SERVICE_URL", scripted.url)
    shown = show_everything(project)
    assert "1 of 3 evaluated tasks without a numeric score" in shown["status r1"].out
    assert shown["status r1 --json"].json["mean"] is None
    assert "task_score() in runner/benchmark.py" in shown["compare r1 r2"].out


@pytest.mark.sampled(1)
@pytest.mark.parametrize("fields", OF_GENERATIONS, ids=str)
def test_huge_facts_are_unknown(project: RunnerProject, fields: dict[str, Any]) -> None:
    """Costs, tokens, turns and times beyond reason count as unknown, and nothing fails."""
    for run_id in ("r1", "r2"):
        project.run("run", "--run-id", run_id, "--skip-eval")
        for task_id in ("t1", "t2"):
            file = project.results / run_id / task_id / "generation.json"
            file.write_text(json.dumps(json.loads(file.read_bytes()) | fields))
        assert project.run("evaluate", "--run-id", run_id).code == 0
    shown = show_everything(project)
    assert shown["status r1 --json"].json["cost"] == 0
    assert "inf" not in shown["show r1 t1"].out


@pytest.mark.sampled
@pytest.mark.parametrize("score", HUGE)
@pytest.mark.parametrize("path", ["/final-score/", "/v1/score"])
def test_huge_final_score_is_refused(
    project: RunnerProject, scripted: ScriptedService, score: float, path: str
) -> None:
    """A final score beyond reason is an error, and nothing is written."""
    if path == "/v1/score":
        project.set_in_class('EVALUATION_API = "v1"')
    answer = {"tasks_evaluated": ["t1"], "final_score": score}
    scripted.answers[path] = (200, answer)
    ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url)
    assert ended.code == 1
    assert "BadResponseError" in ended.err
    assert not (project.results / "r1" / "final_score.json").exists()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("change", [{"final_score": 1e999}, {"mean": 1e308, "stderr": 1e308}])
def test_huge_score_on_disk_is_no_score(project: RunnerProject, change: dict[str, float]) -> None:
    """A final_score.json with numbers beyond reason ends no command."""
    for run_id in ("r1", "r2"):
        project.run("run", "--run-id", run_id)
        file = project.results / run_id / "final_score.json"
        text = json.dumps(json.loads(file.read_bytes()) | change)
        file.write_text(text.replace("Infinity", "1e999"))
    show_everything(project)


def test_folder_from_beyond_the_calendar_is_listed(project: RunnerProject, tmp_path: Path) -> None:
    """A run without a recorded start, and with a file time beyond the calendar, is listed."""
    project.run("run", "--run-id", "r1")
    file = project.results / "r1" / "run_config.json"
    config = {**project.read("r1", "run_config.json"), "created_at": FIRST}
    file.write_text(json.dumps(config))
    os.utime(file, (2**40, 2**40))
    ended = project.run("runs")
    assert ended.code == 0, ended.err
    assert "r1" in ended.out
