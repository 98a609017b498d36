"""``keepalive``, the first process of a container in which an orchestrator runs commands."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: A child that the process did not start, as the orphans of a container; it ends with our input.
WITH_A_CHILD = 'exec 3<&0; cat <&3 >/dev/null & echo $! >&2; exec "$@" keepalive'


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


def test_keepalive_leaves_no_zombies(project: RunnerProject) -> None:
    """A child that it did not start leaves no zombie."""
    with subprocess.Popen(
        ["/bin/sh", "-c", WITH_A_CHILD, "sh", sys.executable, str(project.script)],
        cwd=project.root, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stderr is not None
        child = int(process.stderr.readline())
        assert process.stderr.readline()
        assert is_there(child)
        process.stdin.close()
        deadline = time.monotonic() + 30
        while is_there(child) and time.monotonic() < deadline:
            time.sleep(0.01)  # nothing tells when a zombie is gone
        left = is_there(child)
        process.terminate()
    assert not left


def is_there(pid: int) -> bool:
    """Return True if there is such a process, even if only as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
