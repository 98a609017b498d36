"""A run on disk with every kind of outcome, for the tests of its exports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.results.trajectories import log_folder
from benchmark_runner.schemas import Phase, TaskRepeat, TokenUsage
from tests.unit.results.report.agents import delegating, put, step, trajectory, usual
from tests.unit.results.report.runs import MadeRun

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.results.run_view import RunView

USAGE = TokenUsage(input=100, output=20, reasoning=5, cache_read=30, cache_write=7)
#: A key of the runner, which agents have written into all that they could.
KEY = "sk-planted-0123456789abcdef"


def every_outcome(results: Path) -> RunView:
    """Return a run of two repeats of each task; the first repeats have every outcome."""
    run = MadeRun(results)
    run.graded("right", 1.0, usage=USAGE, cost=0.25, total_turns=3)
    run.graded("wrong", {"pass_percentage": 0.0, "reason": "no"}, number=1)
    run.ran_out("slow", number=2)
    run.ran_out("chatty", "max_turns", number=3)
    run.failed("broken", "ValueError: no luck", number=4)
    run.failed("broken", "ValueError: no luck again", number=5)
    run.failed("unfair", "KeyError: 'rubric'", Phase.EVALUATE, number=6)
    run.generated("ungraded", number=7)
    run.missing("missing")
    run.tasks = [*dict.fromkeys([*run.tasks, "killed", "odd id.json"])]
    run.graded("odd id.json", 0.5, number=8)
    run.tasks = [*dict.fromkeys(run.tasks)]
    second = run.repeat(2)
    second.graded("right", 0.0)
    add(run, "right", usual())
    add(run, "wrong", delegating())
    add(run, "broken", trajectory(step(1, message="first try")), attempt=1)
    add(run, "killed", trajectory(step(1, "user", "Why?"), step(2, message="As")))
    helper = trajectory(step(1, message="I help."), name="helper")
    put(logs(run, "wrong") / "helpers", helper)
    return run.save(final_score=0.5, complete=False)


def logs(run: MadeRun, task_id: str, attempt: int | None = None) -> Path:
    return log_folder(run.artifacts, TaskRepeat(task_id), attempt)


def add(run: MadeRun, task_id: str, content: dict[str, object], attempt: int | None = None) -> None:
    """Give an attempt a trajectory."""
    put(logs(run, task_id, attempt), content)
