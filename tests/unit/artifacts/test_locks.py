from __future__ import annotations

import errno
import os
import signal
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts import locks
from benchmark_runner.artifacts.locks import CONFIG_LOCK_FILE, LOCK_FILE, hold_lock, wait_for_lock
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError, RunLockedError
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    Hold = Callable[..., subprocess.Popen[str]]


class TestAProcessThatHoldsIt:
    def test_error_names_the_holder(self, tmp_path: Path, hold: Hold) -> None:
        """A second process gets a RunLockedError that names the process with the lock."""
        process = hold(tmp_path / LOCK_FILE)
        with (
            pytest.raises(RunLockedError) as caught,
            hold_lock(tmp_path / LOCK_FILE, "run 'r1'"),
        ):
            pytest.fail("held twice")
        assert f"run 'r1' is being worked on by process {process.pid} on " in caught.value.message
        assert "--run-id" in (caught.value.hint or "")

    def test_killed_process_holds_nothing(self, tmp_path: Path, hold: Hold) -> None:
        """A process that was killed leaves no lock behind."""
        process = hold(tmp_path / LOCK_FILE)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold_lock(tmp_path / LOCK_FILE, "it"):
            assert "process" in (tmp_path / LOCK_FILE).read_text()

    def test_shared_lock_keeps_out_exclusive(self, tmp_path: Path, hold: Hold) -> None:
        """A shared lock lets in others that share it and keeps out an exclusive one."""
        hold(tmp_path / LOCK_FILE, shared=True)
        with hold_lock(tmp_path / LOCK_FILE, "it", shared=True):
            pass
        with pytest.raises(RunLockedError), hold_lock(tmp_path / LOCK_FILE, "it"):
            pytest.fail("held beside another")

    def test_exclusive_lock_keeps_out_shared(self, tmp_path: Path, hold: Hold) -> None:
        """An exclusive lock keeps out those that would share it."""
        process = hold(tmp_path / LOCK_FILE)
        with (
            pytest.raises(RunLockedError, match=f"process {process.pid} "),
            hold_lock(tmp_path / LOCK_FILE, "it", shared=True),
        ):
            pytest.fail("held beside another")

    def test_name_of_earlier_holder_is_replaced(self, tmp_path: Path) -> None:
        """The name of an earlier holder is overwritten completely."""
        (tmp_path / LOCK_FILE).write_text("process 99999999 on a-host-with-a-very-long-name\n" * 3)
        with hold_lock(tmp_path / LOCK_FILE, "it"):
            assert len((tmp_path / LOCK_FILE).read_text().splitlines()) == 1

    def test_name_is_removed_on_release(self, tmp_path: Path) -> None:
        """The name of the holder is removed from the file when the lock is released."""
        with hold_lock(tmp_path / LOCK_FILE, "it"):
            assert (tmp_path / LOCK_FILE).read_text().startswith(f"process {os.getpid()} on ")
        assert (tmp_path / LOCK_FILE).read_text() == ""

    def test_name_is_removed_after_an_error(self, tmp_path: Path) -> None:
        """The name of the holder is removed also when the work raised an error."""
        with pytest.raises(ValueError, match="of the work"), hold_lock(tmp_path / LOCK_FILE, "it"):
            raise ValueError("of the work")
        assert (tmp_path / LOCK_FILE).read_text() == ""

    def test_stopped_holder_still_locks(self, tmp_path: Path, hold: Hold) -> None:
        """A stopped process keeps its lock, and others fail at once."""
        process = hold(tmp_path / LOCK_FILE)
        process.send_signal(signal.SIGSTOP)
        try:
            with (
                pytest.raises(RunLockedError, match=f"process {process.pid} "),
                hold_lock(tmp_path / LOCK_FILE, "it"),
            ):
                pytest.fail("held beside another")
        finally:
            process.send_signal(signal.SIGCONT)

    def test_removed_lock_file_is_not_held(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A lock file that its holder removes meanwhile is not taken for a lock."""
        taken = locks._try_lock

        def removed_meanwhile(path: Path, descriptor: int, operation: int) -> bool:
            path.unlink()
            return taken(path, descriptor, operation)

        monkeypatch.setattr(locks, "_try_lock", removed_meanwhile)
        with (
            pytest.raises(RunLockedError, match="was being worked on a moment ago"),
            hold_lock(tmp_path / LOCK_FILE, "it"),
        ):
            pytest.fail("held a file that nobody else sees")


class TestWaiting:
    def test_waiting_ends_on_release(self, tmp_path: Path, hold: Hold) -> None:
        """Waiting for the lock ends when its holder releases it."""
        process = hold(tmp_path / LOCK_FILE)
        got_it = threading.Event()

        def wait() -> None:
            with wait_for_lock(tmp_path / LOCK_FILE, "it"):
                got_it.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not got_it.is_set()
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
        waiting.join(20)
        assert got_it.is_set()

    def test_waiting_is_bounded(
        self, tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Waiting for the lock ends with an error after a limited time."""
        monkeypatch.setattr(locks, "LONGEST_WAIT", 0.05)
        artifacts = RunArtifacts(tmp_path, "r1")
        artifacts.run_dir.mkdir()
        process = hold(artifacts.run_dir / CONFIG_LOCK_FILE)
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(RunLockedError) as caught, artifacts.locks.hold_config():
                pytest.fail("held beside another")
        finally:
            process.send_signal(signal.SIGCONT)
        assert time.monotonic() - began < 25
        assert "run_config.json of run 'r1' was not released within 0.05 s" in caught.value.message
        assert "stopped" in (caught.value.hint or "")


class TestAFileSystemWithoutLocks:
    @pytest.fixture(autouse=True)
    def no_locks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def flock(descriptor: int, operation: int) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(locks.fcntl, "flock", flock)

    @pytest.mark.parametrize("lock", [hold_lock, wait_for_lock])
    def test_file_system_without_locks_is_an_error(
        self, tmp_path: Path, lock: Callable[..., AbstractContextManager[object]]
    ) -> None:
        """A file system without locks is an ArtifactError that suggests another folder."""
        with pytest.raises(ArtifactError) as caught, lock(tmp_path / LOCK_FILE, "it"):
            pytest.fail("held without a lock")
        assert f"{LOCK_FILE}: can't be locked: " in caught.value.message
        assert "--results-dir" in (caught.value.hint or "")


class TestARunThatNeverBegan:
    @pytest.mark.parametrize("task_id", [None, "t1"])
    def test_folders_of_an_empty_run_are_removed(self, tmp_path: Path, task_id: str | None) -> None:
        """The folders of a run in which nothing began are removed with the lock."""
        with RunArtifacts(tmp_path / "results", "r1").locked(task_id):
            assert (tmp_path / "results" / "r1" / LOCK_FILE).exists()
        assert not (tmp_path / "results").exists()

    def test_existing_folders_are_kept(self, tmp_path: Path) -> None:
        """Folders that were there before are kept."""
        (tmp_path / "results").mkdir()
        with RunArtifacts(tmp_path / "results", "r1").locked():
            pass
        assert [*(tmp_path / "results").iterdir()] == []

    def test_run_with_content_is_kept(self, tmp_path: Path) -> None:
        """The folder of a run that did begin is kept."""
        artifacts = RunArtifacts(tmp_path / "results", "r1")
        with artifacts.locked():
            artifacts.save(artifacts.run_config_path, Task(id="any", question="content"))
        assert artifacts.run_config_path.exists()

    def test_other_task_of_the_run_keeps_its_folder(self, tmp_path: Path) -> None:
        """A task that ends empty leaves the folder of another task alone."""
        first, second = (RunArtifacts(tmp_path / "results", "r1") for _ in range(2))
        with second.locked("t2"):
            with first.locked("t1"):
                pass
            assert not first.task_dir("t1").exists()
            assert second.task_dir("t2").exists()
            with pytest.raises(RunLockedError), first.locked():
                pytest.fail("the run is still being worked on")

    def test_first_to_end_leaves_the_lock(self, tmp_path: Path) -> None:
        """A task that ends first leaves the run's lock to the others."""
        first, second = (RunArtifacts(tmp_path / "results", "r1") for _ in range(2))
        with ExitStack() as later:
            with first.locked("t1"):
                later.enter_context(second.locked("t2"))
            with pytest.raises(RunLockedError), first.locked():
                pytest.fail("the run is still being worked on")
