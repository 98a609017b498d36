from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import benchmark_runner
from benchmark_runner.artifacts import LOCK_FILE, RunArtifacts
from benchmark_runner.errors import RunLockedError
from benchmark_runner.locks import held
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Hold = Callable[..., subprocess.Popen[str]]

HOLDER = """\
import sys
from pathlib import Path
from benchmark_runner.locks import held

with held(Path(sys.argv[1]), "it", shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Start a process that holds a lock until its standard input ends."""
    started: list[subprocess.Popen[str]] = []

    def hold(path: Path, *, shared: bool = False) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path), "shared" if shared else "alone"],
            env={"PYTHONPATH": str(Path(benchmark_runner.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in started:
        process.kill()
        process.communicate()


class TestAProcessThatHoldsIt:
    def test_it_is_named_to_who_comes_second(self, tmp_path: Path, hold: Hold) -> None:
        process = hold(tmp_path / LOCK_FILE)
        with (
            pytest.raises(RunLockedError) as caught,
            held(tmp_path / LOCK_FILE, "run 'r1'"),
        ):
            pytest.fail("held twice")
        assert f"run 'r1' is being worked on by process {process.pid} on " in caught.value.message
        assert "--run-id" in (caught.value.hint or "")

    def test_a_killed_one_holds_nothing(self, tmp_path: Path, hold: Hold) -> None:
        process = hold(tmp_path / LOCK_FILE)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with held(tmp_path / LOCK_FILE, "it"):
            assert "process" in (tmp_path / LOCK_FILE).read_text()

    def test_those_that_share_it_keep_out_who_wants_it_alone(
        self, tmp_path: Path, hold: Hold
    ) -> None:
        hold(tmp_path / LOCK_FILE, shared=True)
        with held(tmp_path / LOCK_FILE, "it", shared=True):
            pass
        with pytest.raises(RunLockedError), held(tmp_path / LOCK_FILE, "it"):
            pytest.fail("held beside another")

    def test_who_has_it_alone_keeps_out_those_that_would_share(
        self, tmp_path: Path, hold: Hold
    ) -> None:
        process = hold(tmp_path / LOCK_FILE)
        with (
            pytest.raises(RunLockedError, match=f"process {process.pid} "),
            held(tmp_path / LOCK_FILE, "it", shared=True),
        ):
            pytest.fail("held beside another")

    def test_the_name_of_an_earlier_holder_is_written_over_whole(self, tmp_path: Path) -> None:
        (tmp_path / LOCK_FILE).write_text("process 99999999 on a-host-with-a-very-long-name\n" * 3)
        with held(tmp_path / LOCK_FILE, "it"):
            assert len((tmp_path / LOCK_FILE).read_text().splitlines()) == 1


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
