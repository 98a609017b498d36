"""A real program as the agent, and a pipe that tells when all of its processes have ended."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner import GenerationResult, run_command_agent
from benchmark_runner._concurrency.child_processes import ChildProcess, children_left
from benchmark_runner.command_agent import CommandError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.alive import Alive

    Children = Callable[[], list[ChildProcess]]

#: What the programs import; ``hold()`` keeps the pipe open that tells of their end.
BEGIN = """\
import os, signal, sys, time

def hold():
    os.write(os.open(os.environ["ALIVE"], os.O_WRONLY), b"r")
    print("ready", flush=True)

def ignore_sigterm():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

"""
#: So long that nothing ends for it while a test waits.
NEVER = 1000


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


class Agent:
    """Programs of Python that are run as agents."""

    def __init__(self, folder: Path, logs: Path, alive: Alive) -> None:
        self._folder = folder
        self.logs = logs
        self._alive = alive

    def command(self, program: str) -> list[str | Path]:
        path = self._folder / "agent.py"
        path.write_text(BEGIN + program)
        return [Path(sys.executable), path]

    async def start(self, program: str, *arguments: str, **options: Any) -> GenerationResult:
        options = {"log_dir": self.logs, "environment": {"ALIVE": str(self._alive.path)}} | options
        command = [*self.command(program), *arguments]
        return await run_command_agent(command, "How many?", **options)

    def run(self, program: str, *arguments: str, **options: Any) -> GenerationResult:
        return asyncio.run(self.start(program, *arguments, **options))

    def fail(self, program: str, **options: Any) -> CommandError:
        with pytest.raises(CommandError) as failed:
            self.run(program, **options)
        return failed.value

    def stdout(self) -> bytes:
        return (self.logs / "stdout.log").read_bytes()


@pytest.fixture
def agent(tmp_path: Path, logs: Path, alive: Alive) -> Agent:
    return Agent(tmp_path, logs, alive)


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """Return a function that counts the open descriptors of this process."""
    return lambda: len([*Path("/dev/fd").iterdir()])


@pytest.fixture
def new_children() -> Children:
    """Return what names the child processes that were not there before the test."""
    before = {child.pid for child in children_left()}
    return lambda: [child for child in children_left() if child.pid not in before]
