"""The page on trajectories: its example runs, and prints what the page says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.pages import DOCS, blocks, sections

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

PAGE = sections(DOCS / "trajectories.md")
#: Two spaces before a time of a step; or the time that the whole took.
TIMES = re.compile(r"  \+[\d.]+ m?s$|^  took .*$", re.MULTILINE)
#: How the runner is called, before the command that shows the whole.
CALL = re.compile(r"(?<=^  whole    ).*(?= show )", re.MULTILINE)


@pytest.fixture
def example(project: RunnerProject) -> RunnerProject:
    """A run of the agent on the page."""
    (agent,) = blocks(PAGE["Record one"], "python")
    project.write_agent(agent)
    project.write_cli(default_model="sample-model")
    cli = project.root / "runner" / "cli.py"
    cli.write_text(cli.read_text().replace("SampleRunner", "MyBenchRunner"))
    project.write_tasks([{"id": "add", "question": "What is 40 + 2?", "answer": "42"}])
    assert project.run("run", "--run-id", "first").code == 0
    return project


def timeless(text: str) -> str:
    return TIMES.sub("", text)


def test_output_is_that_of_the_page(example: RunnerProject) -> None:
    """The output of show for the example is that of the page."""
    printed = "".join(blocks(PAGE["Look at one"], "sh")).replace(" | less", "")
    commands = printed.split("uv run my-bench-runner ")[1:]
    shown, whole = (example.run(*command.split()).out for command in commands)
    digest, steps = blocks(PAGE["Look at one"], "text")

    assert timeless(digest) in timeless(CALL.sub("uv run my-bench-runner", shown))
    assert timeless(whole).endswith(timeless(steps))


def test_files_are_read_in_python(
    example: RunnerProject, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code on the page reads the trajectory of the example."""
    (code,) = blocks(PAGE["Read them in Python"], "python")

    exec(code, {})

    path = "results/first/add/agent_logs/trajectory.json"
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{path} 2 NameError: name 'c' is not defined"
    assert second.startswith(f"{path} {{'run_python': ")
