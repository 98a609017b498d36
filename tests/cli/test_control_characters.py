"""What a model or a service says never drives the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


def test_agents_error_cannot_drive_the_terminal(project: RunnerProject) -> None:
    """An error of an agent can't drive the terminal; JSON keeps it whole."""
    escape = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    project.write_tasks([{"id": "t1", "question": f"raise {escape}no luck", "answer": ""}])

    ended = project.execute("run", "--run-id", "r1")
    told = project.execute("run", "--run-id", "r1", "--json")

    assert "  ValueError: no luck" in ended.out.splitlines()
    for text in (ended.out, ended.err, told.out):
        assert not {"\x1b", "\x07", "\x9b"} & {*text}
    # In JSON nothing is lost.
    assert json.loads(told.out)["failures"][0]["error"] == f"ValueError: {escape}no luck"


def test_escape_in_a_secret_is_masked(
    project: RunnerProject,
) -> None:
    """A secret with an escape in it is masked."""
    secret = "sk-4b5c6d7e8f9a0b1c"
    hidden = secret[:5] + "\x1b[0m" + secret[5:]
    project.write_tasks([{"id": "t1", "question": f"raise {hidden}", "answer": ""}])

    ended = project.execute("run", "--run-id", "r1", OPENAI_API_KEY=secret)

    assert secret not in ended.out
    assert "  ValueError: ***" in ended.out.splitlines()
