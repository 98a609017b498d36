"""Attempts that were killed in the middle: what they had cost counts, and is kept."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.interruption import FIRST_DONE, OUT_WITHIN, Pipe, start

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


@pytest.fixture
def recorded(project: RunnerProject) -> RunnerProject:
    """A runner whose agent records a turn of 0.25 dollars before it waits."""
    project.change_agent(
        (
            "        match word:",
            (
                "        from benchmark_runner.trajectory import Metrics, record\n\n"
                "        with record(log_dir) as trajectory:\n"
                "            metrics = Metrics(prompt_tokens=100, cost_usd=0.25)\n"
                "            trajectory.agent('thinking', metrics=metrics)\n"
                "        match word:"
            ),
        ),
    )
    project.write_tasks(FIRST_DONE)
    return project


def cost_of(project: RunnerProject) -> float:
    return project.run("status", "r1", "--json").json["cost"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "SIGINT"])
def test_cost_of_a_killed_attempt_counts_once(
    recorded: RunnerProject, pipe: Pipe, number: int
) -> None:
    """The cost of a killed attempt counts at once, in caps, and once after the resume."""
    process = start(recorded, pipe)
    process.send_signal(number)
    process.wait(OUT_WITHIN)
    process.communicate()
    assert not (recorded.results / "r1" / "t2" / "generation.json").exists()
    assert cost_of(recorded) == 0.5
    shown = recorded.run("show", "r1", "t2").out
    assert "attempt 1" in shown
    assert "Interrupted, unless it is still running" in shown

    capped = recorded.run("run", "--run-id", "r1", "--max-cost", "0.5")
    assert capped.code == 1
    assert "paused at a cost of $0.50" in capped.err
    assert recorded.calls == ["t1", "t2"]

    recorded.heal()
    resumed = recorded.run("run", "--run-id", "r1", "--json")
    assert resumed.code == 0, resumed.err
    assert resumed.json["cost"] == 0.75
    assert cost_of(recorded) == 0.75
    kept = recorded.read("r1", "t2", "attempts", "1", "generation.json")
    assert (kept["status"], kept["cost"], kept["total_turns"]) == ("error", 0.25, 1)
    assert kept["failure"]["kind"] == "cancelled"
    assert recorded.read("r1", "t2", "generation.json")["attempts"] == 2
    shown = recorded.run("show", "r1", "t2").out
    assert "Interrupted: the attempt was stopped before it was done" in shown
    assert "unless" not in shown


def test_cost_of_an_interrupted_problem(recorded: RunnerProject, pipe: Pipe) -> None:
    """The error that a signal leaves of --problem says what the task has cost."""
    (recorded.root / "p.txt").write_text("wait")
    flags = ["--run-id", "r1", "--problem", "p.txt", "--skip-eval"]
    process = recorded.start("run", *flags, "t1", ready=pipe.write_end)
    pipe.wait_for("t1")
    process.send_signal(signal.SIGTERM)
    assert recorded.end(process, timeout=OUT_WITHIN).code == 143
    left = recorded.read("r1", "t1", "generation.json")
    assert (left["status"], left["cost"], left["usage"]["input"]) == ("error", 0.25, 100)
    assert cost_of(recorded) == 0.25
