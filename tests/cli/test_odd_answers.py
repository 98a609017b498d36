"""Answers of agents that are no valid Unicode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


@pytest.mark.parametrize("api", ["legacy", "v1"])
@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        ("a \\ud83d b", "a \ufffd b"),
        ("\\ud83d\\ude00", "\U0001f600"),
        ("\\udcff", "\ufffd"),
    ],
)
def test_half_a_pair_is_sent_as_on_disk(
    project: RunnerProject, scripted: ScriptedService, api: str, answer: str, sent: str
) -> None:
    """Half a surrogate pair is sent as it is on disk, the first time and after a resume."""
    project.set_in_class(f'EVALUATION_API = "{api}"')
    project.change_agent(("answer=rest", f'answer="{answer}"'))
    flags = ("--run-id", "r1", "--service-url", scripted.url, "--limit", "1")
    assert project.run("run", *flags).code == 0
    assert project.read("r1", "t3", "generation.json")["data"] == sent
    assert project.run("evaluate", *flags[:4], "--regrade").code == 0
    graded = [body for path, body in scripted.bodies if "evaluate" in path]
    responses = [
        body["response"] if api == "legacy" else body["payload"]["data"] for body in graded
    ]
    assert responses == [sent, sent]
    assert len(project.calls) == 1
