"""What holds for an export in any format."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.exports import EXPORTS, export, output_of
from tests.cli.outcomes import run_to_all_ends
from tests.files import state

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


@pytest.fixture
def all_ends(project: RunnerProject) -> RunnerProject:
    run_to_all_ends(project)
    return project


def test_run_without_generations_is_exported(project: RunnerProject) -> None:
    """A run of which nothing is generated yet is exported."""
    project.run("run", "--run-id", "r1")
    for folder in ("t1", "t2", "t3"):
        shutil.rmtree(project.results / "r1" / folder)

    for arguments in EXPORTS:
        assert export(project, arguments)


def test_export_touches_nothing_of_the_run(all_ends: RunnerProject) -> None:
    """An export changes no file of the run."""
    before = state(all_ends.results)

    for arguments in EXPORTS:
        export(all_ends, arguments)

    assert state(all_ends.results) == before


def test_torn_files_are_no_obstacle(all_ends: RunnerProject) -> None:
    """A run with files that can't be read is exported without them."""
    run_dir = all_ends.results / "r1"
    (run_dir / "right" / "generation.json").write_text("{")
    (run_dir / "wrong" / "eval.json").write_text("{")
    (run_dir / "slow" / "agent_logs" / "trajectory.json").write_text('{"steps": [')
    (run_dir / "chatty" / "agent_logs" / "trajectory.json").mkdir()
    (run_dir / "broken" / "agent_logs" / "trajectory.json").write_bytes(b"\xff\x00")

    for arguments in EXPORTS:
        assert export(all_ends, arguments)


def test_failed_export_leaves_nothing(all_ends: RunnerProject) -> None:
    """An export that fails midway leaves nothing, in any format."""
    all_ends.set_in_class('task_score = lambda self, result: {}["no"]')
    before = {*all_ends.root.iterdir()}

    for arguments in EXPORTS:
        ended = all_ends.run("export", "r1", *arguments, "--output", output_of(arguments))

        assert ended.code == 2
        assert "task_score() failed on task 'right'" in ended.err
        assert {*all_ends.root.iterdir()} == before, arguments
