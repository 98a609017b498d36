from __future__ import annotations

import subprocess
import sys
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._concurrency import child_processes
from benchmark_runner._concurrency.child_processes import ChildProcess, children_left

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with its input."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        yield process


class TestChildrenLeft:
    def test_running_child_is_named(self, child: subprocess.Popen[bytes]) -> None:
        """A child process that still runs is named by its program."""
        assert ChildProcess(child.pid, "cat") in children_left()

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of the end")
    def test_wait_is_over_when_the_child_ends(
        self, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The wait for a child that is about to end is over with its end, and it is not named."""
        found = iter([[ChildProcess(child.pid, "cat")], []])
        monkeypatch.setattr(child_processes, "_children", lambda: next(found))
        monkeypatch.setattr(child_processes, "_GRACE", 30.0)
        began = monotonic()
        assert child.stdin is not None
        child.stdin.close()
        assert children_left() == []
        assert monotonic() - began < 30.0
