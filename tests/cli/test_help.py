"""The help texts of the commands and of their flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from benchmark_runner import make_cli

if TYPE_CHECKING:
    from click import Parameter

APP = make_cli("runner.benchmark:SampleRunner", default_model="some-model")
COMMANDS = get_command(APP).commands  # pyright: ignore[reportAttributeAccessIssue]
FLAGS = [
    pytest.param(parameter, id=f"{name} {parameter.opts[0]}")
    for name, command in COMMANDS.items()
    for parameter in command.params
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_help_text(command: str) -> None:
    assert COMMANDS[command].help


@pytest.mark.parametrize("parameter", FLAGS)
def test_a_flag_has_a_help_text_of_its_own(parameter: Parameter) -> None:
    text: str = getattr(parameter, "help", "")
    assert text[:1].isupper()
    assert "." in text


def test_defaults_of_the_command_line_are_shown() -> None:
    shown = CliRunner().invoke(APP, ["run", "--help"], env={"COLUMNS": "200"}).output
    for text in ("[default: some-model]", "[default: 10]", "[default: 1800]", "[env: RESULTS_DIR]"):
        assert text in shown
