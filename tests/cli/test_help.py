"""The help texts of the commands and of their flags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from benchmark_runner import make_cli

if TYPE_CHECKING:
    from click import Parameter

    from tests.cli.conftest import RunnerProject

APP = make_cli("runner.benchmark:SampleRunner", default_model="some-model")
COMMANDS = get_command(APP).commands  # pyright: ignore[reportAttributeAccessIssue]
FLAGS = [
    pytest.param(parameter, id=f"{name} {parameter.opts[0]}")
    for name, command in COMMANDS.items()
    for parameter in command.params
]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_has_a_help_text(command: str) -> None:
    """A command has a help text."""
    assert COMMANDS[command].help


def test_only_the_terminal_breaks_lines() -> None:
    """A paragraph of a help text fills the width of the terminal."""
    shown = CliRunner().invoke(APP, ["compare", "--help"], env={"COLUMNS": "60"}).output
    lines = [line.strip() for line in shown.splitlines()]
    assert "lists the others with the reason. A task that ran out of" in lines


@pytest.mark.parametrize("parameter", FLAGS)
def test_flag_has_its_own_help_text(parameter: Parameter) -> None:
    """A flag has a help text of its own, in whole sentences."""
    text: str = getattr(parameter, "help", "")
    assert text[:1].isupper()
    assert "." in text


def test_defaults_are_shown() -> None:
    """The help shows defaults and environment variables."""
    shown = CliRunner().invoke(APP, ["run", "--help"], env={"COLUMNS": "200"}).output
    for text in ("[default: some-model]", "[default: 10]", "[default: 1800]", "[env: RESULTS_DIR]"):
        assert text in shown


@pytest.mark.parametrize(
    "command",
    [
        [],
        *(
            [name]
            for name in (
                "run",
                "score",
                "evaluate",
                "serve",
                "runs",
                "status",
                "show",
                "plan",
                "export",
                "import",
            )
        ),
    ],
)
def test_help_fits_and_imports_no_agent(project: RunnerProject, command: list[str]) -> None:
    """The help fits the terminal and imports no agent."""
    project.write_agent("raise RuntimeError('imported for --help')")
    ended = project.run(*command, "--help")
    assert ended.code == 0
    assert max(map(len, ended.out.splitlines())) <= 80


def test_help_imports_nothing_heavy(project: RunnerProject) -> None:
    """The help imports no heavy module of ours."""
    # pydantic is not in the list: Typer imports it for any command line.
    heavy = [
        "httpx",
        "starlette",
        "uvicorn",
        "tenacity",
        "benchmark_runner.base",
        "runner.benchmark",
    ]
    project.script.write_text(
        "import atexit, sys\n"
        f"heavy = {heavy}\n"
        "atexit.register(lambda: print([n for n in heavy if n in sys.modules], file=sys.stderr))\n"
        "from runner.cli import cli\n"
        "cli()\n"
    )
    ended = project.execute("run", "--help")
    assert ended.code == 0
    assert ended.err == "[]\n"


def test_version_needs_no_command_and_no_agent(project: RunnerProject) -> None:
    """--version needs neither a command nor an agent."""
    project.write_agent("raise RuntimeError('imported for --version')")
    for ended in (project.run("--version"), project.execute("--version")):
        assert (ended.code, ended.err) == (0, "")
        assert re.fullmatch(r"vals-benchmark-runner \d+\.\S+\n", ended.out)
