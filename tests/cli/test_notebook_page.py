"""The page on notebooks: its code, run in order against real runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.pages import DOCS, blocks

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

PAGE = DOCS / "notebooks.md"
TASKS = [
    {"id": "right", "question": "say yes", "answer": "yes"},
    {"id": "wrong", "question": "say no", "answer": "yes"},
    {"id": "slow", "question": "wait", "answer": "", "timeout": 0.1},
    {"id": "broken", "question": "raise no luck", "answer": ""},
]


@pytest.fixture
def cells(project: RunnerProject) -> dict[str, Any]:
    """The variables of the page, after all of its code has run."""
    project.change_agent(
        ("class SampleRunner", "class MyBenchRunner"),
        ("return GenerationResult(answer=rest)", "return GenerationResult(answer=rest, cost=0.5)"),
    )
    cli = project.root / "runner" / "cli.py"
    cli.write_text(cli.read_text().replace("SampleRunner", "MyBenchRunner"))
    project.write_tasks(TASKS)
    project.run("run", "--run-id", "first", "--repeats", "2")
    project.change_agent(
        ("raise ValueError(rest)", 'return GenerationResult(answer="")'),
        ("answer=rest", 'answer="yes"'),
    )
    project.run("run", "--run-id", "second")
    variables: dict[str, Any] = {}
    for code in blocks(PAGE.read_text(), "python"):
        exec(code, variables)
    return variables


def test_code_of_the_page_runs(
    cells: dict[str, Any], project: RunnerProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code of the page runs in order, and tells what the commands tell."""
    told = project.run("status", "first", "--json").json
    compared = project.run("compare", "first", "second", "--json").json

    assert cells["summary"].mean == told["mean"]
    assert cells["tasks"].mean() == pytest.approx(told["mean"], abs=1e-12)
    assert cells["tasks"].sem() == pytest.approx(told["stderr"], abs=1e-12)
    assert cells["spent"] == told["cost"] == 2.0
    assert len(cells["failed"]) == 2
    assert cells["difference"].mean() == pytest.approx(compared["effect"]["difference"], abs=1e-12)
    assert len(cells["difference"]) == 3
    assert cells["frame"].height == len(cells["table"]) == 8
