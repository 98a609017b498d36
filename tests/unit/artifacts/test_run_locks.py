from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.run_locks import LOCK_FILE
from benchmark_runner.errors import RunLockedError
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Hold = Callable[..., subprocess.Popen[str]]


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
