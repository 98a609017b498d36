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
#: Seconds in which a program that was about to start does so: before, it has no mark.
_START_WITHIN = 5.0
#: It reads marks, and the numbers of their groups, until nobody can write any more. Then it looks
#: again until it finds nothing new: what was found may have just started another.
_PROGRAM = f"""\
# {GUARD}
import os, signal, sys, time
groups = {{}}
for line in sys.stdin.buffer:
    mark, _, number = line.strip().partition(b" ")
    if number:
        groups[mark] = int(number)
    else:
        groups.pop(mark, None)
is_starting = 0 in groups.values()
sessions = {{number for number in groups.values() if number}}  # 0 is that of other containers
killed = set()
for group in sessions:
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
def is_of_them(pid):
    if os.getsid(pid) in sessions:
        return True
    with open(f"/proc/{{pid}}/environ", "rb") as file:
        return not groups.keys().isdisjoint(file.read().split(b"\\0"))
def kill():
    before = len(killed)
    for pid in {{int(name) for name in os.listdir("/proc") if name.isdecimal()}} - killed:
        try:
            if is_of_them(pid):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        except OSError:
            pass
    return len(killed) > before
until = time.monotonic() + ({_START_WITHIN} if is_starting else 0)
if groups and sys.platform == "linux":
    while kill() or time.monotonic() < until:
        time.sleep(0.1)  # nothing tells of a new process: all are looked at again
"""


class _Guard:
    """The process, which is started when there is something to guard."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: int | None = None
        self._is_started = False

    def write(self, line: bytes) -> None:
        """Tell the process about a group."""
        with self._lock:
            if not self._is_started:
                self._is_started = True
                with suppress(OSError):  # the system has no more processes: it goes without
                    self._start()
            if self._pipe is not None:
                with suppress(OSError):  # somebody has killed it
                    os.write(self._pipe, line + b"\n")

    def _start(self) -> None:
        reading, self._pipe = os.pipe()
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
            os.close(self._pipe)
            self._pipe = None
            raise
        finally:
            os.close(reading)
        process.returncode = 0  # it ends after this process: nobody waits for it

    def leave_to_parent(self) -> None:
        """Close the pipe in a process that was forked: the guard waits for the first one only."""
        if self._pipe is not None:
            with suppress(OSError):
                os.close(self._pipe)
        self.__init__()


_guard = _Guard()
os.register_at_fork(after_in_child=_guard.leave_to_parent)


def guard(mark: bytes, group: int = 0) -> None:
    """See that what has a mark is killed if this process ends before :func:`release` is called.

    The mark is told before anything has it, the number of the group once there is one.
    """
    _guard.write(b"%b %d" % (mark, group))


def release(mark: bytes) -> None:
    """Remove a mark from the list, before the number of its group can become another's."""
    _guard.write(mark)
