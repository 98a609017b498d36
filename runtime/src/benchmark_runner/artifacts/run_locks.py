"""The locks of a run: one process at a time works on it, or on one of its tasks."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from benchmark_runner.artifacts.atomic_file import write_errors
from benchmark_runner.artifacts.locks import hold_lock, is_only_holder, wait_for_lock

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from benchmark_runner.artifacts.storage import Storage

__all__ = ["CONFIG_LOCK_FILE", "LOCK_FILE", "RunLocks"]

#: In a run's or a task's folder: held by the process that works on it.
LOCK_FILE = ".lock"
CONFIG_LOCK_FILE = ".config.lock"


class RunLocks:
    """The lock files of one run.

    Args:
        storage: The files of the results folder.
        run_dir: The folder of the run.
        config_path: Its ``run_config.json``.
    """

    def __init__(self, storage: Storage, run_dir: Path, config_path: Path) -> None:
        self._storage = storage
        self._run_dir = run_dir
        self._config_path = config_path

    @contextmanager
    def hold(self, task_id: str | None = None) -> Generator[None]:
        """Hold the run, or one task of it, against other processes.

        The folders of a run that never began are removed in the end.

        Args:
            task_id: Lock this task only; others may work on other tasks of the run.

        Raises:
            RunLockedError: another process holds it; the message names that process.
            ArtifactError: the disk refuses.
        """
        run_dir, run_lock = self._run_dir, self._run_dir / LOCK_FILE
        new = [folder for folder in (run_dir, run_dir.parent) if not folder.exists()]
        with ExitStack() as locks:
            self._storage.make_folder(run_dir)
            with write_errors(run_lock):
                what = f"run {run_dir.name!r}"
                lock = locks.enter_context(hold_lock(run_lock, what, shared=task_id is not None))
            try:
                if task_id is not None:
                    task_lock = run_dir / task_id / LOCK_FILE
                    self._storage.make_folder(task_lock.parent)
                    with write_errors(task_lock):
                        locks.enter_context(hold_lock(task_lock, f"task {task_id!r} of {what}"))
                yield
            finally:
                if not self._config_path.exists():
                    self._remove_unused(task_id, new if is_only_holder(lock) else [])

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
