"""What a run notes of itself: every step with its task, and how it stood before and after."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


def events(project: RunnerProject) -> list[dict[str, Any]]:
    """The lines of the last invocation."""
    text = (project.results / "r1" / "events.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if line["invocation"] == lines[-1]["invocation"]]


def named(project: RunnerProject) -> list[str]:
    return [line["event"] for line in events(project)]


COSTLY = ("return GenerationResult(answer=rest)", "return GenerationResult(answer=rest, cost=0.5)")


def test_steps_are_logged_in_order(
    project: RunnerProject,
) -> None:
    """Each step is logged in order between the first and the last line."""
    project.write_tasks([{"id": "t1", "question": "say one", "answer": "one"}])
    assert project.run("run", "--run-id", "r1", "--parallelism", "3").code == 0
    first, *_, last = events(project)
    assert named(project) == [
        "invocation_started",
        "generation_started",
        "generation_finished",
        "evaluation_started",
        "evaluation_finished",
        "scoring_started",
        "invocation_ended",
    ]
    assert (first["command"], first["model"], first["parallelism"]) == ("run", "sample-model", 3)
    assert (first["total"], first["done"], first["to_generate"]) == (1, 0, 1)
    assert first["pid"] == os.getpid()
    assert (last["outcome"], last["final_score"], last["mean"]) == ("complete", 1.0, 1.0)


def test_waiting_evaluation_is_logged(project: RunnerProject, scripted: ScriptedService) -> None:
    """An evaluation that waits for a retry is logged with its task."""
    scripted.answers["/evaluate-response/"] = [
        (503, {"detail": "busy"}, {"retry-after": "0"}),
        (200, {"pass_percentage": 1.0}),
    ]
    url = ("--service-url", scripted.url)
    assert project.run("run", "--run-id", "r1", "t1", "--skip-eval", *url).code == 0
    assert project.run("run", "--run-id", "r1", "t1", *url).code == 0
    assert named(project) == [
        "invocation_started",
        "evaluation_started",
        "retry_scheduled",
        "evaluation_resumed",
        "evaluation_finished",
        "invocation_ended",
    ]
    assert [line["task_id"] for line in events(project)[1:5]] == ["t1"] * 4
    assert events(project)[2]["reason"].startswith("HTTP 503: busy")
    assert events(project)[0]["to_evaluate"] == 1
    assert events(project)[-1]["outcome"] == "incomplete"  # two tasks were not chosen


def test_resume_starts_with_earlier_counts(project: RunnerProject) -> None:
    """The first line of a resume has the counts of before."""
    project.change_agent(COSTLY)
    project.write_tasks(
        [
            {"id": "right", "question": "say one", "answer": "one"},
            {"id": "wrong", "question": "say one", "answer": "two"},
            {"id": "late", "question": "wait", "answer": "", "timeout": 0.01},
            {"id": "fails", "question": "raise this", "answer": "this"},
        ]
    )
    assert project.run("run", "--run-id", "r1").code == 1
    project.heal()
    ended = project.run("run", "--run-id", "r1", "fails", "right")
    assert ended.code == 0
    first = events(project)[0]
    assert (first["total"], first["done"], first["to_generate"]) == (2, 1, 1)
    assert (first["scored"], first["mean"], first["stderr"], first["timed_out"]) == (
        1,
        1.0,
        None,
        0,
    )
    assert (first["cost"], first["cost_unknown"]) == (1.0, 2)  # of all tasks

    assert project.run("run", "--run-id", "r1", "--rerun", "fails").code == 0
    first = events(project)[0]
    assert (first["total"], first["done"], first["to_generate"]) == (4, 3, 1)
    assert (first["scored"], first["timed_out"]) == (3, 1)
    assert first["mean"] == pytest.approx(1 / 3)
    assert first["stderr"] == pytest.approx(1 / 3)
    assert (first["cost"], first["cost_unknown"]) == (1.5, 2)  # earlier attempts were paid, too


def test_end_of_an_invocation_has_its_reason(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    """The last line of an invocation has the reason why it ended."""
    scripted.answers["/evaluate-response/"] = (401, {"detail": "no"})
    run = ("run", "--run-id", "r1", "--service-url", scripted.url)
    assert project.run(*run).code == 1
    assert events(project)[-1]["outcome"] == "stopped"
    assert events(project)[-1]["error"].startswith("AuthenticationError: ")
    assert "evaluation_stopped" in named(project)

    del scripted.answers["/evaluate-response/"]
    project.set_in_class("def task_score(self, result): raise ValueError('odd')")
    assert project.run(*run).code == 2
    assert events(project)[-1]["outcome"] == "failed"
    assert "task_score() failed" in events(project)[-1]["error"]


def test_nothing_to_do_logs_nothing(project: RunnerProject) -> None:
    """A command with nothing to do logs nothing."""
    project.run("run", "--run-id", "r1")
    before = (project.results / "r1" / "events.jsonl").read_bytes()
    for command in ("run", "evaluate", "score"):
        assert project.run(command, "--run-id", "r1").code == 0
    assert project.run("run", "--run-id", "r1", "--dry-run").code == 0
    assert (project.results / "r1" / "events.jsonl").read_bytes() == before


def test_unwritable_log_is_reported_once(
    project: RunnerProject,
) -> None:
    """A log that can't be written is reported once and changes nothing else."""
    (project.results / "r1" / "events.jsonl").mkdir(parents=True)
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0
    assert ended.err.count("The log of events is incomplete: ") == 1
    assert "events.jsonl: can't be written: Is a directory" in ended.err
    assert project.read("r1", "final_score.json")["complete"] is True
