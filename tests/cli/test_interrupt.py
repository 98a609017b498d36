"""Signals to a real process in the middle of its work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import benchmark_runner
from tests.cli.interruption import (
    BLOCK,
    FIRST_DONE,
    NEVER,
    OUT_WITHIN,
    SLEEP,
    SOON,
    Pipe,
    assert_first_is_kept_and_rest_resumed,
    block_the_loop,
    end_in_order_within,
    interrupt,
    patch,
    start,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_finished_work_is_kept_and_resumed(
    project: RunnerProject, pipe: Pipe, number: int, code: int
) -> None:
    """A signal keeps finished work, and the printed command continues."""
    project.write_tasks(FIRST_DONE)
    process = start(project, pipe)
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == code
    assert f"Stopped by {signal.Signals(number).name}" in ended.err
    assert_first_is_kept_and_rest_resumed(project, ended)


def test_json_of_an_interrupted_run_is_one_object(project: RunnerProject, pipe: Pipe) -> None:
    """With --json an interrupted run is still one object."""
    project.write_tasks(FIRST_DONE)
    process = start(project, pipe, "--json")
    process.send_signal(signal.SIGINT)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 130
    assert ended.json["error"]["type"] == "Interrupted"
    assert ended.json["complete"] is False
    assert "run --run-id r1" in ended.json["resume_command"]


def test_second_signal_ends_it_at_once(project: RunnerProject, pipe: Pipe) -> None:
    """A second signal ends the process at once."""
    # The agent clings longer than this test waits, and says when the first signal came.
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": ""}])
    project.change_agent(
        (
            "                    except asyncio.CancelledError:\n                        pass",
            (
                "                    except asyncio.CancelledError:\n"
                "                        announce('cancelled')"
            ),
        )
    )
    process = start(project, pipe)
    process.send_signal(signal.SIGINT)
    pipe.wait_for("cancelled")
    process.send_signal(signal.SIGINT)
    ended = project.end(process, timeout=3)
    assert ended.code == 130


def test_killed_run_loses_nothing_finished(project: RunnerProject) -> None:
    """A killed run loses nothing that was finished."""
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "die", "answer": ""}])
    process = project.start("run", "--run-id", "r1", "--parallelism", "1")
    assert project.end(process).code == -signal.SIGKILL
    project.heal()
    assert project.run("run", "--run-id", "r1").code == 0
    assert project.calls == ["t1", "t2", "t2"]


def test_signal_in_an_evaluation_keeps_generation(project: RunnerProject, pipe: Pipe) -> None:
    """A signal during an evaluation keeps the generation."""
    project.write_grader(
        "import threading\nfrom runner.benchmark import announce\n\n\n"
        "def grade(task, response):\n"
        "    announce('grading')\n"
        "    threading.Event().wait()\n"
    )
    process = project.start("run", "--run-id", "r1", "t1", ready=pipe.write_end)
    pipe.wait_for("grading")
    process.send_signal(signal.SIGTERM)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 143
    assert project.read("r1", "t1", "generation.json")["status"] == "success"
    assert not (project.results / "r1" / "t1" / "eval.json").exists()
    assert "1 not evaluated" in ended.out


class TestProblem:
    """An orchestrator reads nothing but the generation of the one task."""

    def start(self, project: RunnerProject, pipe: Pipe, *args: str) -> subprocess.Popen[str]:
        (project.root / "p.txt").write_text("wait")
        flags = ["--run-id", "r1", "--problem", "p.txt", *args]
        return project.start("run", *flags, "t1", ready=pipe.write_end)

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("blocked", [False, True], ids=["awaiting", "blocking"])
    def test_stopped_problem_says_so_and_is_redone(
        self, project: RunnerProject, pipe: Pipe, *, blocked: bool
    ) -> None:
        """A stopped problem has an error that says so, and is redone."""
        if blocked:
            end_in_order_within(project, SOON)
            project.change_agent(("await asyncio.Event().wait()", SLEEP))
        process = self.start(project, pipe, "--skip-eval")
        pipe.wait_for("t1")
        process.send_signal(signal.SIGTERM)
        ended = project.end(process, timeout=OUT_WITHIN)
        assert ended.code == 143
        left = project.read("r1", "t1", "generation.json")
        assert (left["status"], left["question"]) == ("error", "wait")
        assert left["error"].startswith("Interrupted: ")
        assert left["failure"]["kind"] == "cancelled"
        assert left["failure"]["retryable"] is True

        project.heal()
        again = project.shell(ended.resume_command)
        assert again.code == 0, again.err
        assert project.read("r1", "t1", "generation.json")["status"] == "success"
        earlier = project.read("r1", "t1", "attempts", "1", "generation.json")
        assert earlier["error"] == left["error"]

    def test_finished_generation_is_kept(self, project: RunnerProject, pipe: Pipe) -> None:
        """A generation that is finished is kept."""
        project.heal()
        project.write_grader(
            "import threading\nfrom runner.benchmark import announce\n\n\n"
            "def grade(task, response):\n"
            "    announce('grading')\n"
            "    threading.Event().wait()\n"
        )
        process = self.start(project, pipe)
        pipe.wait_for("grading")
        before = (project.results / "r1" / "t1" / "generation.json").read_bytes()
        process.send_signal(signal.SIGTERM)
        assert project.end(process, timeout=OUT_WITHIN).code == 143
        assert (project.results / "r1" / "t1" / "generation.json").read_bytes() == before
        assert project.read("r1", "t1", "generation.json")["status"] == "success"


def test_signal_ends_the_wait_for_a_retry(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    """A signal ends the wait for a retry."""
    scripted.answers["/evaluate-response/"] = (503, {"detail": "busy"}, {"retry-after": "100"})
    patch(project, "from benchmark_runner._progress import display\n\ndisplay.PLAIN_INTERVAL = 0\n")
    process = project.start("run", "--run-id", "r1", "--service-url", scripted.url, "t1")
    assert process.stderr is not None
    assert any("1 to retry, the next in 100 s: " in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 143
    assert "1 not evaluated" in ended.out
    assert scripted.paths().count("/evaluate-response/") == 1
    assert not (project.results / "r1" / "t1" / "eval.json").exists()


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("score", "wait"),
    [("async def", "await asyncio.Event().wait()"), ("def", BLOCK)],
    ids=["awaiting", "in-a-thread"],
)
def test_signal_in_scoring_keeps_evaluations(
    project: RunnerProject, pipe: Pipe, score: str, wait: str
) -> None:
    """A signal during the scoring keeps the evaluations."""
    project.set_in_class(f"{score} score(self, eval_results): announce('score'); {wait}")
    process = project.start("run", "--run-id", "r1", ready=pipe.write_end)
    pipe.wait_for("score")
    process.send_signal(signal.SIGINT)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 130
    assert "3 scored" in ended.out
    assert not (project.results / "r1" / "final_score.json").exists()
    project.change_agent((f"{score} score(", f"{score} another_method("))
    assert project.shell(ended.resume_command).code == 0
    assert project.read("r1", "final_score.json")["complete"] is True


def test_failing_summary_keeps_the_exit_code(project: RunnerProject, pipe: Pipe) -> None:
    """A summary that fails does not change the exit code."""
    project.set_in_class(
        "def task_score(self, result):\n"
        "        from benchmark_runner._concurrency.interruption import is_interrupted\n"
        "        return {}['points'] if is_interrupted() else 1"
    )
    block_the_loop(project, "await asyncio.Event().wait()")
    ended = interrupt(project, pipe)
    assert ended.code == 143
    assert ended.err.splitlines()[-2].startswith("RunnerDefinitionError: task_score() failed")


class TestAnOutputThatNobodyReads:
    """As of ``| less`` when it waits for a key."""

    @pytest.fixture
    def full(self) -> Iterator[int]:
        """The end to write to of a pipe that takes nothing more."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        try:
            while True:
                os.write(write_end, b"x" * 4096)
        except BlockingIOError:
            os.set_blocking(write_end, True)
        yield write_end
        os.close(read_end)
        os.close(write_end)

    def start(self, project: RunnerProject, pipe: Pipe, full: int) -> subprocess.Popen[bytes]:
        project.write_tasks(FIRST_DONE)
        flags = ["--run-id", "r1", "--parallelism", "1", "--quiet"]
        process = subprocess.Popen(
            [sys.executable, str(project.script), "run", *flags],
            cwd=project.root,
            env=project.environment(READY_FD=str(pipe.write_end)),
            pass_fds=(pipe.write_end,),
            stdout=full,
            stderr=subprocess.PIPE,
        )
        pipe.wait_for("t2")
        return process

    def end(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait(OUT_WITHIN)
        finally:
            process.kill()
            process.communicate()

    def test_unread_output_does_not_delay_the_end(
        self, project: RunnerProject, pipe: Pipe, full: int
    ) -> None:
        """An output that nobody reads does not delay the end."""
        end_in_order_within(project, SOON)
        process = self.start(project, pipe, full)
        process.send_signal(signal.SIGTERM)
        assert self.end(process) == 143

    def test_unread_output_and_a_second_signal(
        self, project: RunnerProject, pipe: Pipe, full: int
    ) -> None:
        """With an output that nobody reads, a second signal ends it at once."""
        end_in_order_within(project, NEVER)
        process = self.start(project, pipe, full)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"Stopped by SIGTERM")  # the rest gets stuck
        process.send_signal(signal.SIGINT)
        assert self.end(process) == 130


def test_long_json_is_written_completely(
    project: RunnerProject,
) -> None:
    """A long JSON object is written completely in several writes."""
    patch(
        project,
        "import os\n\nwrite = os.write\n"
        "os.write = lambda descriptor, data: write(descriptor, data[:50])\n",
    )
    ended = project.execute("run", "--run-id", "r1", "--json")
    assert ended.code == 0
    assert ended.json["counts"]["scored"] == 3


class TestHandlers:
    def test_early_signal_is_not_lost(self) -> None:
        """A signal that comes while the handlers are installed is not lost."""
        program = """
import asyncio, os, signal, sys
from benchmark_runner._concurrency import signal_keeper
from benchmark_runner.cli import signals

install = signal.signal

def install_and_be_signalled(number, handler):
    before = install(number, handler)
    if number == signal.SIGTERM:
        os.kill(os.getpid(), number)
    return before

async def work():
    await asyncio.sleep(10)

signal_keeper._set_handler = install_and_be_signalled
try:
    signals.run_interruptible(work(), threads=1, on_overrun=print, on_stray=print)
except signals.Interrupted as signal:
    sys.exit(signal.exit_code)
"""
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(Path(benchmark_runner.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 143, done.stderr

    @pytest.fixture
    def wakeup_fd(self) -> Iterator[int]:
        """What Python writes signals to, when a test begins."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        before = signal.set_wakeup_fd(write_end)
        yield write_end
        signal.set_wakeup_fd(before)
        os.close(read_end)
        os.close(write_end)

    @pytest.mark.parametrize("agent", ["say one", "raise no luck"])
    def test_handlers_are_restored(
        self, project: RunnerProject, wakeup_fd: int, agent: str
    ) -> None:
        """After a run the signal handlers are those of before."""
        project.write_tasks([{"id": "t1", "question": agent, "answer": "one"}])
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        project.run("run", "--run-id", "r1")
        after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        assert after == before
        assert signal.set_wakeup_fd(wakeup_fd) == wakeup_fd

    def test_no_file_descriptor_is_left_open(self, project: RunnerProject) -> None:
        """Runs leave no file descriptor open."""

        def opened() -> int:
            for thread in threading.enumerate():
                if thread.name == "signals":  # it closes its end of the pipe
                    thread.join(10)
            return len([*Path("/dev/fd").iterdir()])

        project.run("run", "--run-id", "r0")
        before = opened()
        for number in range(1, 4):
            assert project.run("run", "--run-id", f"r{number}").code == 0
        assert opened() == before
