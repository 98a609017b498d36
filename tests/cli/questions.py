"""Runs with a question, for the tests of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

RUN = ["run", "--run-id", "r1", "--parallelism", "1"]
YES, ERROR, USAGE, NOT_COMPARABLE, NO = 0, 1, 2, 4, 5


def tasks(count: int, *, passed: int) -> list[dict[str, str]]:
    """Return tasks of which the sample agent passes the first ones."""
    return [
        {"id": f"t{n}", "question": "say x", "answer": "x" if n < passed else "y"}
        for n in range(count)
    ]


def make_hopeless(project: RunnerProject) -> RunnerProject:
    """Write sixty tasks, of which one in ten passes, at a dollar each."""
    project.change_agent(("GenerationResult(answer=rest)", "GenerationResult(answer=rest, cost=1)"))
    project.write_tasks(tasks(60, passed=6))
    return project


def settled(ended: Ended, code: int) -> str:
    """Return the line with the verdict of a command that ended with this code."""
    assert ended.code == code, ended.out + ended.err
    (line,) = (each for each in ended.out.splitlines() if "ettled " in each and " after " in each)
    return line
