"""A program with all that it starts, and the numbers that signals go to."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.process_group import ProcessGroup

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_reaped_number_gets_no_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the system can give the group's number to another, nothing is sent to it any more."""
    group = ProcessGroup(["/bin/sh", "-c", "exit 3"], folder=tmp_path, environment={})
    sent: list[int] = []
    wait = os.waitpid

    def wait_and_signal(pid: int, options: int) -> tuple[int, int]:
        ended = wait(pid, options)
        monkeypatch.setattr(os, "killpg", lambda number, _: sent.append(number))
        group.signal(signal.SIGKILL)
        return ended

    monkeypatch.setattr(os, "waitpid", wait_and_signal)
    assert group.reap() == 3
    group.close()
    assert sent == []
