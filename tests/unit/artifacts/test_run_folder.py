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

from benchmark_runner.artifacts.attempts import MOVING_FOLDER
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError, UsageError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    ScoreResult,
)
from tests.fakes import hash_of_evals, make_plan

if TYPE_CHECKING:
    from pathlib import Path

UNSAFE = ["", ".", "..", "../up", "a/b", "/etc", "a\\b", "a\nb", " a", "final_score.json"]


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    return RunArtifacts(tmp_path / "results", "run-1")


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestLayout:
    def test_every_file_is_where_the_contract_says(self, artifacts: RunArtifacts) -> None:
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

    def test_nothing_is_written_by_looking(self, artifacts: RunArtifacts) -> None:
        assert artifacts.load_generation("t1") is None
        assert artifacts.load_eval("t1") is None
        assert artifacts.load_final_score() is None
        assert artifacts.load_generation_and_hash("t1") == (None, None)
        assert not artifacts.results_dir.exists()

    @pytest.mark.parametrize("run_id", UNSAFE)
    def test_a_run_id_that_is_no_safe_folder_name_is_refused(
        self, tmp_path: Path, run_id: str
    ) -> None:
        with pytest.raises(UsageError, match="run id"):
            RunArtifacts(tmp_path, run_id)

    @pytest.mark.parametrize("task_id", UNSAFE)
    def test_a_task_id_that_is_no_safe_folder_name_is_refused(
        self, artifacts: RunArtifacts, task_id: str
    ) -> None:
        with pytest.raises(UsageError, match="task id"):
            artifacts.save_generation(task_id, GenerationResult())

        assert not artifacts.results_dir.exists()


class TestReadingBack:
    def test_what_was_saved_is_read_back(self, artifacts: RunArtifacts) -> None:
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

    def test_the_hash_is_that_of_the_file(self, artifacts: RunArtifacts) -> None:
        saved = artifacts.save_generation("t1", GenerationResult(data="42"))

        content = artifacts.generation_path("t1").read_bytes()
        _, loaded = artifacts.load_generation_and_hash("t1")
        assert saved == loaded == hashlib.sha256(content).hexdigest()

    def test_an_answer_that_is_no_valid_unicode_is_kept_as_far_as_it_goes(
        self, artifacts: RunArtifacts
    ) -> None:
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
    def test_what_can_not_be_read_is_set_aside_and_counts_as_missing(
        self, artifacts: RunArtifacts, content: bytes
    ) -> None:
        path = artifacts.generation_path("t1")
        path.parent.mkdir(parents=True)
        path.write_bytes(content)

        assert artifacts.load_generation("t1") is None

        aside = path.with_name("generation.json.corrupt-1")
        assert aside.read_bytes() == content
        assert not path.exists()
        assert artifacts.set_aside == [aside]

    def test_each_corrupt_file_gets_a_number_of_its_own(self, artifacts: RunArtifacts) -> None:
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

    def test_a_corrupt_score_is_set_aside_too(self, artifacts: RunArtifacts) -> None:
        artifacts.run_dir.mkdir(parents=True)
        artifacts.final_score_path.write_text("{")

        assert artifacts.load_final_score() is None
        assert (artifacts.run_dir / "final_score.json.corrupt-1").exists()

    def test_a_folder_in_a_files_place_is_an_error_that_names_it(
        self, artifacts: RunArtifacts
    ) -> None:
        artifacts.generation_path("t1").mkdir(parents=True)

        with pytest.raises(ArtifactError, match=r"t1/generation\.json: can't be read"):
            artifacts.load_generation("t1")


class TestWriting:
    def test_a_write_that_fails_at_the_last_step_leaves_nothing_behind(
        self, artifacts: RunArtifacts
    ) -> None:
        inside = artifacts.generation_path("t1") / "inside"
        inside.mkdir(parents=True)

        with pytest.raises(ArtifactError, match=r"t1/generation\.json: can't be written"):
            artifacts.save_generation("t1", GenerationResult())

        assert [path.name for path in artifacts.task_dir("t1").iterdir()] == ["generation.json"]
        assert inside.is_dir()

    def test_a_results_folder_that_is_a_file_is_an_error_with_a_way_out(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "results").write_text("a file")

        with pytest.raises(ArtifactError, match="can't be written") as caught:
            RunArtifacts(tmp_path / "results", "run-1").save_final_score(
                ScoreResult(tasks_evaluated=[], final_score=0)
            )

        assert caught.value.hint
        assert (tmp_path / "results").read_text() == "a file"

    def test_a_full_disk_leaves_the_old_content(self, artifacts: RunArtifacts) -> None:
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

    def test_a_kill_in_the_middle_leaves_whole_files_only(self, artifacts: RunArtifacts) -> None:
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

    def test_a_reader_never_sees_a_part(self, artifacts: RunArtifacts) -> None:
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

    def test_a_log_may_hold_any_text(self, artifacts: RunArtifacts) -> None:
        path = artifacts.write_log("t1", "traceback.log", "ValueError: \ud83d ü")

        assert path == artifacts.agent_logs_dir("t1") / "traceback.log"
        assert path.read_text(encoding="utf-8").startswith("ValueError: ")


class TestAttempts:
    def test_the_first_attempt_gets_an_empty_log_folder(self, artifacts: RunArtifacts) -> None:
        logs, number = artifacts.prepare_task("t1")

        assert number == 1
        assert logs == artifacts.agent_logs_dir("t1")
        assert list(logs.iterdir()) == []
        assert not (artifacts.task_dir("t1") / "attempts").exists()

    def test_earlier_attempts_are_kept_whole_and_counted(self, artifacts: RunArtifacts) -> None:
        for number in (1, 2, 3):
            logs, counted = artifacts.prepare_task("t1")
            assert counted == number
            (logs / "deep").mkdir()
            (logs / "deep" / "trace.txt").write_text(f"log {number}")
            artifacts.save_generation("t1", GenerationResult(data=f"answer {number}"))
            artifacts.save_eval(
                "t1", EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result=number)
            )

        task_dir = artifacts.task_dir("t1")
        for number in (1, 2):
            kept = task_dir / "attempts" / str(number)
            assert files_below(kept) == [
                "agent_logs/deep/trace.txt",
                "eval.json",
                "generation.json",
            ]
            assert (kept / "agent_logs/deep/trace.txt").read_text() == f"log {number}"
            assert json.loads((kept / "generation.json").read_text())["data"] == f"answer {number}"
            assert json.loads((kept / "eval.json").read_text())["result"] == number
        loaded = artifacts.load_generation("t1")
        assert loaded is not None
        assert loaded.data == "answer 3"

    def test_a_new_attempt_has_neither_the_old_eval_nor_the_old_logs(
        self, artifacts: RunArtifacts
    ) -> None:
        logs, _ = artifacts.prepare_task("t1")
        (logs / "trace.txt").touch()
        artifacts.save_generation("t1", GenerationResult())
        artifacts.save_eval("t1", EvalResult(task_id="t1", status=EvalStatus.ERROR))

        artifacts.prepare_task("t1")

        assert artifacts.load_generation("t1") is None
        assert artifacts.load_eval("t1") is None
        assert list(artifacts.agent_logs_dir("t1").iterdir()) == []

    def test_an_attempt_that_was_killed_is_kept_and_counted(self, artifacts: RunArtifacts) -> None:
        logs, _ = artifacts.prepare_task("t1")
        (logs / "half.txt").write_text("half")

        _, number = artifacts.prepare_task("t1")

        assert number == 2
        kept = artifacts.task_dir("t1") / "attempts" / "1" / "agent_logs" / "half.txt"
        assert kept.read_text() == "half"

    def test_an_attempt_that_was_being_put_away_is_not_overwritten(
        self, artifacts: RunArtifacts
    ) -> None:
        kept = artifacts.task_dir("t1") / "attempts" / "1"
        (kept / "agent_logs").mkdir(parents=True)
        (kept / "agent_logs" / "trace.txt").touch()
        artifacts.save_generation("t1", GenerationResult(data="old"))

        _, number = artifacts.prepare_task("t1")

        assert number == 3
        assert files_below(artifacts.task_dir("t1")) == [
            "attempts/1/agent_logs/trace.txt",
            "attempts/2/generation.json",
        ]

    def test_what_an_author_put_beside_the_attempts_does_no_harm(
        self, artifacts: RunArtifacts
    ) -> None:
        attempts = artifacts.task_dir("t1") / "attempts"
        attempts.mkdir(parents=True)
        (attempts / "notes.txt").touch()
        (attempts / "12").mkdir()

        _, number = artifacts.prepare_task("t1")

        assert number == 13

    @pytest.mark.parametrize("blocked", ["", "attempts"])
    def test_a_file_in_a_folders_place_is_an_error_that_names_it(
        self, artifacts: RunArtifacts, blocked: str
    ) -> None:
        path = artifacts.task_dir("t1") / blocked
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a file")

        with pytest.raises(ArtifactError, match="t1"):
            artifacts.prepare_task("t1")


class Killed(BaseException):
    """The process ends here."""


class TestAKillWhileAnAttemptIsPutAway:
    @pytest.fixture
    def attempted(self, artifacts: RunArtifacts) -> RunArtifacts:
        """A run whose one task has a graded attempt, and an earlier one."""
        for number in (1, 2):
            logs, _ = artifacts.prepare_task("t1")
            (logs / "trace.txt").write_text(f"log {number}")
            artifacts.save_generation("t1", GenerationResult(data=f"answer {number}"))
            artifacts.save_eval("t1", EvalResult(task_id="t1", status=EvalStatus.EVALUATED))
        return artifacts

    def kill_at(self, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        """Have the process end before the move of this number, from 0, is made."""
        move, moves = Storage.move, iter(range(100))

        def move_or_die(storage: Storage, source: Path, target: Path) -> bool:
            if next(moves) == step:
                raise Killed
            return move(storage, source, target)

        monkeypatch.setattr(Storage, "move", move_or_die)

    def die_while_putting_away(
        self, attempted: RunArtifacts, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        with monkeypatch.context() as patched:
            self.kill_at(patched, step)
            with pytest.raises(Killed):
                attempted.keep_attempt("t1")

    @pytest.mark.parametrize("step", range(4))
    def test_the_attempt_is_whole_in_the_end_and_there_once(
        self, attempted: RunArtifacts, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        self.die_while_putting_away(attempted, monkeypatch, step)

        later = RunArtifacts(attempted.results_dir, "run-1")
        owed = make_plan(later, ["t1"]).generate
        assert owed == ([] if step == 0 else ["t1"])  # before its first step nothing has begun
        _, number = later.prepare_task("t1")

        assert number == 3
        task_dir = later.task_dir("t1")
        assert files_below(task_dir) == [
            f"attempts/{kept}/{name}"
            for kept in (1, 2)
            for name in ("agent_logs/trace.txt", "eval.json", "generation.json")
        ]
        for kept in (1, 2):
            folder = task_dir / "attempts" / str(kept)
            assert (folder / "agent_logs" / "trace.txt").read_text() == f"log {kept}"
            assert json.loads((folder / "generation.json").read_text())["data"] == f"answer {kept}"
        assert make_plan(later, ["t1"]).generate == ["t1"]

    def test_there_are_no_more_steps_than_these_four(
        self, attempted: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.kill_at(monkeypatch, 4)
        attempted.keep_attempt("t1")  # else the test above would have to try more of them
        assert not (attempted.task_dir("t1") / "attempts" / MOVING_FOLDER).exists()

    def test_a_generation_on_its_way_is_still_one_of_the_earlier(
        self, attempted: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.die_while_putting_away(attempted, monkeypatch, 1)
        found = attempted.earlier_generations("t1")
        assert [generation.data for generation in found] == ["answer 1", "answer 2"]


class TestEarlierOnes:
    def test_nothing_is_made_where_there_is_nothing_to_keep(self, artifacts: RunArtifacts) -> None:
        artifacts.keep_attempt("t1")
        artifacts.keep_eval("t1")
        assert artifacts.earlier_generations("t1") == []
        assert not artifacts.results_dir.exists()

    def test_generations_are_read_in_their_order_as_far_as_they_can_be(
        self, artifacts: RunArtifacts
    ) -> None:
        for number in range(1, 12):
            artifacts.save_generation("t1", GenerationResult(data=f"answer {number}"))
            artifacts.keep_attempt("t1")
        (artifacts.task_dir("t1") / "attempts" / "3" / "generation.json").write_text("{")
        (artifacts.task_dir("t1") / "attempts" / "4" / "generation.json").unlink()

        found = [generation.data for generation in artifacts.earlier_generations("t1")]

        assert found == [f"answer {number}" for number in (1, 2, *range(5, 12))]
        assert artifacts.set_aside == []

    def test_a_grade_that_is_replaced_is_kept_and_the_generation_stays(
        self, artifacts: RunArtifacts
    ) -> None:
        artifacts.save_generation("t1", GenerationResult(data="answer"))
        for score in (1, 2):
            artifacts.save_eval(
                "t1", EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result=score)
            )
            artifacts.keep_eval("t1")
            assert artifacts.load_eval("t1") is None

        assert files_below(artifacts.task_dir("t1")) == [
            "attempts/evals/1.json",
            "attempts/evals/2.json",
            "generation.json",
        ]
        evals = artifacts.task_dir("t1") / "attempts" / "evals"
        kept = [json.loads((evals / f"{number}.json").read_text()) for number in (1, 2)]
        assert [one["result"] for one in kept] == [1, 2]
        assert artifacts.prepare_task("t1")[1] == 2  # a kept grade is no attempt


class TestFilesOfAnotherTask:
    def test_they_are_set_aside_and_count_as_missing(self, artifacts: RunArtifacts) -> None:
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
        assert (plan.generate, plan.evaluate) == (["t1"], [])

    def test_files_that_name_no_task_are_the_tasks_own(self, artifacts: RunArtifacts) -> None:
        artifacts.save_generation("t1", GenerationResult(data="answer"))
        assert artifacts.load_generation("t1") is not None
        assert artifacts.set_aside == []


class TestOnlyLooking:
    def test_what_can_not_be_read_is_named_and_stays_where_it_is(
        self, artifacts: RunArtifacts
    ) -> None:
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


class TestTheHashOfTheEvals:
    def save(self, artifacts: RunArtifacts, task_id: str, score: float) -> None:
        artifacts.save_eval(
            task_id, EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result=score)
        )

    def test_it_stays_while_the_evals_stay(self, artifacts: RunArtifacts) -> None:
        self.save(artifacts, "t1", 1)
        before = hash_of_evals(artifacts, ["t1", "t2"])
        self.save(artifacts, "t1", 1)

        assert hash_of_evals(artifacts, ["t1", "t2"]) == before

    def test_it_changes_with_any_eval(self, artifacts: RunArtifacts) -> None:
        tasks = ["t1", "t2"]
        seen = {hash_of_evals(artifacts, tasks)}
        self.save(artifacts, "t1", 1)
        seen.add(hash_of_evals(artifacts, tasks))
        self.save(artifacts, "t1", 0)
        seen.add(hash_of_evals(artifacts, tasks))
        self.save(artifacts, "t2", 0)
        seen.add(hash_of_evals(artifacts, tasks))
        artifacts.eval_path("t1").unlink()
        seen.add(hash_of_evals(artifacts, tasks))

        assert len(seen) == 5

    def test_a_score_that_is_gone_can_be_removed_again(self, artifacts: RunArtifacts) -> None:
        artifacts.save_final_score(ScoreResult(tasks_evaluated=[], final_score=0))

        artifacts.remove_final_score()
        artifacts.remove_final_score()

        assert artifacts.load_final_score() is None
