"""``keepalive``, the first process of a container in which an orchestrator runs commands."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: A child that the process did not start, as the orphans of a container; it ends with our input.
WITH_A_CHILD = 'exec 3<&0; cat <&3 >/dev/null & exec "$@" keepalive'


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_keepalive_waits_for_a_signal(number: int, code: int, project: RunnerProject) -> None:
    """The command waits, and ends at once with the code of the signal."""
    process = project.start("keepalive")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Waiting for Ctrl-C or SIGTERM")
    assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "", "")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_keepalive_leaves_no_zombies(project: RunnerProject) -> None:
    """A child that it did not start leaves no zombie."""
    with subprocess.Popen(
        ["/bin/sh", "-c", WITH_A_CHILD, "sh", sys.executable, str(project.script)],
        cwd=project.root, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        assert process.stderr.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert children.read_text().split()
        process.stdin.close()
        deadline = time.monotonic() + 30
        while children.read_text().split() and time.monotonic() < deadline:
            time.sleep(0.01)
        left = children.read_text().split()
        process.terminate()
    assert left == []
