"""The locks of a run: file locks, which the kernel releases when their process ends."""

import fcntl
import os
import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmark_runner.artifacts.atomic_file import write_errors
from benchmark_runner.artifacts.file_reader import READ_ONLY
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError, RunLockedError

__all__ = ["CONFIG_LOCK_FILE", "LOCK_FILE", "RunLocks", "hold_lock", "holder_of", "wait_for_lock"]

#: In a run's or a task's folder: held by the process that works on it.
LOCK_FILE = ".lock"
CONFIG_LOCK_FILE = ".config.lock"
_OPEN_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
#: Seconds to wait for a lock that others hold for moments only, and between two attempts.
LONGEST_WAIT = 30.0
_POLL = 0.01


class RunLocks:
    """The lock files of one run, whose ``run_config.json`` is ``config_path``."""

    def __init__(self, storage: Storage, run_dir: Path, config_path: Path) -> None:
        self._storage = storage
        self._run_dir = run_dir
        self._config_path = config_path
        self._held: dict[Path, int] = {}

    def check(self) -> None:
        """Raise a ``RunLockedError`` if a lock that is held was removed or replaced."""
        for path, descriptor in self._held.items():
            if not _is_at(path, descriptor):
                raise RunLockedError(
                    f"{path} was removed or replaced while run {self._run_dir.name!r} was being "
                    "worked on, so another process could work on it, too",
                    hint="Start nothing else on this run, and leave its folder alone; then resume "
                    "it. What was finished since is kept.",
                )

    @contextmanager
    def hold(self, task_id: str | None = None) -> Generator[None]:
        """Hold the run, or one task of it; a run that never began leaves no folders behind."""
        run_dir, run_lock = self._run_dir, self._run_dir / LOCK_FILE
        new = [folder for folder in (run_dir, run_dir.parent) if not folder.exists()]
        with ExitStack() as locks:
            self._storage.make_folder(run_dir)
            with write_errors(run_lock):
                what = f"run {run_dir.name!r}"
                lock = locks.enter_context(hold_lock(run_lock, what, shared=task_id is not None))
            self._held[run_lock] = lock
            try:
                if task_id is not None:
                    task_lock = run_dir / task_id / LOCK_FILE
                    self._storage.make_folder(task_lock.parent)
                    with write_errors(task_lock):
                        named = f"task {task_id!r} of {what}"
                        self._held[task_lock] = locks.enter_context(hold_lock(task_lock, named))
                yield
            finally:
                self._held.clear()
                if not self._config_path.exists():
                    self._remove_unused(task_id, new if _is_only_holder(lock) else [])

    @contextmanager
    def hold_config(self) -> Generator[None]:
        """Hold ``run_config.json`` while it is read, changed and written.

        Raises:
            RunLockedError: another process does not release it.
            ArtifactError: the disk refuses.
        """
        lock = self._run_dir / CONFIG_LOCK_FILE
        self._storage.make_folder(self._run_dir)
        with ExitStack() as locks:
            with write_errors(lock):
                what = f"run_config.json of run {self._run_dir.name!r}"
                locks.enter_context(wait_for_lock(lock, what))
            yield

    def _remove_unused(self, task_id: str | None, folders: list[Path]) -> None:
        with suppress(OSError):
            if task_id is not None:
                (self._run_dir / task_id / LOCK_FILE).unlink(missing_ok=True)
                (self._run_dir / task_id).rmdir()
            for folder in folders:
                for name in (LOCK_FILE, CONFIG_LOCK_FILE):
                    (folder / name).unlink(missing_ok=True)
                folder.rmdir()


@contextmanager
def hold_lock(path: Path, what: str, *, shared: bool = False) -> Generator[int]:
    """Hold a lock file, which names its holder, or fail at once; yields its descriptor.

    The file is created, and not removed; ``what`` names the locked thing in messages.

    Raises:
        RunLockedError: another process holds it.
        ArtifactError: the file system has no locks.
    """
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with _open(path) as descriptor:
        if not _try_lock(path, descriptor, operation):
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            raise RunLockedError(
                f"{what} is being worked on by {holder or 'another process'}",
                hint="Wait until it is done, or use another --run-id.",
            )
        if not _is_at(path, descriptor):  # the last holder has just removed it
            raise RunLockedError(
                f"{what} was being worked on a moment ago", hint="Give the same command again."
            )
        if not shared:
            name = f"process {os.getpid()} on {socket.gethostname()}\n".encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, name, 0)
        try:
            yield descriptor
        finally:
            if not shared:  # the next process must not read this name
                with suppress(OSError):
                    os.ftruncate(descriptor, 0)


@contextmanager
def wait_for_lock(path: Path, what: str) -> Generator[None]:
    """Wait for a lock file that others hold for moments only, and hold it.

    Raises:
        RunLockedError: others do not release it; one of them may be stopped.
        ArtifactError: the file system has no locks.
    """
    with _open(path) as descriptor:
        give_up = time.monotonic() + LONGEST_WAIT
        while not _try_lock(path, descriptor, fcntl.LOCK_EX):
            if time.monotonic() > give_up:
                raise RunLockedError(
                    f"{what} was not released within {LONGEST_WAIT:g} s by another process",
                    hint="See whether a process of the same run is stopped, then try again.",
                )
            time.sleep(_POLL)  # flock() itself can wait, but not for a limited time
        yield


def holder_of(path: Path) -> str | None:
    """Return the name in a lock file that is held exclusively; ``None`` if it is not.

    The lock is tried only if the file has a name, which a holder removes at its end. So this can
    keep others from the lock only in the moment after a kill.
    """
    try:
        descriptor = os.open(path, READ_ONLY)
    except OSError:
        return None
    name = ""
    try:
        name = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
        if name:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return name
    except OSError:  # a file system without locks, among others
        return None
    finally:
        os.close(descriptor)
    return None


def _is_only_holder(descriptor: int) -> bool:
    """Return True if no other process holds the lock; from then on no other can."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _try_lock(path: Path, descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise ArtifactError(
            f"{path}: can't be locked: {error.strerror or error}",
            hint="The file system has no locks: keep results on another one, with --results-dir.",
        ) from error
    return True


@contextmanager
def _open(path: Path) -> Generator[int]:
    descriptor = os.open(path, _OPEN_LOCK, 0o666)
    _held.add(descriptor)
    try:
        yield descriptor
    finally:
        if descriptor in _held:  # else this is a forked process
            _held.remove(descriptor)
            os.close(descriptor)


_held: set[int] = set()


def _leave_to_parent() -> None:
    """Close the locks in a forked process, which would hold them after the end of this one."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_leave_to_parent)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
