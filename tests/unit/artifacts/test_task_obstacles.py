"""Whatever an agent leaves in the folder of its task, the task can go on."""

from __future__ import annotations

import os
import stat
from itertools import product
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts import file_reader
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult
from tests.files import contents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Leave = Callable[[Path], None]

GRADE = EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result=1)


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    """A run whose one task has an attempt, and an earlier one."""
    made = RunArtifacts(tmp_path / "results", "r1")
    for number in (1, 2):
        made.prepare_task("t1")
        made.save_generation("t1", GenerationResult(data=f"answer {number}"))
        made.save_eval("t1", GRADE)
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else, with files that have the names of ours."""
    folder = tmp_path / "outside"
    for name in ("", "attempts/1", "1"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "generation.json").write_text('{"task_id": "t1", "data": "theirs"}')
    return folder


def leave_file(path: Path) -> None:
    path.write_text("in the way")


def leave_pipe(path: Path) -> None:
    os.mkfifo(path)


def leave_folder(path: Path) -> None:
    (path / "in the way").mkdir(parents=True)


def leave_broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def leave_large_file(path: Path) -> None:
    path.touch()
    os.truncate(path, file_reader.LARGEST_FILE + 1)


def clear(path: Path) -> None:
    """Move away what is there."""
    if os.path.lexists(path):
        path.rename(path.with_name(f"{path.name}.moved"))


def resume(artifacts: RunArtifacts, repeat: int = 1) -> RunArtifacts:
    """Do what a resume does with a repeat of a task, up to its grade."""
    later = RunArtifacts(artifacts.results_dir, "r1").of_repeat(repeat)
    later.load_generation_and_hash("t1")
    later.load_eval("t1")
    later.earlier_generations("t1")
    logs, _ = later.prepare_task("t1")
    assert [*logs.iterdir()] == []
    later.save_generation("t1", GenerationResult(task_id="t1", data="again"))
    later.save_eval("t1", GRADE)
    found, grade = later.load_generation("t1"), later.load_eval("t1")
    assert found is not None
    assert found.data == "again"
    assert grade is not None
    return later


FOLDERS = ["", "agent_logs", "attempts", "attempts/.moving", "attempts/evals"]
FILES = ["generation.json", "eval.json", ".generation.json.tmp", ".eval.json.tmp"]


OBSTACLES = [
    *product(FOLDERS, [leave_file, leave_pipe, leave_broken_link]),
    *product(FILES, [leave_folder, leave_pipe, leave_broken_link, leave_large_file]),
]


@pytest.mark.parametrize(("name", "leave"), OBSTACLES)
def test_obstacle_is_set_aside(artifacts: RunArtifacts, name: str, leave: Leave) -> None:
    """An obstacle in the place of a folder or a file of ours is set aside."""
    path = artifacts.task_dir("t1") / name
    clear(path)
    leave(path)
    resume(artifacts)


@pytest.mark.parametrize("folder", [*FOLDERS, "attempts/1"])
def test_link_that_leads_out_is_not_followed(
    artifacts: RunArtifacts, outside: Path, folder: str
) -> None:
    """A link in the place of a folder is set aside; its target is neither read nor changed."""
    before = contents(outside)
    path = artifacts.task_dir("t1") / folder
    clear(path)
    path.symlink_to(outside)
    later = resume(artifacts)
    assert "theirs" not in {earlier.data for earlier in later.earlier_generations("t1")}
    assert contents(outside) == before


def test_linked_generation_is_set_aside(artifacts: RunArtifacts, outside: Path) -> None:
    """A generation that is a link to another file is no generation."""
    path = artifacts.generation_path("t1")
    path.unlink()
    path.symlink_to(outside / "generation.json")
    assert artifacts.load_generation("t1") is None
    assert artifacts.set_aside == [path.with_name("generation.json.corrupt-1")]
    assert artifacts.set_aside[0].is_symlink()


def test_pipe_among_earlier_attempts_is_skipped(artifacts: RunArtifacts) -> None:
    """A pipe in the place of an earlier generation is skipped."""
    path = artifacts.task_dir("t1") / "attempts" / "1" / "generation.json"
    path.unlink()
    leave_pipe(path)
    assert artifacts.earlier_generations("t1") == []


@pytest.mark.parametrize("name", ["", "agent_logs", "attempts", "generation.json"])
def test_access_that_was_taken_is_restored(artifacts: RunArtifacts, name: str) -> None:
    """Access that an agent took from its own user is given back where that is needed."""
    path = artifacts.task_dir("t1") / name
    path.chmod(0)
    clear(artifacts.eval_path("t1"))
    leave_pipe(artifacts.eval_path("t1"))  # for a superuser nothing else is in the way
    resume(artifacts)
    assert artifacts.task_dir("t1").stat().st_mode & stat.S_IRWXU == stat.S_IRWXU


def test_answer_survives_a_replaced_folder(artifacts: RunArtifacts, outside: Path) -> None:
    """The answer of an agent that replaced its own folder is kept."""
    clear(artifacts.task_dir("t1"))
    artifacts.task_dir("t1").symlink_to(outside)
    before = contents(outside)
    artifacts.save_generation("t1", GenerationResult(task_id="t1", data="paid for"))
    found = artifacts.load_generation("t1")
    assert found is not None
    assert found.data == "paid for"
    assert artifacts.set_aside == [artifacts.run_dir / "t1.corrupt-1"]
    assert contents(outside) == before


def test_nothing_is_changed_by_those_who_read(artifacts: RunArtifacts) -> None:
    """Nothing is set aside by commands that only read."""
    clear(artifacts.eval_path("t1"))
    leave_pipe(artifacts.eval_path("t1"))
    reader = RunArtifacts(artifacts.results_dir, "r1", read_only=True)
    with pytest.raises(ArtifactError, match="not a regular file"):
        reader.read_results("t1")
    assert artifacts.eval_path("t1").is_fifo()
