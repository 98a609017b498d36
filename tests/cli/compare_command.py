"""Runs ``compare``, and sees to it that nothing is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.files import state

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

COLUMNS = 80


def compare(project: RunnerProject, *args: str, code: int = 0) -> Ended:
    """What it says, once it is sure that it has touched nothing."""
    before = state(project.root)
    ended = project.run("compare", *args)
    assert ended.code == code, ended.err
    assert ended.err == ""
    assert state(project.root) == before
    return ended


def lines_of(project: RunnerProject, *args: str, code: int = 0) -> list[str]:
    lines = compare(project, *args, code=code).out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("Way out")) <= COLUMNS
    return lines


def as_json(project: RunnerProject, *args: str) -> dict[str, Any]:
    return compare(project, *args, "--json").json


def verdict_in(lines: list[str]) -> str:
    start = next(n for n, line in enumerate(lines) if line.startswith("Verdict"))
    return " ".join(" ".join(lines[start:]).split()).removeprefix("Verdict ")
