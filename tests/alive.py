"""A pipe that tells when the last of some processes has ended."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Alive:
    """A named pipe, which is at its end when no process has it open any more.

    A process that opens it writes one byte.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def wait_for(self, count: int) -> None:
        """Wait until so many processes have opened it."""
        for _ in range(count):
            ready, _, _ = select.select([self._descriptor], [], [], 20)
            assert ready, "a process did not get there"
            assert os.read(self._descriptor, 1)

    def assert_all_ended(self, within: float = 20) -> None:
        """Wait until every process that had it open has ended."""
        # Without a first writer there is no end to see: a program may have ended before it was one.
        os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
        poll = select.poll()
        poll.register(self._descriptor, select.POLLHUP)
        assert poll.poll(within * 1000), "a process still runs"

    def close(self) -> None:
        os.close(self._descriptor)
