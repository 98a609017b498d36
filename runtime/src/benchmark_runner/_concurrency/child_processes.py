"""The processes that this one has started and that still run."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmark_runner._concurrency.group_guard import GUARD

#: What Python itself starts, and what ends with this process.
_HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver", GUARD)
#: Seconds in which a process that is about to end may do so.
_GRACE = 0.2


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """A process, with the name of its program."""

    pid: int
    name: str


def children_left() -> list[ChildProcess]:
    """Return the child processes that still run a moment later."""
    if not (found := [*_children()]):
        return []
    _wait_for_ends(found)
    still = {child.pid for child in _children()}
    return [child for child in found if child.pid in still]


def _wait_for_ends(children: Iterable[ChildProcess]) -> None:
    give_up = time.monotonic() + _GRACE
    for child in children:
        left = max(0.0, give_up - time.monotonic())
        try:
            descriptor = os.pidfd_open(child.pid)
        except ProcessLookupError:  # it has ended
            continue
        except (AttributeError, OSError):  # only Linux has descriptors of processes
            time.sleep(left)
            continue
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        ended.poll(left * 1000)
        os.close(descriptor)


def _children() -> Iterator[ChildProcess]:
    rows = _rows_of_proc() if sys.platform == "linux" else _rows_of_ps()
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        for pid, parent, state, command in rows:
            if parent == os.getpid() and state != "Z" and not _is_helper(command):
                program = next(iter(command.split()), "")
                yield ChildProcess(pid, Path(program).name or "process")


def _is_helper(command: str) -> bool:
    return any(helper in command for helper in _HELPERS)


def _rows_of_proc() -> Iterator[tuple[int, int, str, str]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with suppress(OSError):  # it has just ended, or is another user's
            # The name stands in parentheses, and may hold some itself.
            stat = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(stat[1]) == os.getpid():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                yield int(folder.name), int(stat[1]), stat[0], command.decode(errors="replace")


def _rows_of_ps() -> Iterator[tuple[int, int, str, str]]:
    listing = subprocess.run(
        ["/bin/ps", "-axo", "pid=,ppid=,state=,command="],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
        timeout=2,
    )
    for line in listing.stdout.splitlines():
        pid, parent, state, command = line.split(maxsplit=3)
        if int(pid) != os.getpid():
            yield int(pid), int(parent), state[:1], command
