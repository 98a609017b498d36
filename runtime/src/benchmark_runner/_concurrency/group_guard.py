"""The process that kills what a killed runner leaves behind, as nobody else could.

An agent that went on would cost money beside the one that a resume starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress

#: In the command line of the process, so that it is told from what an author's code starts.
GUARD = "benchmark_runner guard"
#: In the environment of all that a program starts: on Linux, it tells what left the session.
MARK = "BENCHMARK_RUNNER_AGENT"
#: It reads marks, and the numbers of their groups, until nobody can write any more.
_PROGRAM = f"""\
# {GUARD}
import os, signal, sys
groups = {{}}
for line in sys.stdin:
    mark, _, number = line.strip().partition(" ")
    if number:
        groups[mark.encode()] = int(number)
    else:
        groups.pop(mark.encode(), None)
for group in groups.values():
    try:
        if group:
            os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
marks = {{*groups}}
for name in os.listdir("/proc") if marks and sys.platform == "linux" else ():
    try:
        with open(f"/proc/{{name}}/environ", "rb") as file:
            if marks.intersection(file.read().split(b"\\0")):
                os.kill(int(name), signal.SIGKILL)
    except (OSError, ValueError):
        pass
"""


class _Guard:
    """The process, which is started when there is something to guard."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: int | None = None
        self._is_started = False

    def write(self, line: str) -> None:
        """Tell the process about a group."""
        with self._lock:
            if not self._is_started:
                self._is_started = True
                with suppress(OSError):  # the system has no more processes: it goes without
                    self._start()
            if self._pipe is not None:
                with suppress(OSError):  # somebody has killed it
                    os.write(self._pipe, f"{line}\n".encode())

    def _start(self) -> None:
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(  # noqa: S603 (fixed arguments)
                [sys.executable, "-I", "-S", "-c", _PROGRAM],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                # That of a runner within an agent is not a part of that agent.
                env={name: value for name, value in os.environ.items() if name != MARK},
                start_new_session=True,
            )
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._pipe = writing
        process.returncode = 0  # it ends after this process: nobody waits for it

    def leave_to_parent(self) -> None:
        """Close the pipe in a process that was forked: the guard waits for the first one only."""
        if self._pipe is not None:
            with suppress(OSError):
                os.close(self._pipe)
        self.__init__()


_guard = _Guard()
os.register_at_fork(after_in_child=_guard.leave_to_parent)


def guard(mark: str, group: int = 0) -> None:
    """See that what has a mark is killed if this process ends before :func:`release` is called.

    The mark is told before anything has it, the number of the group once there is one.
    """
    _guard.write(f"{mark} {group}")


def release(mark: str) -> None:
    """Remove a mark from the list, before the number of its group can become another's."""
    _guard.write(mark)
