from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts.attempts import MOVING_FOLDER
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
)
from tests.fakes import first, make_plan

if TYPE_CHECKING:
    from pathlib import Path


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestAttempts:
    def test_the_first_attempt_gets_an_empty_log_folder(self, artifacts: RunArtifacts) -> None:
        """The first attempt gets an empty log folder and no folder of attempts."""
        logs, number = artifacts.prepare_task("t1")

        assert number == 1
        assert logs == artifacts.agent_logs_dir("t1")
        assert list(logs.iterdir()) == []
        assert not (artifacts.task_dir("t1") / "attempts").exists()

    def test_earlier_attempts_are_kept_and_counted(self, artifacts: RunArtifacts) -> None:
        """Earlier attempts are kept with all their files and counted."""
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

    def test_new_attempt_starts_empty(self, artifacts: RunArtifacts) -> None:
        """A new attempt has neither the evaluation nor the logs of the one before."""
        logs, _ = artifacts.prepare_task("t1")
        (logs / "trace.txt").touch()
        artifacts.save_generation("t1", GenerationResult())
        artifacts.save_eval("t1", EvalResult(task_id="t1", status=EvalStatus.ERROR))

        artifacts.prepare_task("t1")

        assert artifacts.load_generation("t1") is None
        assert artifacts.load_eval("t1") is None
        assert list(artifacts.agent_logs_dir("t1").iterdir()) == []

    def test_killed_attempt_is_kept_and_counted(self, artifacts: RunArtifacts) -> None:
        """An attempt that was killed is kept with its logs and counted."""
        logs, _ = artifacts.prepare_task("t1")
        (logs / "half.txt").write_text("half")

        _, number = artifacts.prepare_task("t1")

        assert number == 2
        kept = artifacts.task_dir("t1") / "attempts" / "1" / "agent_logs" / "half.txt"
        assert kept.read_text() == "half"

    def test_half_moved_attempt_is_not_overwritten(self, artifacts: RunArtifacts) -> None:
        """An attempt that was being moved is not overwritten by the next."""
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

    def test_foreign_files_among_attempts_are_ignored(self, artifacts: RunArtifacts) -> None:
        """Files that an author put among the attempts are left alone."""
        attempts = artifacts.task_dir("t1") / "attempts"
        attempts.mkdir(parents=True)
        (attempts / "notes.txt").touch()
        (attempts / "12").mkdir()

        _, number = artifacts.prepare_task("t1")

        assert number == 13

    def test_logs_that_grow_meanwhile_are_kept(self, artifacts: RunArtifacts) -> None:
        """Logs that a child of the agent writes while an attempt is put away are kept, too."""
        moving = artifacts.task_dir("t1") / "attempts" / MOVING_FOLDER
        logs, _ = artifacts.prepare_task("t1")
        for folder in (moving / "agent_logs", logs):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "trace.txt").write_text(folder.parent.name)

        _, number = artifacts.prepare_task("t1")

        assert number == 2
        assert files_below(artifacts.task_dir("t1")) == [
            "attempts/1/agent_logs-2/trace.txt",
            "attempts/1/agent_logs/trace.txt",
        ]


class Killed(BaseException):
    """The process ends here."""


class TestAKillWhileAnAttemptIsPutAway:
    @pytest.fixture
    def attempted(self, artifacts: RunArtifacts) -> RunArtifacts:
        """A run whose one task has a graded attempt, and an earlier one."""
        for number in (1, 2):
            logs, _ = artifacts.prepare_task("t1")
            (logs / "trace.txt").write_text(f"log {number}")
            artifacts.keep_submission("t1", b"file", f"{number}.patch", 100)
            artifacts.save_generation("t1", GenerationResult(data=f"answer {number}"))
            artifacts.save_eval("t1", EvalResult(task_id="t1", status=EvalStatus.EVALUATED))
            (artifacts.task_dir("t1") / "eval_state.json").touch()
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

    @pytest.mark.parametrize("step", range(6))
    def test_killed_move_is_completed(
        self, attempted: RunArtifacts, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        """An attempt whose move was killed at any step ends up whole, exactly once."""
        self.die_while_putting_away(attempted, monkeypatch, step)

        later = RunArtifacts(attempted.results_dir, "run-1")
        owed = make_plan(later, ["t1"]).generate
        assert owed == ([] if step == 0 else first("t1"))  # before its first step nothing has begun
        _, number = later.prepare_task("t1")

        assert number == 3
        task_dir = later.task_dir("t1")
        assert files_below(task_dir) == [
            f"attempts/{kept}/{name}"
            for kept in (1, 2)
            for name in (
                *("agent_logs/trace.txt", "eval.json", "eval_state.json", "generation.json"),
                f"submission/{kept}.patch",
            )
        ]
        for kept in (1, 2):
            folder = task_dir / "attempts" / str(kept)
            assert (folder / "agent_logs" / "trace.txt").read_text() == f"log {kept}"
            assert json.loads((folder / "generation.json").read_text())["data"] == f"answer {kept}"
        assert make_plan(later, ["t1"]).generate == first("t1")

    def test_move_has_only_these_steps(
        self, attempted: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Moving an attempt has no steps but those that the kill test covers."""
        self.kill_at(monkeypatch, 6)
        attempted.keep_attempt("t1")  # else the test above would have to try more of them
        assert not (attempted.task_dir("t1") / "attempts" / MOVING_FOLDER).exists()

    def test_moving_generation_counts_as_earlier(
        self, attempted: RunArtifacts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A generation whose move was interrupted counts among the earlier ones."""
        self.die_while_putting_away(attempted, monkeypatch, 1)
        found = attempted.earlier_generations("t1")
        assert [generation.data for generation in found] == ["answer 1", "answer 2"]


class TestEarlierOnes:
    def test_nothing_to_keep_makes_no_folder(self, artifacts: RunArtifacts) -> None:
        """Keeping an attempt or an evaluation that does not exist makes no folder."""
        artifacts.keep_attempt("t1")
        artifacts.keep_eval("t1")
        assert artifacts.earlier_generations("t1") == []
        assert not artifacts.results_dir.exists()

    def test_earlier_generations_are_read_in_order(self, artifacts: RunArtifacts) -> None:
        """Earlier generations are read in order; unreadable and missing ones are skipped."""
        for number in range(1, 12):
            artifacts.save_generation("t1", GenerationResult(data=f"answer {number}"))
            artifacts.keep_attempt("t1")
        (artifacts.task_dir("t1") / "attempts" / "3" / "generation.json").write_text("{")
        (artifacts.task_dir("t1") / "attempts" / "4" / "generation.json").unlink()

        found = [generation.data for generation in artifacts.earlier_generations("t1")]

        assert found == [f"answer {number}" for number in (1, 2, *range(5, 12))]
        assert artifacts.set_aside == []

    def test_torn_evaluation_is_set_aside(self, artifacts: RunArtifacts) -> None:
        """An evaluation that can't be read is not kept among the earlier ones."""
        artifacts.save_generation("t1", GenerationResult(data="answer"))
        torn = artifacts.eval_path("t1")
        torn.write_text('{"task_id": "t1", "sta')
        artifacts.keep_eval("t1")
        assert artifacts.set_aside == [torn.with_name("eval.json.corrupt-1")]
        assert files_below(artifacts.task_dir("t1")) == ["eval.json.corrupt-1", "generation.json"]

    def test_replaced_evaluation_is_kept(self, artifacts: RunArtifacts) -> None:
        """An evaluation that is replaced is kept; the generation stays."""
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
