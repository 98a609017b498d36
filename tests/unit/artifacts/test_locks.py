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
    def test_it_is_named_to_who_comes_second(self, tmp_path: Path, hold: Hold) -> None:
        process = hold(tmp_path / LOCK_FILE)
        with (
            pytest.raises(RunLockedError) as caught,
            hold_lock(tmp_path / LOCK_FILE, "run 'r1'"),
        ):
            pytest.fail("held twice")
        assert f"run 'r1' is being worked on by process {process.pid} on " in caught.value.message
        assert "--run-id" in (caught.value.hint or "")

    def test_a_killed_one_holds_nothing(self, tmp_path: Path, hold: Hold) -> None:
        process = hold(tmp_path / LOCK_FILE)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with hold_lock(tmp_path / LOCK_FILE, "it"):
            assert "process" in (tmp_path / LOCK_FILE).read_text()

    def test_those_that_share_it_keep_out_who_wants_it_alone(
        self, tmp_path: Path, hold: Hold
    ) -> None:
        hold(tmp_path / LOCK_FILE, shared=True)
        with hold_lock(tmp_path / LOCK_FILE, "it", shared=True):
            pass
        with pytest.raises(RunLockedError), hold_lock(tmp_path / LOCK_FILE, "it"):
            pytest.fail("held beside another")

    def test_who_has_it_alone_keeps_out_those_that_would_share(
        self, tmp_path: Path, hold: Hold
    ) -> None:
        process = hold(tmp_path / LOCK_FILE)
        with (
            pytest.raises(RunLockedError, match=f"process {process.pid} "),
            hold_lock(tmp_path / LOCK_FILE, "it", shared=True),
        ):
            pytest.fail("held beside another")

    def test_the_name_of_an_earlier_holder_is_written_over_whole(self, tmp_path: Path) -> None:
        (tmp_path / LOCK_FILE).write_text("process 99999999 on a-host-with-a-very-long-name\n" * 3)
        with hold_lock(tmp_path / LOCK_FILE, "it"):
            assert len((tmp_path / LOCK_FILE).read_text().splitlines()) == 1

    def test_its_name_is_gone_when_it_has_let_go(self, tmp_path: Path) -> None:
        with hold_lock(tmp_path / LOCK_FILE, "it"):
            assert (tmp_path / LOCK_FILE).read_text().startswith(f"process {os.getpid()} on ")
        assert (tmp_path / LOCK_FILE).read_text() == ""

    def test_its_name_is_gone_also_when_its_work_failed(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="of the work"), hold_lock(tmp_path / LOCK_FILE, "it"):
            raise ValueError("of the work")
        assert (tmp_path / LOCK_FILE).read_text() == ""

    def test_a_stopped_one_makes_others_fail_at_once(self, tmp_path: Path, hold: Hold) -> None:
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

    def test_a_lock_file_that_its_holder_removes_is_not_held(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
    def test_it_ends_when_the_holder_lets_go(self, tmp_path: Path, hold: Hold) -> None:
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

    def test_it_ends_in_any_case(
        self, tmp_path: Path, hold: Hold, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(locks, "LONGEST_WAIT", 0.05)
        artifacts = RunArtifacts(tmp_path, "r1")
        artifacts.run_dir.mkdir()
        process = hold(artifacts.run_dir / CONFIG_LOCK_FILE)
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(RunLockedError) as caught, artifacts.config_locked():
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
    def test_it_is_said_and_nobody_is_blamed(
        self, tmp_path: Path, lock: Callable[..., AbstractContextManager[object]]
    ) -> None:
        with pytest.raises(ArtifactError) as caught, lock(tmp_path / LOCK_FILE, "it"):
            pytest.fail("held without a lock")
        assert f"{LOCK_FILE}: can't be locked: " in caught.value.message
        assert "--results-dir" in (caught.value.hint or "")


class TestARunThatNeverBegan:
    @pytest.mark.parametrize("task_id", [None, "t1"])
    def test_its_folders_are_gone(self, tmp_path: Path, task_id: str | None) -> None:
        with RunArtifacts(tmp_path / "results", "r1").locked(task_id):
            assert (tmp_path / "results" / "r1" / LOCK_FILE).exists()
        assert not (tmp_path / "results").exists()

    def test_folders_that_were_there_before_stay(self, tmp_path: Path) -> None:
        (tmp_path / "results").mkdir()
        with RunArtifacts(tmp_path / "results", "r1").locked():
            pass
        assert [*(tmp_path / "results").iterdir()] == []

    def test_a_run_that_did_begin_stays(self, tmp_path: Path) -> None:
        artifacts = RunArtifacts(tmp_path / "results", "r1")
        with artifacts.locked():
            artifacts.save(artifacts.run_config_path, Task(id="any", question="content"))
        assert artifacts.run_config_path.exists()

    def test_another_problem_of_the_same_run_keeps_its_folder(self, tmp_path: Path) -> None:
        first, second = (RunArtifacts(tmp_path / "results", "r1") for _ in range(2))
        with second.locked("t2"):
            with first.locked("t1"):
                pass
            assert not first.task_dir("t1").exists()
            assert second.task_dir("t2").exists()
            with pytest.raises(RunLockedError), first.locked():
                pytest.fail("the run is still being worked on")

    def test_one_that_ends_first_leaves_the_lock_to_the_others(self, tmp_path: Path) -> None:
        first, second = (RunArtifacts(tmp_path / "results", "r1") for _ in range(2))
        with ExitStack() as later:
            with first.locked("t1"):
                later.enter_context(second.locked("t2"))
            with pytest.raises(RunLockedError), first.locked():
                pytest.fail("the run is still being worked on")
