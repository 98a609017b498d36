"""Commands that are interrupted: a start up to the middle of a task, and shorter limits."""

from __future__ import annotations

import os
import select
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

    from tests.cli.conftest import Ended, RunnerProject

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


def start(project: RunnerProject, pipe: Pipe, *args: str) -> subprocess.Popen[str]:
    """Start a run and return when its agent is in the middle of ``t2``."""
    flags = ["--run-id", "r1", "--parallelism", "1", *args]
    process = project.start("run", *flags, ready=pipe.write_end)
    pipe.wait_for("t2")
    return process


def interrupt(project: RunnerProject, pipe: Pipe) -> Ended:
    process = start(project, pipe)
    process.send_signal(signal.SIGTERM)
    return project.end(process, timeout=OUT_WITHIN)


def assert_first_is_kept_and_rest_resumed(project: RunnerProject, ended: Ended) -> None:
    """``t1`` is kept, ``t2`` left no file, and the printed command finishes the run."""
    assert project.read("r1", "t1", "generation.json")["data"] == "one"
    assert not (project.results / "r1" / "t2" / "generation.json").exists()
    assert not [name for name in project.files() if ".tmp" in name]
    project.heal()
    resumed = project.shell(ended.resume_command)
    assert resumed.code == 0, resumed.err
    assert project.calls == ["t1", "t2", "t2"]
    assert project.read("r1", "final_score.json")["complete"] is True


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
BLOCK = "__import__('threading').Event().wait()"
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
