"""Placeholders in a command line, and programs that can't be run."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner import run_command_agent
from benchmark_runner.errors import UsageError

if TYPE_CHECKING:
    from tests.unit.command_agent.conftest import Agent

SHOW = "import json; print(json.dumps(sys.argv[1:]))"


def arguments_of(agent: Agent, *arguments: str, **options: Any) -> list[str]:
    return json.loads(agent.run(SHOW, *arguments, **options).answer)


def refusal(command: Any, folder: Path, question: str = "q", **options: Any) -> UsageError:
    with pytest.raises(UsageError) as refused:
        asyncio.run(run_command_agent(command, question, log_dir=folder, **options))
    return refused.value


class TestPlaceholders:
    def test_values_stand_in_the_arguments(self, agent: Agent) -> None:
        """Placeholders are replaced, alone and in a longer argument, each time."""
        got = arguments_of(
            agent, "{model}", "--m={model}/{model}", "{question}", "{size}",
            model="m1", values={"size": "12"},
        )  # fmt: skip
        assert got == ["m1", "--m=m1/m1", "How many?", "12"]

    def test_files_and_folders_are_there(self, agent: Agent) -> None:
        """The question is in its file, and the workspace is the working directory."""
        program = "print(open(sys.argv[1]).read(), os.getcwd() == sys.argv[2], sys.argv[3])"
        places = ("{question_file}", "{workspace}", "{log_dir}")
        assert agent.run(program, *places).answer == f"How many? True {agent.logs}"

    @pytest.mark.parametrize(
        "value", ["; touch x", "$(touch x)", "`touch x`", "{model}", "a  b\nc", "'\"", "-x", ""]
    )
    def test_a_value_is_taken_as_it_is(self, agent: Agent, value: str) -> None:
        """No shell and no second replacement sees a value."""
        assert arguments_of(agent, "{v}", model="m1", values={"v": value}) == [value]

    def test_braces_can_be_written(self, agent: Agent) -> None:
        """Doubled braces are braces, and a path has no placeholders."""
        assert arguments_of(agent, '{{"model": "{model}"}}', model="m") == ['{"model": "m"}']
        command = [*agent.command(SHOW), Path("{x}")]
        result = asyncio.run(run_command_agent(command, "q", log_dir=agent.logs))
        assert result.answer == '["{x}"]'

    @pytest.mark.parametrize(
        "argument",
        ["{modle}", "{}", "{0}", "{model!r}", "{model:>9}", "{model.x}", "{answer_file}"],
    )
    def test_an_unknown_placeholder_is_refused(self, tmp_path: Path, argument: str) -> None:
        """Any other placeholder is an error that names it and those there are."""
        error = refusal(["true", argument], tmp_path)
        assert repr(argument) in error.message
        assert "{question_file}" in error.message
        assert "{{" in str(error.hint)

    @pytest.mark.parametrize("argument", ["{", "}", '{"a": 1}', "{model", "a}b"])
    def test_single_braces_are_refused(self, tmp_path: Path, argument: str) -> None:
        """A brace that belongs to no placeholder is an error that says how to write it."""
        assert "{{ and }}" in str(refusal(["true", argument], tmp_path).hint)

    def test_a_misspelt_placeholder_is_suggested(self, tmp_path: Path) -> None:
        """The hint names the placeholder that was meant."""
        assert "Did you mean model?" in str(refusal(["true", "{modle}"], tmp_path).hint)

    @pytest.mark.parametrize("command", ["claude -p", [], ()])
    def test_a_command_is_a_list(self, tmp_path: Path, command: Any) -> None:
        """A command line in one text, or without a program, is refused."""
        assert "list of arguments" in refusal(command, tmp_path).message

    def test_a_zero_byte_is_refused(self, tmp_path: Path) -> None:
        """A question with a zero byte can't be an argument."""
        assert "zero byte" in refusal(["true", "{question}"], tmp_path, "a\0b").message


class TestPrograms:
    def test_a_missing_program_is_named(self, tmp_path: Path) -> None:
        """A program that is not in PATH is an error with a hint."""
        error = refusal(["no-such-agent"], tmp_path)
        assert error.message == "the agent's program 'no-such-agent' was not found"
        assert "PATH" in str(error.hint)

    def test_a_missing_path_is_named(self, tmp_path: Path) -> None:
        """So is a path where there is nothing; a relative one begins in the workspace."""
        assert "workspace/bin/agent' is not there" in refusal(["bin/agent"], tmp_path).message

    def test_a_file_that_is_not_executable(self, tmp_path: Path) -> None:
        """A file that is not executable is an error that says what to do."""
        (tmp_path / "agent").write_text("#!/bin/sh\n")
        error = refusal([str(tmp_path / "agent")], tmp_path)
        assert "can be executed" in error.message
        assert f"chmod +x {tmp_path / 'agent'}" in str(error.hint)

    def test_a_folder_is_no_program(self, tmp_path: Path) -> None:
        """A folder is refused in the same way."""
        assert "can be executed" in refusal([str(tmp_path)], tmp_path).message

    @pytest.mark.parametrize("content", ["#!/nowhere/sh\n", "no program\n", ""])
    def test_a_file_that_the_system_refuses(self, tmp_path: Path, content: str) -> None:
        """A file that can't be started all the same is an error with the reason of the system."""
        (tmp_path / "agent").write_text(content)
        (tmp_path / "agent").chmod(0o755)
        assert "can't be started" in refusal([str(tmp_path / "agent")], tmp_path).message

    def test_too_long_a_question_is_refused(self, tmp_path: Path) -> None:
        """A question that is too long for an argument is an error that names the file."""
        error = refusal([Path(sys.executable), "{question}"], tmp_path, "x" * 4_000_000)
        assert "can't be started" in error.message
        assert "{question_file}" in str(error.hint)

    @pytest.mark.parametrize(("question", "value"), [("a\ud800", "x"), ("a", "x\0")])
    def test_what_no_program_can_get(self, tmp_path: Path, question: str, value: str) -> None:
        """An argument or a variable that can't be passed is an error with the reason."""
        error = refusal(["true", "{question}"], tmp_path, question, environment={"A": value})
        assert "can't be started: " in error.message
        assert "Error: " in error.message

    def test_path_of_the_environment_is_searched(self, tmp_path: Path) -> None:
        """A program is looked for in the PATH that it gets."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "my-agent").symlink_to("/bin/echo")
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        answer = run_command_agent(["my-agent", "hi"], "q", environment={"PATH": path})
        assert asyncio.run(answer).answer == "hi"


def test_unknown_output_is_refused(tmp_path: Path) -> None:
    """An unknown kind of output is refused before the command is run."""
    refused = refusal([sys.executable, "-c", "open('ran', 'w')"], tmp_path, output="claude")
    assert "output='claude' is none of 'text', 'claude-code'" in str(refused)
    assert not [*tmp_path.rglob("ran")]
