"""The files of the repeats of a task: the first stands in its folder, the others below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._redaction import Redactor
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, TaskRepeat
from tests.files import contents
from tests.unit.artifacts.test_task_obstacles import (
    leave_broken_link,
    leave_file,
    leave_pipe,
    resume,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.artifacts.system_calls import Calls
    from tests.unit.artifacts.test_task_obstacles import Leave


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    return RunArtifacts(tmp_path / "results", "r1", Redactor(["sk-very-secret"]))


def fill(artifacts: RunArtifacts, repeat: int, data: str = "answer") -> RunArtifacts:
    """Generate and evaluate one repeat of a task."""
    files = artifacts.of_repeat(repeat)
    files.prepare_task("t1")
    generated = files.save_generation("t1", GenerationResult(task_id="t1", data=data))
    grade = EvalResult(task_id="t1", status=EvalStatus.EVALUATED, generation_hash=generated)
    files.save_eval("t1", grade)
    return files


class TestTaskRepeat:
    def test_repeat_is_named_from_the_second_on(self) -> None:
        """Text names the repeat where it is not the first."""
        assert [str(TaskRepeat("t1")), f"{TaskRepeat('t1', 3)}"] == ["t1", "t1 (repeat 3)"]

    def test_repeats_are_keys_of_their_own(self) -> None:
        """Repeats of a task differ, and the first is the one that is meant without a number."""
        assert len({TaskRepeat("t1"), TaskRepeat("t1", 1), TaskRepeat("t1", 2)}) == 2
        assert TaskRepeat("t1", 2) == ("t1", 2)


class TestPlaces:
    def test_first_repeat_stands_in_the_task_folder(self, artifacts: RunArtifacts) -> None:
        """The first repeat has the files that a run without repeats has."""
        assert artifacts.of_repeat(1) is artifacts
        fill(artifacts, 1)
        assert {path.name for path in artifacts.task_dir("t1").iterdir()} == {
            *("agent_logs", "generation.json", "eval.json")
        }

    def test_others_have_the_same_files_below_it(self, artifacts: RunArtifacts) -> None:
        """Another repeat has a folder of its own with the same files, and moves no other one."""
        for repeat in (2, 1, 3, 2):  # in any order, the second one twice
            fill(artifacts, repeat, f"answer {repeat}")
        below = artifacts.task_dir("t1") / "repeats"
        assert sorted(path.name for path in below.iterdir()) == ["2", "3"]
        assert {path.name for path in (below / "2").iterdir()} == {
            *("agent_logs", "attempts", "generation.json", "eval.json")
        }
        assert not (artifacts.task_dir("t1") / "attempts").exists()
        found = [TaskFiles(artifacts, "t1", repeat).generation for repeat in (1, 2, 3)]
        assert [each and each.data for each in found] == ["answer 1", "answer 2", "answer 3"]

    def test_redone_first_repeat_leaves_the_others(self, artifacts: RunArtifacts) -> None:
        """A redone first repeat moves its own files to its attempts, and no other repeat."""
        fill(artifacts, 1)
        before = contents(fill(artifacts, 2).task_dir("t1"))
        _, number = artifacts.prepare_task("t1")
        assert number == 2
        assert contents(artifacts.of_repeat(2).task_dir("t1")) == before

    def test_attempts_are_counted_by_repeat(self, artifacts: RunArtifacts) -> None:
        """The attempts of a repeat are its own."""
        for _ in range(3):
            second = fill(artifacts, 2)
        assert len(second.earlier_generations("t1")) == 2
        assert artifacts.earlier_generations("t1") == []
        assert artifacts.prepare_task("t1")[1] == 1

    def test_view_is_of_the_same_run(self, artifacts: RunArtifacts) -> None:
        """A view masks keys, its set-aside files are the run's, and it leads to others."""
        second = fill(artifacts, 2, "sk-very-secret")
        assert "sk-very-secret" not in second.generation_path("t1").read_text()
        second.eval_path("t1").write_text("{")
        assert second.load_eval("t1") is None
        aside = artifacts.task_dir("t1") / "repeats" / "2" / "eval.json.corrupt-1"
        assert artifacts.set_aside == [aside]
        assert second.of_repeat(1).task_dir("t1") == artifacts.task_dir("t1")
        assert second.of_repeat(3).task_dir("t1").parent == second.task_dir("t1").parent
        assert second.run_config_path == artifacts.run_config_path

    def test_later_repeats_show_that_a_run_has_generations(self, artifacts: RunArtifacts) -> None:
        """A run has generations, even if only a later repeat has one."""
        assert not artifacts.has_generations()
        fill(artifacts, 2)
        assert artifacts.has_generations()


class TestDurability:
    def test_new_folders_are_flushed(self, root: Path, calls: Calls) -> None:
        """The folders of a repeat are in those above them when its generation is on disk."""
        RunArtifacts(root, "r1").save_run_config({})
        second = RunArtifacts(root, "r1").of_repeat(2)
        second.prepare_task("t1")
        calls.made.clear()
        second.save_generation("t1", GenerationResult(data="answer"))
        named = calls.made.index(("rename", ".generation.json.tmp", "generation.json"))
        flushed = [name for kind, name, *_ in calls.made[named + 1 :] if kind == "flush"]
        assert flushed == ["2", "repeats", "t1", "r1"]

    def test_first_repeat_costs_no_more_flushes(self, root: Path, calls: Calls) -> None:
        """The first repeat is flushed as a task always was."""
        artifacts = RunArtifacts(root, "r1")
        artifacts.save_run_config({})
        artifacts.prepare_task("t1")
        calls.made.clear()
        artifacts.save_generation("t1", GenerationResult(data="answer"))
        flushed = [name for kind, name, *_ in calls.made if kind == "flush"]
        assert flushed == [".generation.json.tmp", "t1", "r1"]


FOLDERS = ["..", "", "agent_logs", "attempts"]


class TestObstacles:
    @pytest.mark.parametrize("folder", FOLDERS)
    @pytest.mark.parametrize("leave", [leave_file, leave_pipe, leave_broken_link])
    def test_obstacle_is_set_aside(
        self, artifacts: RunArtifacts, folder: str, leave: Leave
    ) -> None:
        """An obstacle in the place of a folder of a repeat is set aside."""
        fill(artifacts, 1, "first")
        second = fill(artifacts, 2)
        path = second.task_dir("t1").parent if folder == ".." else second.task_dir("t1") / folder
        if path.exists():
            path.rename(path.with_name(f"{path.name}.moved"))
        leave(path)
        resume(artifacts, 2)
        first = artifacts.load_generation("t1")
        assert first is not None
        assert first.data == "first"

    @pytest.mark.parametrize("folder", FOLDERS)
    def test_link_that_leads_out_is_not_followed(
        self, artifacts: RunArtifacts, tmp_path: Path, folder: str
    ) -> None:
        """A link in the place of a folder is set aside; its target is neither read nor changed."""
        outside = tmp_path / "outside"
        for below in (outside, outside / "2"):
            below.mkdir()
            (below / "generation.json").write_text('{"task_id": "t1", "data": "theirs"}')
        before = contents(outside)
        second = fill(artifacts, 2)
        path = second.task_dir("t1").parent if folder == ".." else second.task_dir("t1") / folder
        if path.exists():
            path.rename(path.with_name(f"{path.name}.moved"))
        path.symlink_to(outside)
        generation = TaskFiles(RunArtifacts(artifacts.results_dir, "r1"), "t1", 2).generation
        assert generation is None or generation.data == "answer"
        resume(artifacts, 2)
        assert contents(outside) == before

    def test_access_that_was_taken_is_restored(self, artifacts: RunArtifacts) -> None:
        """Access that an agent took from its own user is given back where that is needed."""
        second = fill(artifacts, 2)
        second.eval_path("t1").unlink()
        leave_pipe(second.eval_path("t1"))  # for a superuser nothing else is in the way
        for path in (second.task_dir("t1").parent, artifacts.task_dir("t1")):
            path.chmod(0)
        resume(artifacts, 2)

    def test_looking_changes_nothing(self, artifacts: RunArtifacts) -> None:
        """A command that only looks reports an obstacle, and leaves it."""
        leave_file(fill(artifacts, 1).task_dir("t1") / "repeats")
        looking = RunArtifacts(artifacts.results_dir, "r1", read_only=True)
        assert TaskFiles(looking, "t1", 2).generation is None
        assert (artifacts.task_dir("t1") / "repeats").is_file()
