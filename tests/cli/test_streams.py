"""Streams that are closed, full, gone or can't show a text: the work is done, the code is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import read, start

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.cli.interruption import Pipe

RUN = "sample-runner run --run-id r1"


def assert_done(project: RunnerProject, score: float = 2 / 3) -> None:
    assert project.read("r1", "final_score.json")["final_score"] == pytest.approx(score)


def do_first(project: RunnerProject, statement: str, at_import: str = "") -> None:
    """Have the agent do something before it answers the first task."""
    once = f"        if not asked:\n            {statement}\n        asked.append(task.id)\n"
    project.change_agent(
        ("import signal\n", f"import signal\n{at_import}\n\nasked = []\n"),
        ("        word, _, rest", f"{once}        word, _, rest"),
    )


class TestStreamsThatTakeNothing:
    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        "redirection",
        [
            ">&-",
            "2>&-",
            ">&- 2>&- <&-",
            ">/dev/full 2>&1",
            "| head -1",
            "2>&1 | true",
            "--json >&-",
            "--json | true",
        ],
    )
    def test_run_is_done(self, project: RunnerProject, redirection: str) -> None:
        """A run whose output nobody takes is done, with its own exit code."""
        before, _, after = redirection.partition("|")
        pipe = f"| {after}" if after else ""
        ended = project.shell(f"{{ {RUN} {before}; echo $? >code; }} {pipe}")
        assert (project.root / "code").read_text() == "0\n", ended.out + ended.err
        assert_done(project)

    @pytest.mark.parametrize("redirection", [">/dev/full", "| true"])
    def test_failed_run_has_its_code(self, project: RunnerProject, redirection: str) -> None:
        """A run with errors exits with 1, whatever becomes of its output."""
        project.write_tasks([{"id": "t1", "question": "raise no", "answer": ""}])
        project.shell(f"{{ {RUN}; echo $? >code; }} {redirection}")
        assert (project.root / "code").read_text() == "1\n"

    def test_printing_agent_is_not_harmed(self, project: RunnerProject) -> None:
        """An agent that prints does not fail for a reader that has gone."""
        do_first(project, "print('x' * 100_000, flush=True)")
        project.shell(f"{RUN} | head -1")
        assert_done(project)

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize(
        "command",
        ["runs >&-", "status r1 >&-", "export r1 | true", "runs --json | true", "--help | true"],
    )
    def test_looking_needs_no_reader(self, finished: RunnerProject, command: str) -> None:
        """A command that only shows something is done when nobody reads it."""
        looking, pipe, reader = command.partition("|")
        finished.shell(f"{{ sample-runner {looking}; echo $? >code; }} {pipe}{reader}")
        assert (finished.root / "code").read_text() == "0\n"

    @pytest.mark.parametrize("command", ["export r1", "runs --json"])
    def test_lost_output_is_an_error(self, finished: RunnerProject, command: str) -> None:
        """A command that only shows something fails where the disk refuses it."""
        ended = finished.shell(f"sample-runner {command} >/dev/full")
        assert ended.code == 1
        assert "Standard output can't be written: No space left on device" in ended.err

    @pytest.fixture
    def finished(self, project: RunnerProject) -> RunnerProject:
        assert project.run("run", "--run-id", "r1").code == 0
        return project

    def test_nothing_is_written_into_files(self, project: RunnerProject) -> None:
        """With closed streams no output ends up in a file that was opened meanwhile."""
        do_first(project, "print('from the agent', flush=True)")
        project.shell(f"{RUN} >&- 2>&- <&-")
        assert_done(project)
        for name in project.files():
            content = (project.results / name).read_text()
            assert "from the agent" not in content, name
            assert "done, " not in content, name


class TestAgentsThatTouchTheStreams:
    @pytest.mark.sampled(1)
    @pytest.mark.parametrize(
        "misdeed",
        [
            "sys.stdout = io.StringIO()",
            "sys.stdout = sys.stderr = None",
            "sys.stdout.close(); sys.stderr.close()",
            "sys.stdout.buffer.close(); sys.stderr.buffer.close()",
            "os.dup2(os.open(os.devnull, os.O_WRONLY), 1)",
            "os.closerange(0, 3)",
            "sys.stdout is None or (sys.stdout.detach(), setattr(sys, 'stdout', None))",
            "sys.stdout.reconfigure(encoding='ascii', errors='strict')",
            "contextlib.redirect_stdout(io.StringIO()).__enter__()",
            "os.chdir('/')",
            "d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
        ],
    )
    @pytest.mark.parametrize("flags", [(), ("--json",)])
    def test_summary_is_printed(
        self, project: RunnerProject, misdeed: str, flags: tuple[str, ...]
    ) -> None:
        """The summary comes out where it was to go, whatever an agent did to the streams."""
        do_first(project, misdeed, "import contextlib, io, sys, tempfile")
        ended = project.execute(
            "run", "--run-id", "r1", "--dataset-file", "data/validation.json", *flags
        )
        assert ended.code == 0, ended.out + ended.err
        assert_done(project)
        if flags:
            assert ended.json["resume_command"] == "bin/sample-runner run --run-id r1"
        else:
            assert "Score    0.6667" in ended.out
            assert ended.resume_command == "bin/sample-runner run --run-id r1"
        assert project.read("r1", "run_config.json")["dataset_file"] == str(project.dataset)


class TestEncodings:
    def test_error_is_shown_without_descriptors(self, project: RunnerProject) -> None:
        """An agent that closes all descriptors ends the run, which says so."""
        do_first(project, "os.closerange(3, 256)", "import os")
        ended = project.execute("run", "--run-id", "r1")
        assert ended.code == 1
        assert "BenchmarkRunnerError: the event loop can't go on" in ended.err

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
    def test_unfit_characters_are_replaced(self, project: RunnerProject, encoding: str) -> None:
        """A character that a stream can't show is replaced, in every command."""
        project.write_tasks([{"id": "t日本", "question": "raise … \ud7ff\u202e", "answer": ""}])
        codes: dict[str, int] = {}
        for command in ("run --run-id r1", "status r1", "show r1 t日本", "runs", "run --help"):
            process = subprocess.run(
                [sys.executable, str(project.script), *command.split()],
                cwd=project.root,
                env=project.environment(PYTHONIOENCODING=encoding),
                capture_output=True,
                check=False,
            )
            assert b"Traceback" not in process.stderr, process.stderr
            codes[command] = process.returncode
            process.stdout.decode(encoding)
        assert codes.pop("run --run-id r1") == 1
        assert set(codes.values()) == {0}

    def test_path_that_is_not_utf8(self, project: RunnerProject) -> None:
        """A path that is not UTF-8 is used as it is, and printed as far as it can be."""
        folder = os.fsencode(project.root) + b"/results-\xff"
        flags = [b"--results-dir", folder]
        shown: list[bytes] = []
        for command in ([b"run", b"--run-id", b"r1"], [b"status", b"r1"], [b"runs", b"--json"]):
            process = subprocess.run(
                [os.fsencode(sys.executable), os.fsencode(project.script), *command, *flags],
                cwd=project.root,
                env=project.environment(),
                capture_output=True,
                check=False,
            )
            assert process.returncode == 0, process.stderr
            assert b"Traceback" not in process.stderr
            shown.append(process.stdout)
        assert "results-⟨U+DCFF⟩".encode() in shown[0]
        assert json.loads(shown[2])["runs"][0]["complete"] is True
        assert Path(os.fsdecode(folder), "r1", "final_score.json").exists()


class TestTerminals:
    def test_terminal_that_went_away(self, project: RunnerProject, pipe: Pipe) -> None:
        """A run whose terminal goes away is done all the same."""
        do_first(project, "announce(task.id)", "signal.signal(signal.SIGHUP, signal.SIG_IGN)")
        project.write_tasks([{"id": f"t{n}", "question": "say a", "answer": "a"} for n in range(9)])
        flags = ["--run-id", "r1", "--parallelism", "1"]
        process, master = start(project, "run", *flags, ready=pipe.write_end)
        pipe.wait_for("t0")
        os.close(master)
        assert process.wait(60) == 0
        assert_done(project, 1)

    def test_long_error_is_cut(self, project: RunnerProject) -> None:
        """On a terminal an error of many megabytes is cut; JSON and files have all of it."""
        project.change_agent(("raise ValueError(rest)", "raise ValueError('x' * 10_000_000)"))
        project.write_tasks([{"id": "t1", "question": "raise", "answer": ""}])
        process, master = start(project, "run", "--run-id", "r1")
        text = read(master)
        assert process.wait(60) == 1
        assert "characters left out" in text
        assert len(text) < 50_000
        told = project.run("status", "r1", "--json")
        assert len(told.json["failures"][0]["error"]) > 10_000_000

    def test_unseen_characters_have_numbers(self, project: RunnerProject) -> None:
        """A character that turns the direction of writing, or a line's unseen end, is a number."""
        question = "raise a\u202eb\u2028c\u2066d"
        project.write_tasks([{"id": "t1", "question": question, "answer": ""}])
        ended = project.run("run", "--run-id", "r1")
        assert "ValueError: a⟨U+202E⟩b⟨U+2028⟩c⟨U+2066⟩d" in ended.out
        told = project.run("show", "r1", "t1", "--json")
        assert told.json["error"] == f"ValueError: {question[6:]}"
        assert "\u202e" not in told.out


def limited(project: RunnerProject, limits: str, *args: str) -> Ended:
    process = subprocess.Popen(
        ["/bin/sh", "-c", f"{limits}; exec {sys.executable} {project.script} {' '.join(args)}"],
        cwd=project.root,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return project.end(process)


@pytest.mark.sampled
@pytest.mark.parametrize("files", [10, 16, 24])
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_too_few_files_is_a_sentence(
    project: RunnerProject, files: int, flags: tuple[str, ...]
) -> None:
    """A process that may open too few files says so, before anything is run."""
    ended = limited(project, f"ulimit -n {files}", "run", "--run-id", "r1", *flags)
    assert ended.code == 1
    told = ended.json["error"]["message"] if flags else ended.err
    assert "may not open any more files" in told
    assert project.calls == []
