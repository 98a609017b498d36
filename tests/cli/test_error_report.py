"""The failure of a command in the file that ``VALKYRIE_ERROR_PATH`` names."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.interruption import OUT_WITHIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject
    from tests.cli.interruption import Pipe

MOST_BYTES = 2048
KEY = "sk-proj-hidden-key-0123456789"


class Reported:
    """Runs commands that are asked for a report, and reads it."""

    def __init__(self, project: RunnerProject) -> None:
        self.project = project
        self.path = project.root / "error"

    def run(self, *args: str, **environment: str) -> Ended:
        return self.project.run(*args, **{"VALKYRIE_ERROR_PATH": str(self.path), **environment})

    def answer(self, question: str, *flags: str, **environment: str) -> Ended:
        """Run one task as an orchestrator does."""
        (self.project.root / "problem.txt").write_text(question)
        flags = ("--problem", "problem.txt", "--skip-eval", *flags)
        return self.run("run", "--run-id", "r1", *flags, "t1", **environment)

    @property
    def text(self) -> str:
        text = self.path.read_bytes().decode()
        assert text.isprintable()
        assert len(text.encode()) <= MOST_BYTES
        return text


@pytest.fixture
def reported(project: RunnerProject) -> Reported:
    return Reported(project)


@pytest.mark.parametrize("flags", [(), ("--json",), ("--max-errors", "1")])
def test_error_of_the_problem_is_the_failure(reported: Reported, flags: tuple[str, ...]) -> None:
    """The error of the one task of --problem is the failure of the command."""
    assert reported.answer("raise no patch", *flags).code == 1
    assert reported.text == "ValueError: no patch"


def test_success_writes_nothing(reported: Reported) -> None:
    """A success writes nothing."""
    assert reported.answer("say yes").code == 0
    assert not reported.path.exists()


@pytest.mark.parametrize("word", ["time-out", "out-of-turns"])
def test_only_errors_are_failures(reported: Reported, word: str) -> None:
    """A generation that ran out of turns is done; an exception without a message has its type."""
    ended = reported.answer(word)
    assert reported.path.exists() == (ended.code == 1)
    if ended.code:
        assert reported.text == "TimeoutError: without a message"


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            ("run", "--problem", "gone", "t1"),
            "UsageError: --problem gone: No such file or directory",
        ),
        (("run", "--no-such-flag"), "UsageError: No such option"),
        (("run", "--parallelism", "many"), "UsageError: "),
        (("status", "nothing"), "UsageError: "),
        (("evaluate", "--run-id", "nothing"), "UsageError: "),
    ],
)
def test_other_failures_are_reported(
    reported: Reported, arguments: tuple[str, ...], text: str, as_json: tuple[str, ...]
) -> None:
    """Errors of the framework and of the command line are reported."""
    assert reported.run(*arguments, *as_json).code == 2
    assert reported.text.startswith(text)


def test_errors_of_a_whole_run_are_reported(reported: Reported) -> None:
    """A run of many tasks reports its most frequent error."""
    questions = ["raise one", "raise two", "raise two"]
    reported.project.write_tasks(
        [{"id": f"t{n}", "question": text, "answer": ""} for n, text in enumerate(questions)]
    )
    assert reported.run("run", "--run-id", "r1").code == 1
    assert reported.text == "ValueError: two"
    assert reported.run("score", "--run-id", "r1").code == 1


def test_limit_is_the_failure_of_a_whole_run(reported: Reported) -> None:
    """A limit that stops a run of many tasks is its failure."""
    reported.project.write_tasks(
        [{"id": f"t{n}", "question": "raise it", "answer": ""} for n in range(3)]
    )
    assert (
        reported.run("run", "--run-id", "r1", "--max-errors", "1", "--parallelism", "1").code == 1
    )
    assert "--max-errors" in reported.text


def test_incomplete_run_is_reported(reported: Reported) -> None:
    """A score that can't be computed yet is reported."""
    assert reported.run("run", "--run-id", "r1", "--skip-eval").code == 0
    assert reported.run("score", "--run-id", "r1").code == 1
    assert reported.text.startswith("IncompleteRun: No score written: ")


@pytest.mark.parametrize("character", ["x", "é", "漢", "😀"])
def test_report_is_cut_between_characters(reported: Reported, character: str) -> None:
    """A long error is cut to 2,048 bytes, and never within a character."""
    assert reported.answer(f"raise {character * 3000}").code == 1
    assert reported.text.startswith(f"ValueError: {character}")
    assert reported.text.endswith(f"{character}…")
    assert len(reported.text.encode()) > MOST_BYTES - 8


def test_report_is_one_printable_line(reported: Reported) -> None:
    """Line ends, controls and invisible characters are not in a report."""
    reported.project.change_agent(
        (
            "raise ValueError(rest)",
            'raise ValueError("a\\n\\tb\\x1b[31mc\\0\\u200bd\\u2028e\\ud800f\\r\\n")',
        )
    )
    assert reported.answer("raise").code == 1
    assert reported.text.startswith("ValueError: a b")


def test_error_without_a_type_gets_one(reported: Reported) -> None:
    """An error that the agent gives in its own words gets a type."""
    reported.project.change_agent(
        ("raise ValueError(rest)", 'return GenerationResult(status="error", error=rest)')
    )
    assert reported.answer("raise the model said no").code == 1
    assert reported.text == "Error: the model said no"


@pytest.mark.parametrize("padding", ["", "x" * 2020 + " "])
def test_secrets_are_masked(reported: Reported, padding: str) -> None:
    """A secret is masked, also where the error is cut."""
    assert reported.answer(f"raise {padding}{KEY}", OPENAI_API_KEY=KEY).code == 1
    assert "sk-" not in reported.text
    reported.path.unlink()
    assert reported.run("run", f"--{KEY}", OPENAI_API_KEY=KEY).code == 2
    assert "sk-" not in reported.text


def test_older_report_is_replaced(reported: Reported) -> None:
    """A report replaces what was in the file, also where that was longer."""
    reported.path.write_text("x" * 5000)
    reported.answer("raise no patch")
    assert reported.text == "ValueError: no patch"


def test_path_is_relative_to_the_start(reported: Reported, project: RunnerProject) -> None:
    """A relative path starts at the working directory."""
    reported.answer("raise no patch", VALKYRIE_ERROR_PATH="error")
    assert reported.text == "ValueError: no patch"


@pytest.mark.parametrize("kind", ["folder", "missing", "pipe", "empty"])
def test_unwritable_path_changes_nothing(reported: Reported, kind: str, tmp_path: Path) -> None:
    """A path that can't be written changes neither the exit code nor the output."""
    path = {"folder": tmp_path, "missing": tmp_path / "a/b", "pipe": tmp_path / "pipe"}.get(
        kind, ""
    )
    if kind == "pipe":
        os.mkfifo(path)
    ended = reported.answer("raise no patch", VALKYRIE_ERROR_PATH=str(path))
    assert ended.code == 1
    assert ended.err.endswith("1/1 done, 0 generating, 0 evaluating, 1 failed\n")
    assert "ValueError: no patch" in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_is_reported(reported: Reported, pipe: Pipe, number: int) -> None:
    """A signal in the middle of the task is the failure."""
    project = reported.project
    (project.root / "problem.txt").write_text("wait")
    process = project.start(
        "run", "--run-id", "r1", "--problem", "problem.txt", "--skip-eval", "t1", "--json",
        ready=pipe.write_end, VALKYRIE_ERROR_PATH=str(reported.path),
    )  # fmt: skip
    pipe.wait_for("t1")
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 128 + number
    assert json.loads(ended.out)["error"]["type"] == "Interrupted"
    assert reported.text == f"Interrupted: stopped by {signal.Signals(number).name}"
