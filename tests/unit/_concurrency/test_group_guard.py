"""The process that ends what a killed runner has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.alive import Alive

#: What runners and programs begin with; ``hold()`` keeps the pipe open that tells of their end.
BEGIN = """\
import os, signal, subprocess, sys
from pathlib import Path

def hold():
    alive = os.open(os.environ["ALIVE"], os.O_WRONLY)
    os.set_inheritable(alive, True)
    os.write(alive, b"r")

"""
START = """\
from benchmark_runner._concurrency.process_group import ProcessGroup

command = [sys.executable, "program.py"]
group = ProcessGroup(command, folder=Path.cwd(), environment={**os.environ})
"""
#: One that is held up just when its program runs.
SLOW_START = f"""\
make = subprocess.Popen.__init__

def make_slowly(popen, command, **options):
    make(popen, command, **options)
    if "program.py" in command:
        signal.pause()

subprocess.Popen.__init__ = make_slowly
{START}
"""
#: One that is at the moment between fork and exec when it is killed: a program without a mark yet.
FORKED = """\
from benchmark_runner._concurrency.group_guard import MARK, guard

mark = f"{os.getpid()}"
guard(f"{MARK}={mark}".encode())
if os.fork() == 0:
    os.setsid()
    hold()
    os.read(os.open("go", os.O_RDONLY), 1)
    os.execve("/bin/sleep", ["sleep", "1000"], {MARK: mark})
"""
STAY = "hold(); signal.pause()"
#: A job of a shell that has a group of its own, and an environment of its own.
OTHER_JOB = """\
if os.fork() == 0:
    os.setpgid(0, 0)
    hold()
    os.execve("/bin/sleep", ["sleep", "1000"], {})
signal.pause()
"""
DAEMON = "if os.fork() == 0: os.setsid(); hold()\nsignal.pause()"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of sessions")


def start(alive: Alive, runner: str, program: str = STAY) -> subprocess.Popen[bytes]:
    """Start a runner, and wait until what it starts is there."""
    folder = alive.path.parent
    (folder / "program.py").write_text(BEGIN + program)
    process = subprocess.Popen(
        [sys.executable, "-c", f"{BEGIN}{runner}\nsignal.pause()"],
        cwd=folder,
        env={**os.environ, "ALIVE": str(alive.path)},
        start_new_session=True,
    )
    alive.wait_for(1)
    return process


def kill(runner: subprocess.Popen[bytes]) -> None:
    """Kill it with its group, to which a terminal sends its signals."""
    os.killpg(runner.pid, signal.SIGKILL)
    runner.wait()


@pytest.mark.parametrize("program", [STAY, OTHER_JOB, DAEMON], ids=["plain", "job", "daemon"])
def test_nothing_of_a_program_is_left(alive: Alive, program: str) -> None:
    """All that a program has started ends with the runner."""
    kill(start(alive, START, program))
    alive.assert_all_ended()


def test_program_of_a_runner_that_just_starts_it(alive: Alive) -> None:
    """So does a program of which its runner does not know yet that it runs."""
    kill(start(alive, SLOW_START))
    alive.assert_all_ended()


def test_program_that_has_no_mark_yet(alive: Alive) -> None:
    """So does one that begins just after its runner has ended."""
    go = alive.path.with_name("go")
    os.mkfifo(go)
    descriptor = os.open(go, os.O_RDWR)  # which waits for nobody
    kill(start(alive, FORKED))
    time.sleep(0.5)  # nothing tells that the guard has looked once
    os.write(descriptor, b"g")
    alive.assert_all_ended()
    os.close(descriptor)
