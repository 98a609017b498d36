"""The tests' side of the driver: give it a command, hear how the child ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.crash.steps import Orders

DRIVER = Path(__file__).with_name("driver.py")
#: Seconds after which a child counts as hung, also on a busy machine.
PATIENCE = 60


@dataclass(frozen=True)
class Child:
    """How a child ended, and the names of the steps that it took.

    ``code`` is negative where a signal ended it.
    """

    code: int
    out: str
    err: str
    steps: list[str]

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.steps[-1:]}\n{self.out}\n{self.err}"

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


class Forks:
    """Runs one child at a time."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._connection, other = Pipe()
        with other:
            self._process = subprocess.Popen(
                [sys.executable, DRIVER, str(other.fileno())],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._connection.close()
        assert self._process.wait(PATIENCE) == 0

    def run(self, script: Path, arguments: Sequence[str], orders: Orders) -> Child:
        """Run the console script in the project's folder, and wait for its end."""
        out, err, log = self._folder / "out", self._folder / "err", Path(orders.log)
        log.unlink(missing_ok=True)
        self._connection.send(
            {
                "script": str(script),
                "arguments": list(arguments),
                "cwd": str(script.parents[1]),
                "environment": self._environment,
                "out": str(out),
                "err": str(err),
                "orders": asdict(orders),
            }
        )
        pid: int = self._connection.recv()
        hung = not self._connection.poll(PATIENCE)
        if hung:
            os.killpg(pid, signal.SIGKILL)
        code: int = self._connection.recv()
        steps = log.read_text().splitlines() if log.exists() else []
        child = Child(code, out.read_text(), err.read_text(), steps)
        if hung:
            pytest.fail(f"still running after {PATIENCE} s: {child}")
        return child
