"""What a model or a service says never drives the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._text import in_one_line, printable

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text ✓", "plain text ✓"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b[2J\x1b[H\x1b[?1049hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;Y2F0\x1b\\text", "text"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bPq#0\x1b\\text", "text"),
        ("\x1b]0;never ended\nnext line", "\nnext line"),
        ("\x1bcreset", "reset"),
        ("\x1b(0lines", "lines"),
        ("a\rb\r\nc", "a\nb\nc"),
        ("\x00\x07\x08\x0b\x7f\x85", ""),
        ("\x1b", ""),
    ],
)
def test_escapes_and_controls_are_left_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_place_within_a_line_takes_no_line_ends() -> None:
    assert in_one_line(" a\n\n\x1b[1mb\t c\r\n") == "a b c"


def test_an_error_of_an_agent_can_not_drive_the_terminal(project: RunnerProject) -> None:
    escape = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    project.write_tasks([{"id": "t1", "question": f"raise {escape}no luck", "answer": ""}])

    ended = project.execute("run", "--run-id", "r1")
    told = project.execute("run", "--run-id", "r1", "--json")

    assert "  ValueError: no luck" in ended.out.splitlines()
    for text in (ended.out, ended.err, told.out):
        assert not {"\x1b", "\x07", "\x9b"} & {*text}
    # In JSON nothing is lost.
    assert json.loads(told.out)["failures"][0]["error"] == f"ValueError: {escape}no luck"


def test_what_hides_in_a_secret_does_not_keep_it_from_being_masked(
    project: RunnerProject,
) -> None:
    secret = "sk-4b5c6d7e8f9a0b1c"
    hidden = secret[:5] + "\x1b[0m" + secret[5:]
    project.write_tasks([{"id": "t1", "question": f"raise {hidden}", "answer": ""}])

    ended = project.execute("run", "--run-id", "r1", OPENAI_API_KEY=secret)

    assert secret not in ended.out
    assert "  ValueError: ***" in ended.out.splitlines()
