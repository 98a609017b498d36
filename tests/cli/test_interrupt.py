"""Signals to a real process in the middle of its work."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import benchmark_runner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Ended, RunnerProject
    from tests.fakes import ScriptedService

#: "Out within 10 s", and some room for a busy machine.
OUT_WITHIN = 12
FIRST_DONE = [
    {"id": "t1", "question": "say one", "answer": "one"},
    {"id": "t2", "question": "wait", "answer": ""},
]


class Pipe:
    """What the agent says from inside ``generate()``."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()

    def wait_for(self, task_id: str) -> None:
        ready, _, _ = select.select([self.read_end], [], [], 20)
        assert ready, "the agent did not get there"
        assert os.read(self.read_end, 100).decode().split() == [task_id]

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def start(project: RunnerProject, pipe: Pipe, *args: str) -> subprocess.Popen[str]:
    """Start a run and return when its agent is in the middle of ``t2``."""
    flags = ["--run-id", "r1", "--parallelism", "1", *args]
    process = project.start("run", *flags, ready=pipe.write_end)
    pipe.wait_for("t2")
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_finished_work_is_kept_and_the_printed_command_goes_on(
    project: RunnerProject, pipe: Pipe, number: int, code: int
) -> None:
    project.write_tasks(FIRST_DONE)
    process = start(project, pipe)
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == code
    assert f"Stopped by {signal.Signals(number).name}" in ended.err
    assert project.read("r1", "t1", "generation.json")["data"] == "one"
    assert not (project.results / "r1" / "t2" / "generation.json").exists()
    assert not [name for name in project.files() if ".tmp" in name]

    project.heal()
    ended = project.shell(ended.resume_command)
    assert ended.code == 0, ended.err
    assert project.calls == ["t1", "t2", "t2"]
    assert project.read("r1", "final_score.json")["complete"] is True


def test_with_json_an_interrupted_run_is_still_one_object(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.write_tasks(FIRST_DONE)
    process = start(project, pipe, "--json")
    process.send_signal(signal.SIGINT)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 130
    assert ended.json["error"]["type"] == "Interrupted"
    assert ended.json["complete"] is False
    assert "run --run-id r1" in ended.json["resume_command"]


def interrupt(project: RunnerProject, pipe: Pipe) -> Ended:
    process = start(project, pipe)
    process.send_signal(signal.SIGTERM)
    return project.end(process, timeout=OUT_WITHIN)


def test_an_agent_that_blocks_its_thread_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.change_agent(
        ("    async def generate", "    def generate"),
        ("await asyncio.Event().wait()", "__import__('threading').Event().wait()"),
    )
    project.write_tasks(FIRST_DONE)
    assert interrupt(project, pipe).code == 143


def patch(project: RunnerProject, lines: str) -> None:
    """Have the console script run ``lines`` first."""
    script = project.script.read_text()
    project.script.write_text(script.replace("from runner.cli", f"{lines}\nfrom runner.cli"))


def shorten_the_grace(project: RunnerProject) -> None:
    """Spare the test the real time that a cancelled agent gets to clean up."""
    patch(
        project,
        "from benchmark_runner._concurrency import deadline\n\ndeadline.CANCEL_GRACE = 0.1\n",
    )


def end_in_order_within(project: RunnerProject, seconds: float) -> None:
    """Spare the test the real time that an orderly end gets, or leave no end to it."""
    patch(
        project,
        f"from benchmark_runner.cli import signals\n\nsignals.ORDERLY_WITHIN = {seconds}\n",
    )


#: So long that nothing ends for it while a test waits.
NEVER = 1000
SOON = 0.5


def test_an_agent_that_swallows_cancellation_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    shorten_the_grace(project)
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": ""}])
    assert interrupt(project, pipe).code == 143


def test_an_agent_that_swallows_cancellation_does_not_keep_a_finished_run_alive(
    project: RunnerProject, pipe: Pipe
) -> None:
    shorten_the_grace(project)
    project.write_tasks(
        [FIRST_DONE[0], {"id": "t2", "question": "cling", "answer": "", "timeout": 0.1}]
    )
    ended = project.end(start(project, pipe), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert "1 scored, 1 timed out" in ended.out


def test_a_second_signal_ends_it_at_once(project: RunnerProject, pipe: Pipe) -> None:
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


def test_a_killed_run_loses_nothing_that_was_finished(project: RunnerProject) -> None:
    project.write_tasks([FIRST_DONE[0], {"id": "t2", "question": "die", "answer": ""}])
    process = project.start("run", "--run-id", "r1", "--parallelism", "1")
    assert project.end(process).code == -signal.SIGKILL
    project.heal()
    assert project.run("run", "--run-id", "r1").code == 0
    assert project.calls == ["t1", "t2", "t2"]


def test_a_signal_while_grading_keeps_the_generation_and_owes_the_grade(
    project: RunnerProject, pipe: Pipe
) -> None:
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
    assert "1 not graded" in ended.out


BLOCK = "__import__('threading').Event().wait()"
#: What an agent does that never comes back from a thread of ``asyncio.to_thread``.
STUCK = ("await asyncio.Event().wait()", f"await asyncio.to_thread(lambda: {BLOCK})")


def test_a_thread_that_the_agent_waits_for_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.change_agent(STUCK)
    project.write_tasks(FIRST_DONE)
    ended = interrupt(project, pipe)
    assert ended.code == 143
    assert "What was finished is kept" in ended.err
    assert "run --run-id r1" in ended.resume_command


def stuck_tasks(count: int) -> list[dict[str, object]]:
    return [
        {"id": f"w{number}", "question": "wait", "answer": "", "timeout": 0.2}
        for number in range(count)
    ]


def test_threads_that_agents_leave_behind_do_not_keep_a_finished_run_alive(
    project: RunnerProject,
) -> None:
    project.change_agent(STUCK)
    project.write_tasks([*stuck_tasks(2), FIRST_DONE[0]])
    ended = project.end(project.start("run", "--run-id", "r1"), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert "1 scored, 2 timed out" in ended.out


def test_more_threads_left_behind_than_a_pool_has_do_not_hang_the_run(
    project: RunnerProject,
) -> None:
    project.change_agent(STUCK)
    project.write_tasks([*stuck_tasks(40), FIRST_DONE[0]])
    process = project.start("run", "--run-id", "r1", "--parallelism", "20")
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert project.read("r1", "final_score.json")["complete"] is True


def test_threads_left_behind_do_not_keep_a_run_alive_that_ends_with_an_error(
    project: RunnerProject,
) -> None:
    project.change_agent(STUCK)
    project.set_in_class("def score(self, eval_results): raise KeyError('points')")
    project.write_tasks([*stuck_tasks(1), FIRST_DONE[0]])
    ended = project.end(project.start("run", "--run-id", "r1"), timeout=OUT_WITHIN)
    assert ended.code == 2
    assert "score() failed" in ended.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_loading_tasks_that_blocks_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe, number: int, code: int
) -> None:
    project.set_in_class(f"def load_tasks(self, dataset_file):\n        announce('t2'); {BLOCK}")
    process = start(project, pipe, "--json")
    process.send_signal(number)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == code
    assert ended.json["error"]["type"] == "Interrupted"
    assert not project.results.exists()


def test_loading_the_references_that_blocks_does_not_hold_it_up(
    project: RunnerProject, pipe: Pipe
) -> None:
    # The local service has an author's own loader read them, after the tasks are loaded.
    project.change_agent(("import BenchmarkRunner, ", "import BenchmarkRunner, Task, "))
    project.set_in_class(
        "def load_tasks(self, dataset_file):\n"
        "        if (ROOT / 'loaded').exists():\n"
        f"            announce('t2'); {BLOCK}\n"
        "        (ROOT / 'loaded').touch()\n"
        "        return [Task(id='mine', question='say it', answer='it')]"
    )
    process = start(project, pipe)
    process.send_signal(signal.SIGTERM)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 143
    assert not project.results.exists()


#: What an agent may do that keeps the event loop from everything else.
SLEEP = "__import__('time').sleep(1000)"
SPIN = "spin()"
HELPERS = """\
def spin():
    while True:
        pass


async def until_graded(eval_file):
    while not eval_file.exists():
        await asyncio.sleep(0.01)


def announce"""


def block_the_loop(project: RunnerProject, how: str = SLEEP) -> None:
    """Have the agent do it in ``t2`` as soon as ``t1`` is graded."""
    project.change_agent(
        (
            "announce(task.id)\n                await asyncio.Event().wait()\n",
            (
                "await until_graded(log_dir.parents[1] / 't1' / 'eval.json')\n"
                f"                announce(task.id)\n                {how}\n"
            ),
        ),
        ("def announce", HELPERS),
    )
    project.write_tasks(FIRST_DONE)


class TestAnAgentThatBlocksTheLoop:
    def check(self, project: RunnerProject, ended: Ended, number: int) -> None:
        assert ended.code == 128 + number
        assert ended.err.count(f"Stopped by {signal.Signals(number).name}") == 1
        assert "Tasks    2: 1 attempted, 1 scored, 0 timed out" in ended.out
        assert "No score yet: 1 not generated" in ended.out
        assert project.read("r1", "t1", "generation.json")["data"] == "one"
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"
        assert not (project.results / "r1" / "t2" / "generation.json").exists()
        assert not [name for name in project.files() if ".tmp" in name]
        project.heal()
        resumed = project.shell(ended.resume_command)
        assert resumed.code == 0, resumed.err
        assert project.calls == ["t1", "t2", "t2"]
        assert project.read("r1", "final_score.json")["complete"] is True

    @pytest.mark.parametrize(
        ("how", "number"),
        [(SLEEP, signal.SIGINT), (SPIN, signal.SIGTERM)],
        ids=["asleep", "computing"],
    )
    def test_what_is_finished_is_kept_and_the_printed_command_goes_on(
        self, project: RunnerProject, pipe: Pipe, how: str, number: int
    ) -> None:
        end_in_order_within(project, SOON)
        block_the_loop(project, how)
        process = start(project, pipe)
        process.send_signal(number)
        self.check(project, project.end(process, timeout=OUT_WITHIN), number)

    @pytest.mark.full
    @pytest.mark.parametrize("how", [SLEEP, SPIN], ids=["asleep", "computing"])
    def test_it_is_out_within_the_time_that_is_promised(
        self, project: RunnerProject, pipe: Pipe, how: str
    ) -> None:
        block_the_loop(project, how)
        process = start(project, pipe)
        process.send_signal(signal.SIGTERM)
        self.check(project, project.end(process, timeout=OUT_WITHIN), signal.SIGTERM)

    def test_with_json_there_is_still_one_object(self, project: RunnerProject, pipe: Pipe) -> None:
        end_in_order_within(project, SOON)
        block_the_loop(project)
        process = start(project, pipe, "--json")
        process.send_signal(signal.SIGTERM)
        ended = project.end(process, timeout=OUT_WITHIN)
        assert ended.code == 143
        assert ended.json["error"]["type"] == "Interrupted"
        assert ended.json["counts"]["scored"] == 1
        assert "run --run-id r1" in ended.json["resume_command"]

    def test_a_second_signal_ends_it_at_once(self, project: RunnerProject, pipe: Pipe) -> None:
        end_in_order_within(project, NEVER)
        block_the_loop(project)
        process = start(project, pipe)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert project.end(process, timeout=OUT_WITHIN).code in {130, 143}


class TestProblem:
    """An orchestrator reads nothing but the generation of the one task."""

    def start(self, project: RunnerProject, pipe: Pipe, *args: str) -> subprocess.Popen[str]:
        (project.root / "p.txt").write_text("wait")
        flags = ["--run-id", "r1", "--problem", "p.txt", *args]
        return project.start("run", *flags, "t1", ready=pipe.write_end)

    @pytest.mark.parametrize("blocked", [False, True], ids=["awaiting", "blocking"])
    def test_a_generation_that_was_stopped_says_so_and_is_redone(
        self, project: RunnerProject, pipe: Pipe, *, blocked: bool
    ) -> None:
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

    def test_a_generation_that_is_there_stays(self, project: RunnerProject, pipe: Pipe) -> None:
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


def test_a_signal_while_a_retry_waits_ends_the_wait(
    project: RunnerProject, scripted: ScriptedService
) -> None:
    scripted.answers["/evaluate-response/"] = (503, {"detail": "busy"}, {"retry-after": "100"})
    patch(project, "from benchmark_runner._progress import display\n\ndisplay.PLAIN_INTERVAL = 0\n")
    process = project.start("run", "--run-id", "r1", "--service-url", scripted.url, "t1")
    assert process.stderr is not None
    assert any("1 to retry, the next in 100 s: " in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 143
    assert "1 not graded" in ended.out
    assert scripted.paths().count("/evaluate-response/") == 1
    assert not (project.results / "r1" / "t1" / "eval.json").exists()


@pytest.mark.parametrize(
    ("score", "wait"),
    [("async def", "await asyncio.Event().wait()"), ("def", BLOCK)],
    ids=["awaiting", "in-a-thread"],
)
def test_a_signal_while_the_score_is_made_keeps_the_grades(
    project: RunnerProject, pipe: Pipe, score: str, wait: str
) -> None:
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


def test_a_summary_that_can_not_be_made_does_not_change_the_exit_code(
    project: RunnerProject, pipe: Pipe
) -> None:
    project.set_in_class("def task_score(self, result): raise KeyError('points')")
    block_the_loop(project, "await asyncio.Event().wait()")
    ended = interrupt(project, pipe)
    assert ended.code == 143
    assert ended.err.splitlines()[-2].startswith("RunnerDefinitionError: task_score() failed")


def test_a_thread_of_the_agents_own_does_not_keep_the_process_alive(
    project: RunnerProject, pipe: Pipe
) -> None:
    end_in_order_within(project, SOON)
    thread = "import threading; threading.Thread(target=threading.Event().wait).start()"
    project.change_agent(
        (
            "                announce(task.id)\n",
            f"                {thread}\n                announce(task.id)\n",
        )
    )
    project.write_tasks(FIRST_DONE)
    ended = interrupt(project, pipe)
    assert ended.code == 143
    assert ended.err.count("Stopped by") == 1
    assert "run --run-id r1" in ended.resume_command


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

    def test_the_first_signal_ends_it_in_time(
        self, project: RunnerProject, pipe: Pipe, full: int
    ) -> None:
        end_in_order_within(project, SOON)
        process = self.start(project, pipe, full)
        process.send_signal(signal.SIGTERM)
        assert self.end(process) == 143

    def test_a_second_signal_ends_it_at_once(
        self, project: RunnerProject, pipe: Pipe, full: int
    ) -> None:
        end_in_order_within(project, NEVER)
        process = self.start(project, pipe, full)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"Stopped by SIGTERM")  # the rest gets stuck
        process.send_signal(signal.SIGINT)
        assert self.end(process) == 130


def test_a_long_json_object_is_whole_when_the_system_takes_a_part_at_a_time(
    project: RunnerProject,
) -> None:
    patch(
        project,
        "import os\n\nwrite = os.write\n"
        "os.write = lambda descriptor, data: write(descriptor, data[:50])\n",
    )
    ended = project.execute("run", "--run-id", "r1", "--json")
    assert ended.code == 0
    assert ended.json["counts"]["scored"] == 3


SAY = "                return GenerationResult(answer=rest)\n"
IN_A_CHILD = """\
def in_a_child():
    import multiprocessing

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=wait_in_a_child, args=(ours, theirs))
    child.start()
    ours.recv()
    child.terminate()
    child.join(10)
    code = child.exitcode
    child.kill()
    return code


def wait_in_a_child(ours, theirs):
    ours.close()  # so that it ends with the parent
    theirs.send("ready")
    theirs.recv()


def announce"""


@pytest.mark.parametrize("generate", ["async def generate", "def generate"])
def test_a_process_that_the_agent_forks_can_be_terminated_and_stops_nothing_else(
    project: RunnerProject, generate: str
) -> None:
    project.change_agent(
        (SAY, "                return GenerationResult(answer=str(in_a_child()))\n"),
        ("def announce", IN_A_CHILD),
        ("await ", "assert False, "),
        ("async def generate", generate),
    )
    ended = project.execute("run", "--run-id", "r1", "t1", timeout=40)
    assert ended.code == 0, ended.err
    assert project.read("r1", "t1", "generation.json")["data"] == str(-signal.SIGTERM)


NEVER_CLOSES = """\
async def never_closes():
    try:
        yield "one"
    finally:
        await asyncio.Event().wait()


kept = never_closes()


def announce"""


def test_a_generator_that_does_not_close_does_not_keep_a_finished_run_alive(
    project: RunnerProject,
) -> None:
    project.change_agent(
        (SAY, "                return GenerationResult(answer=await anext(kept))\n"),
        ("def announce", NEVER_CLOSES),
    )
    ended = project.end(project.start("run", "--run-id", "r1", "t1"), timeout=OUT_WITHIN)
    assert ended.code == 0, ended.err
    assert project.read("r1", "t1", "generation.json")["data"] == "one"


class TestHandlers:
    def test_a_signal_that_comes_while_they_are_installed_is_not_lost(self) -> None:
        program = """
import asyncio, os, signal, sys
from benchmark_runner.cli import signals

install = signal.signal

def install_and_be_signalled(number, handler):
    before = install(number, handler)
    if number == signal.SIGTERM:
        os.kill(os.getpid(), number)
    return before

async def work():
    await asyncio.sleep(10)

signal.signal = install_and_be_signalled
try:
    signals.run_interruptible(work(), threads=1, on_overrun=print)
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
    def test_after_a_run_they_are_what_they_were(
        self, project: RunnerProject, wakeup_fd: int, agent: str
    ) -> None:
        project.write_tasks([{"id": "t1", "question": agent, "answer": "one"}])
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        project.run("run", "--run-id", "r1")
        after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        assert after == before
        assert signal.set_wakeup_fd(wakeup_fd) == wakeup_fd

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists them there")
    def test_runs_leave_no_file_descriptor_open(self, project: RunnerProject) -> None:
        def opened() -> int:
            for thread in threading.enumerate():
                if thread.name == "signals":  # it closes its end of the pipe
                    thread.join(10)
            return len([*Path("/proc/self/fd").iterdir()])

        project.run("run", "--run-id", "r0")
        before = opened()
        for number in range(1, 4):
            assert project.run("run", "--run-id", f"r{number}").code == 0
        assert opened() == before
