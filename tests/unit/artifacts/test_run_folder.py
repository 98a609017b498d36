from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError, UsageError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    ScoreResult,
)
from tests.fakes import first, make_plan

if TYPE_CHECKING:
    from pathlib import Path

UNSAFE = ["", ".", "..", "../up", "a/b", "/etc", "a\\b", "a\nb", " a", "final_score.json"]


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestLayout:
    def test_files_are_where_the_contract_says(self, artifacts: RunArtifacts) -> None:
        """Each file of a run has the promised path."""
        artifacts.save_generation("t1", GenerationResult(data="42"))
        artifacts.save_eval("t1", EvalResult(task_id="t1", status=EvalStatus.EVALUATED))
        artifacts.save_final_score(ScoreResult(tasks_evaluated=["t1"], final_score=1.0))
        artifacts.write_log("t1", "traceback.log", "Traceback")

        assert files_below(artifacts.results_dir) == [
            "run-1/final_score.json",
            "run-1/t1/agent_logs/traceback.log",
            "run-1/t1/eval.json",
            "run-1/t1/generation.json",
        ]
        assert artifacts.run_config_path == artifacts.results_dir / "run-1" / "run_config.json"

    def test_reading_writes_nothing(self, artifacts: RunArtifacts) -> None:
        """Reading a run that does not exist returns None and makes no folder."""
        assert artifacts.load_generation("t1") is None
        assert artifacts.load_eval("t1") is None
        assert artifacts.load_final_score() is None
        assert artifacts.load_generation_and_hash("t1") == (None, None)
        assert not artifacts.results_dir.exists()

    @pytest.mark.parametrize("run_id", UNSAFE)
    def test_unsafe_run_id_is_refused(self, tmp_path: Path, run_id: str) -> None:
        """A run id that is no safe folder name is a usage error."""
        with pytest.raises(UsageError, match="run id"):
            RunArtifacts(tmp_path, run_id)

    @pytest.mark.parametrize("task_id", UNSAFE)
    def test_unsafe_task_id_is_refused(self, artifacts: RunArtifacts, task_id: str) -> None:
        """A task id that is no safe folder name is a usage error; nothing is written."""
        with pytest.raises(UsageError, match="task id"):
            artifacts.save_generation(task_id, GenerationResult())

        assert not artifacts.results_dir.exists()


class TestReadingBack:
    def test_saved_files_are_read_back(self, artifacts: RunArtifacts) -> None:
        """Generation, evaluation and score are read as they were saved."""
        generation = GenerationResult(task_id="t1", data="ü\u2028\n", status=GenerationStatus.ERROR)
        result = EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result={"score": [1, None]})
        score = ScoreResult(tasks_evaluated=["t1"], final_score=0.5, metadata={"k": 1})

        artifacts.save_generation("t1", generation)
        artifacts.save_eval("t1", result)
        artifacts.save_final_score(score)

        assert artifacts.load_generation("t1") == generation
        assert artifacts.load_eval("t1") == result
        assert artifacts.load_final_score() == score
        assert artifacts.set_aside == []

    def test_hash_is_that_of_the_file(self, artifacts: RunArtifacts) -> None:
        """The hash of a generation is the SHA-256 of its file."""
        saved = artifacts.save_generation("t1", GenerationResult(data="42"))

        content = artifacts.generation_path("t1").read_bytes()
        _, loaded = artifacts.load_generation_and_hash("t1")
        assert saved == loaded == hashlib.sha256(content).hexdigest()

    def test_answer_that_is_not_unicode_is_kept(self, artifacts: RunArtifacts) -> None:
        """An answer that is not valid Unicode is saved with the rest intact."""
        artifacts.save_generation("t1", GenerationResult(data="before \ud83d after", cost=0.5))

        loaded = artifacts.load_generation("t1")

        assert loaded is not None
        assert loaded.data.startswith("before ")
        assert loaded.data.endswith(" after")
        assert loaded.cost == 0.5

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b'{"task_id": "t1", "status": "succ',
            b"not json",
            b"\xff\xfe",
            b"null",
            b"[]",
            b'{"status": "finished"}',
            b"\0" * 100,
        ],
    )
    def test_unreadable_file_is_set_aside(self, artifacts: RunArtifacts, content: bytes) -> None:
        """A generation that can't be read is set aside and counts as missing."""
        path = artifacts.generation_path("t1")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

        assert artifacts.load_generation("t1") is None

        aside = path.with_name("generation.json.corrupt-1")
        assert aside.read_bytes() == content
        assert not path.exists()
        assert artifacts.set_aside == [aside]

    def test_each_corrupt_file_gets_a_number_of_its_own(self, artifacts: RunArtifacts) -> None:
        """Each unreadable file is set aside under a number of its own."""
        path = artifacts.eval_path("t1")
        path.parent.mkdir(parents=True)
        for content in ("one", "two", "three"):
            path.write_text(content)
            assert artifacts.load_eval("t1") is None

        kept = {entry.name: entry.read_text() for entry in path.parent.iterdir()}
        assert kept == {
            "eval.json.corrupt-1": "one",
            "eval.json.corrupt-2": "two",
            "eval.json.corrupt-3": "three",
        }

    def test_corrupt_score_is_set_aside(self, artifacts: RunArtifacts) -> None:
        """A score that can't be read is set aside, too."""
        artifacts.run_dir.mkdir(parents=True)
        artifacts.final_score_path.write_text("{")

        assert artifacts.load_final_score() is None
        assert (artifacts.run_dir / "final_score.json.corrupt-1").exists()

    def test_folder_in_place_of_a_file_is_an_error(self, artifacts: RunArtifacts) -> None:
        """A folder in the place of a file is an error that names it."""
        artifacts.final_score_path.mkdir(parents=True)

        with pytest.raises(ArtifactError, match=r"final_score\.json: can't be read"):
            artifacts.load_final_score()


class TestWriting:
    def test_failed_write_leaves_nothing_behind(self, artifacts: RunArtifacts) -> None:
        """A write that fails at the last step leaves no temporary file."""
        inside = artifacts.final_score_path / "inside"
        inside.mkdir(parents=True)

        with pytest.raises(ArtifactError, match=r"final_score\.json: can't be written"):
            artifacts.save_final_score(ScoreResult(tasks_evaluated=[], final_score=0))

        assert [path.name for path in artifacts.run_dir.iterdir()] == ["final_score.json"]
        assert inside.is_dir()

    def test_results_folder_that_is_a_file(self, tmp_path: Path) -> None:
        """A results folder that is a file is an error with a hint, and stays."""
        (tmp_path / "results").write_text("a file")

        with pytest.raises(ArtifactError, match="can't be written") as caught:
            RunArtifacts(tmp_path / "results", "run-1").save_final_score(
                ScoreResult(tasks_evaluated=[], final_score=0)
            )

        assert caught.value.hint
        assert (tmp_path / "results").read_text() == "a file"

    def test_full_disk_leaves_the_old_content(self, artifacts: RunArtifacts) -> None:
        """A full disk leaves the old content of a file."""
        artifacts.save_generation("t1", GenerationResult(data="old"))
        program = """
import resource, signal, sys
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import GenerationResult
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    RunArtifacts(sys.argv[1], "run-1").save_generation("t1", GenerationResult(data="x" * 9000))
except ArtifactError as error:
    print(error.message)
"""
        done = subprocess.run(
            [sys.executable, "-c", program, artifacts.results_dir],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

        assert "generation.json: can't be written" in done.stdout
        loaded = artifacts.load_generation("t1")
        assert loaded is not None
        assert loaded.data == "old"
        assert files_below(artifacts.run_dir) == ["t1/generation.json"]

    def test_kill_leaves_whole_files_only(self, artifacts: RunArtifacts) -> None:
        """A process that is killed while it writes leaves only whole files."""
        program = """
import sys
from itertools import cycle
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import GenerationResult
artifacts = RunArtifacts(sys.argv[1], "run-1")
for letter in cycle("ab"):
    artifacts.save_generation("t1", GenerationResult(data=letter * 3_000_000))
    print("saved", flush=True)
"""
        with subprocess.Popen(
            [sys.executable, "-c", program, artifacts.results_dir],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        ) as process:
            assert process.stdout is not None
            for _ in range(3):
                assert process.stdout.readline() == b"saved\n"
            process.send_signal(signal.SIGKILL)

        loaded = artifacts.load_generation("t1")
        assert loaded is not None
        assert len(loaded.data) == 3_000_000
        assert artifacts.set_aside == []

    def test_reader_never_sees_a_part(self, artifacts: RunArtifacts) -> None:
        """A reader sees the old or the new file, never a part."""
        artifacts.save_generation("t1", GenerationResult(data="a" * 500_000))
        path = artifacts.generation_path("t1")

        def write() -> None:
            for letter in "bcbcbcbcbc":
                artifacts.save_generation("t1", GenerationResult(data=letter * 500_000))

        writer = threading.Thread(target=write)
        writer.start()
        reads = 0
        while writer.is_alive() or reads == 0:
            assert len(json.loads(path.read_bytes())["data"]) == 500_000
            reads += 1
        writer.join()

    def test_log_may_hold_any_text(self, artifacts: RunArtifacts) -> None:
        """A log may hold text that is not valid Unicode."""
        path = artifacts.write_log("t1", "traceback.log", "ValueError: \ud83d ü")

        assert path == artifacts.agent_logs_dir("t1") / "traceback.log"
        assert path.read_text(encoding="utf-8").startswith("ValueError: ")


class TestFilesOfAnotherTask:
    def test_files_of_another_task_are_set_aside(self, artifacts: RunArtifacts) -> None:
        """Files that name another task are set aside and count as missing."""
        artifacts.save_generation("t1", GenerationResult(task_id="t2", data="theirs"))
        artifacts.save_eval("t1", EvalResult(task_id="t2", status=EvalStatus.EVALUATED))

        assert artifacts.load_generation_and_hash("t1") == (None, None)
        assert artifacts.load_eval("t1") is None

        task_dir = artifacts.task_dir("t1")
        assert artifacts.set_aside == [
            task_dir / "generation.json.corrupt-1",
            task_dir / "eval.json.corrupt-1",
        ]
        plan = make_plan(artifacts, ["t1"])
        assert (plan.generate, plan.evaluate) == (first("t1"), [])

    def test_files_without_a_task_id_are_valid(self, artifacts: RunArtifacts) -> None:
        """Files that name no task belong to the task of their folder."""
        artifacts.save_generation("t1", GenerationResult(data="answer"))
        assert artifacts.load_generation("t1") is not None
        assert artifacts.set_aside == []


class TestOnlyLooking:
    def test_read_only_names_unreadable_files(self, artifacts: RunArtifacts) -> None:
        """Read-only, unreadable files are listed and left in their place."""
        artifacts.save_generation("t2", GenerationResult(task_id="t1", data="of another task"))
        artifacts.eval_path("t1").parent.mkdir()
        for path in (artifacts.generation_path("t1"), artifacts.eval_path("t1")):
            path.write_text("{")
        before = {
            name: (artifacts.run_dir / name).read_text() for name in files_below(artifacts.run_dir)
        }

        looking = RunArtifacts(artifacts.results_dir, "run-1", read_only=True)
        assert looking.load_generation("t1") is looking.load_eval("t1") is None
        assert looking.load_generation("t2") is None

        assert looking.set_aside == [
            looking.generation_path("t1"),
            looking.eval_path("t1"),
            looking.generation_path("t2"),
        ]
        after = {
            name: (artifacts.run_dir / name).read_text() for name in files_below(artifacts.run_dir)
        }
        assert after == before
