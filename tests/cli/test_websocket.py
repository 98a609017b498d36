"""Runs that evaluate over the WebSocket."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.cli.long_grading import LongGrading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import RunnerProject

STEPWISE = """\
async def grade(task, response):
    yield "reading"
    yield {"state": {"read": True}}
    yield {"pass_percentage": float(response == task["answer"])}
"""


@pytest.fixture
def long_project(project: RunnerProject) -> RunnerProject:
    project.set_in_class('EVALUATION_API = "websocket"')
    return project


@pytest.fixture
def service() -> Iterator[LongGrading]:
    with LongGrading().running() as running:
        yield running


def events(project: RunnerProject, name: str) -> list[dict[str, object]]:
    lines = (project.results / "r1" / "events.jsonl").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["event"] == name]


def test_embedded_service_evaluates_over_it(long_project: RunnerProject) -> None:
    """The embedded service evaluates over it, with progress, and leaves no state behind."""
    long_project.write_grader(STEPWISE)
    ended = long_project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert long_project.read("r1", "final_score.json")["final_score"] == pytest.approx(2 / 3)
    told = {(each["task_id"], each["text"]) for each in events(long_project, "evaluation_progress")}
    assert told == {(task_id, "reading") for task_id in ("t1", "t2", "t3")}
    assert not [name for name in long_project.files() if "eval_state" in name]
    grade = long_project.read("r1", "t1", "eval.json")
    assert grade["evaluation_api"] == "websocket"


def test_run_by_a_service_is_complete(long_project: RunnerProject, service: LongGrading) -> None:
    """A run whose service evaluates over it is scored; the same command again does nothing."""
    flags = ["--run-id", "r1", "--service-url", service.url]
    ended = long_project.run("run", *flags)
    assert ended.code == 0, ended.err
    assert sorted(service.payments) == ["t1", "t2", "t3"]
    score = long_project.read("r1", "final_score.json")
    assert (score["final_score"], score["score_api"]) == (1.0, "legacy")
    assert long_project.read("r1", "run_config.json")["operational"]["eval_timeout"] == 3600.0

    again = long_project.run("run", *flags)
    assert again.code == 0, again.err
    assert "--regrade" not in again.out
    assert len(service.payments) == 3


def test_service_without_it_is_refused_before_costs(long_project: RunnerProject) -> None:
    """A service without a WebSocket is refused before anything is generated."""
    with LongGrading(has_websocket=False).running() as service:
        ended = long_project.run("run", "--run-id", "r1", "--service-url", service.url)
    assert ended.code == 1
    assert "EVALUATION_API" in ended.err
    assert long_project.calls == []


def test_time_limit_keeps_the_state(long_project: RunnerProject, service: LongGrading) -> None:
    """An evaluation that is out of time is an error, and the next command continues it."""
    service.steps, service.between = 100, 0.01
    command = ["run", "--run-id", "r1", "--service-url", service.url]
    ended = long_project.run(*command, "--eval-total-timeout", "0.5", "t1")
    assert ended.code == 1
    assert "not evaluated within 0.5 s; --eval-total-timeout" in ended.out
    assert long_project.read("r1", "t1", "eval.json")["status"] == "error"

    assert long_project.run(*command, "t1").code == 0
    assert service.payments == ["t1"]
    assert long_project.read("r1", "t1", "eval.json")["status"] == "evaluated"


def test_only_a_resume_uses_the_state(long_project: RunnerProject, service: LongGrading) -> None:
    """A regrade, and the evaluation of another generation, begin with the response."""
    service.fails_at = 2
    flags = ["--run-id", "r1", "--service-url", service.url]
    assert long_project.run("run", *flags).code == 1
    for task_id in ("t1", "t2"):
        assert long_project.read("r1", task_id, "eval_state.json")["state"] == {"step": 1}

    assert long_project.run("run", *flags, "--rerun", "t1").code == 1
    assert sorted(service.payments) == ["t1", "t1", "t2", "t3"]
    assert "r1/t1/attempts/1/eval_state.json" in long_project.files()

    service.fails_at = None
    assert long_project.run("evaluate", *flags, "--regrade").code == 0
    assert sorted(service.payments) == ["t1", "t1", "t1", "t2", "t2", "t3", "t3"]
    assert not [name for name in long_project.files() if name.endswith("t1/eval_state.json")]


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.full)])
def test_killed_evaluation_continues(
    long_project: RunnerProject, service: LongGrading, kills: int
) -> None:
    """A run that is killed while it is evaluated goes on from the newest state, paid once."""
    service.steps, service.between = 40, 0.02
    command = ["run", "--run-id", "r1", "--service-url", service.url, "t1"]
    random, kept = Random(7), 0
    for killed in range(kills):
        process = long_project.start(*command)
        wanted = kept + random.randint(1, 4)
        service.until(lambda wanted=wanted: service.kept.get("t1", 0) >= wanted)
        process.kill()
        process.communicate()
        if killed:
            assert service.firsts[-1]["eval_resume_state"] == {"step": kept}
        state = long_project.read("r1", "t1", "eval_state.json")["state"]
        assert wanted <= state["step"] <= service.kept["t1"] + 1
        kept = state["step"]

    ended = long_project.execute(*command)
    assert ended.code == 0, ended.err
    assert service.payments == ["t1"]
    assert service.firsts[-1]["eval_resume_state"] == {"step": kept}
    assert "r1/t1/eval_state.json" not in long_project.files()
