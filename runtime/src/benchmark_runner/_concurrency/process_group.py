"""A program with everything that it starts: a session of its own, which is ended as a whole."""

from __future__ import annotations

import atexit
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

from benchmark_runner._concurrency.group_guard import MARK, guard, release

#: The groups of this process that may still run.
_running: set[ProcessGroup] = set()


class ProcessGroup:
    """A program that was started as the leader of a session, with pipes for its output.

    The leader stays a zombie until :meth:`reap`: so no other process can have got the number of
    the group when it is signalled.

    Raises:
        OSError: the program can't be started.
    """

    def __init__(
        self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]
    ) -> None:
        self._lock = threading.Lock()
        self._is_over = False
        self._owner = os.getpid()
        mark = uuid4().hex
        self._mark = f"{MARK}={mark}".encode()
        guard(self._mark)
        try:
            self._popen = subprocess.Popen(  # noqa: S603 (the author's command, without a shell)
                command,
                cwd=folder,
                env={**environment, MARK: mark},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except BaseException:
            release(self._mark)
            raise
        self.pid = self._popen.pid
        guard(self._mark, self.pid)
        _running.add(self)
        self.exit = _ExitWatch(self.pid)

    @property
    def outputs(self) -> Iterator[IO[bytes]]:
        """The reading ends of the pipes for standard output and standard error."""
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                yield pipe

    def signal(self, number: int, *, everywhere: bool = False) -> None:
        """Send a signal to every process of the session, before :meth:`reap`; from any thread.

        With ``everywhere`` those get it, too, that have left the session, as daemons do, and the
        commands of some agents.
        """
        with self._lock:
            if self._is_over:
                return
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)
            mark = self._mark if everywhere else None
            for pid, group in _members(self.pid, mark):
                if group != self.pid:
                    _signal_member(pid, self.pid, mark, number)

    def is_running(self, *, everywhere: bool = False) -> bool:
        """Return True while one of its processes has not ended, be it the leader or not."""
        if sys.platform == "linux":
            mark = self._mark if everywhere else None
            return next(_members(self.pid, mark), None) is not None
        try:  # which fails where there are only zombies
            os.killpg(self.pid, 0)
        except OSError:
            return False
        return True

    def reap(self) -> int | None:
        """Wait for the leader and return its exit code, negative for a signal.

        ``None`` if other code of this process has waited for it.
        """
        release(self._mark)
        with self._lock:  # before it is waited for: its number is another's then
            self._is_over = True
        _running.discard(self)
        try:
            _, status = os.waitpid(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            code = None
        self._popen.returncode = -1 if code is None else code
        return code

    def close(self) -> None:
        """Close the pipes and the descriptor of the process."""
        self.exit.close()
        for pipe in self.outputs:
            pipe.close()

    def kill_as_owner(self) -> None:
        """Kill the group, unless this is a process that was forked from the one that owns it."""
        if os.getpid() == self._owner:
            self.signal(signal.SIGKILL, everywhere=True)


def kill_groups() -> None:
    """Kill all groups that still run, because this process is about to end."""
    for group in [*_running]:
        group.kill_as_owner()


atexit.register(kill_groups)


class _ExitWatch:
    """Tells the end of a child process without taking its exit status."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = False
        self._descriptor: int | None = None
        if sys.platform == "linux":
            with suppress(OSError):  # an old kernel, or a sandbox
                self._descriptor = os.pidfd_open(pid)
        else:
            self._queue = select.kqueue()
            event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            try:
                self._queue.control([event], 0)
            except ProcessLookupError:
                self._ended = True
            self._descriptor = self._queue.fileno()

    @property
    def descriptor(self) -> int | None:
        """The descriptor that becomes readable at the end; ``None`` if the system has none."""
        return self._descriptor

    def has_ended(self) -> bool:
        """Return True if the process has ended."""
        if self._ended:
            return True
        if sys.platform == "linux":
            try:
                how = os.WEXITED | os.WNOHANG | os.WNOWAIT
                self._ended = os.waitid(os.P_PID, self._pid, how) is not None
            except ChildProcessError:  # other code has waited for it
                self._ended = True
        else:
            self._ended = bool(self._queue.control([], 1, 0))
        return self._ended

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            if sys.platform == "linux":
                os.close(self._descriptor)
            else:
                self._queue.close()
            self._descriptor = None


def _members(session: int, mark: bytes | None) -> Iterator[tuple[int, int]]:
    """Yield process and group of what runs in a session or has its mark, on Linux."""
    if sys.platform != "linux":
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 (a path costs more)
        if name.isdecimal() and (group := _group_of(int(name), session, mark)) is not None:
            yield int(name), group


def _group_of(pid: int, session: int, mark: bytes | None) -> int | None:
    """Return the group of a process that runs in the session or has its mark."""
    state = _state_of(pid)
    if state is None or state[0] in "ZX":
        return None
    return state[1] if state[2] == session or _has_mark(pid, mark) else None


def _has_mark(pid: int, mark: bytes | None) -> bool:
    if mark is None:
        return False
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 (it has just ended, or is another user's)
        return mark in file.read().split(b"\0")
    return False


def _state_of(pid: int) -> tuple[str, int, int] | None:
    """Return the status, group and session of a process, on Linux."""
    with suppress(OSError, ValueError, IndexError):  # it has just ended
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 (likewise)
            # The name stands in parentheses, and may hold some itself.
            status, _, group, session = file.read().rpartition(b")")[2].split()[:4]
        return status.decode(), int(group), int(session)
    return None


def _signal_member(pid: int, session: int, mark: bytes | None, number: int) -> None:
    """Signal a process if its number is not another's by now."""
    if sys.platform == "linux":
        with suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                if _group_of(pid, session, mark) is not None:
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)
