"""Commands that are called where an event loop runs, as in a notebook."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.interruption import OUT_WITHIN
from tests.cli.misdeeds import give_deeds

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.cli.interruption import Pipe

CELLS = """\
import asyncio, signal, sys

from runner.cli import cli


async def cells():
    before = signal.getsignal(signal.SIGINT)
    for command in sys.argv[1:]:
        try:
            cli(command.split())
        except SystemExit as end:
            print(f"{command.split()[0]} ended with {end.code}", flush=True)
        assert signal.getsignal(signal.SIGINT) is before
        await asyncio.sleep(0)


asyncio.run(cells())
"""


def start(project: RunnerProject, *commands: str, ready: int = 2) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CELLS, *commands],
        cwd=project.root,
        env=project.environment(READY_FD=str(ready)),
        pass_fds=(ready,),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(project: RunnerProject, *commands: str) -> Ended:
    return project.end(start(project, *commands), timeout=60)


def test_commands_work_where_a_loop_runs(project: RunnerProject) -> None:
    """Run, evaluate, score and status can be called where an event loop runs."""
    of_run = "--run-id r1"
    ended = call(
        project, f"run {of_run} --skip-eval", f"evaluate {of_run}", f"score {of_run}", "status r1"
    )
    assert ended.code == 0, ended.err
    for command in ("run", "evaluate", "score", "status"):
        assert f"{command} ended with 0" in ended.out
    assert project.read("r1", "final_score.json")["complete"] is True


def test_serve_says_that_it_needs_a_process(project: RunnerProject) -> None:
    """Serve says that it can't be called where an event loop runs."""
    ended = call(project, "serve --port 0")
    assert "serve ended with 2" in ended.out
    assert "UsageError: serve can't run in an event loop" in ended.err


def test_signal_ends_the_command_and_no_more(project: RunnerProject, pipe: Pipe) -> None:
    """A signal ends the command in order, and the next one can be called."""
    give_deeds(project, {"t1": "announce('t1'); await asyncio.sleep(600)"})
    process = start(project, "run --run-id r1", "status r1", ready=pipe.write_end)
    pipe.wait_for("t1")
    process.send_signal(signal.SIGINT)
    ended = project.end(process, timeout=OUT_WITHIN)
    assert ended.code == 0
    assert "run ended with 130" in ended.out
    assert "status ended with 0" in ended.out
    assert "Stopped by SIGINT" in ended.err
