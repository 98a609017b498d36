"""Several real processes on one run id."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.runtime.cli.conftest import RunnerProject, ScriptedService


class Busy:
    """A process whose agent is in the middle of a task."""

    def __init__(self, project: RunnerProject, *args: str) -> None:
        self.project = project
        read_end, write_end = os.pipe()
        try:
            self.process: subprocess.Popen[str] = project.start("run", *args, ready=write_end)
            ready, _, _ = select.select([read_end], [], [], 20)
            assert ready, "the agent did not get there"
        finally:
            os.close(read_end)
            os.close(write_end)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def waiting(project: RunnerProject) -> Iterator[Busy]:
    project.write_tasks([{"id": "t1", "question": "wait", "answer": "one"}])
    busy = Busy(project, "--run-id", "r1")
    yield busy
    busy.end()


def problem(project: RunnerProject, text: str, task_id: str) -> list[str]:
    file = project.root / f"{task_id}.txt"
    file.write_text(text)
    return ["--run-id", "r1", "--skip-eval", "--problem", file.name, task_id]


@pytest.mark.parametrize("command", ["run", "evaluate"])
def test_a_second_process_on_a_run_ends_at_once_and_names_the_first(
    project: RunnerProject, waiting: Busy, command: str
) -> None:
    started = time.monotonic()
    ended = project.execute(command, "--run-id", "r1")
    assert time.monotonic() - started < 8
    assert ended.code == 1
    assert f"run 'r1' is being worked on by process {waiting.process.pid} on " in ended.err
    assert ended.err.startswith("RunLockedError: ")
    assert ended.out == ""
    assert project.calls == ["t1"]


def test_another_run_id_is_free(project: RunnerProject, waiting: Busy) -> None:
    project.heal()
    assert project.execute("run", "--run-id", "r2").code == 0


def test_a_killed_process_blocks_nobody(project: RunnerProject, waiting: Busy) -> None:
    waiting.process.send_signal(signal.SIGKILL)
    waiting.process.wait()
    project.heal()
    ended = project.execute("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert project.calls == ["t1", "t1"]


class TestProblems:
    def test_those_of_different_tasks_run_at_the_same_time(self, project: RunnerProject) -> None:
        busy = Busy(project, *problem(project, "wait", "t0"))
        try:
            ended = project.execute("run", *problem(project, "say one", "t1"))
            assert ended.code == 0, ended.err
            assert busy.process.poll() is None
            assert project.read("r1", "run_config.json")["tasks"] == ["t0", "t1"]
        finally:
            busy.end()

    def test_the_same_task_twice_is_refused(self, project: RunnerProject) -> None:
        busy = Busy(project, *problem(project, "wait", "t0"))
        try:
            ended = project.execute("run", *problem(project, "wait", "t0"))
            assert ended.code == 1
            named = f"task 't0' of run 'r1' is being worked on by process {busy.process.pid} "
            assert named in ended.err
        finally:
            busy.end()
        assert project.calls == ["t0"]

    def test_the_whole_run_can_not_be_worked_on_meanwhile(self, project: RunnerProject) -> None:
        busy = Busy(project, *problem(project, "wait", "t0"))
        try:
            ended = project.execute("evaluate", "--run-id", "r1")
            assert ended.code == 1
            assert "RunLockedError" in ended.err
        finally:
            busy.end()

    def test_many_started_together_are_all_in_the_run(self, project: RunnerProject) -> None:
        ids = [f"t{number}" for number in range(6)]
        commands = [problem(project, f"say {task_id}", task_id) for task_id in ids]
        processes = [project.start("run", *command) for command in commands]
        ended = [project.end(process) for process in processes]
        assert [one.code for one in ended] == [0] * len(ids), [one.err for one in ended]
        config = project.read("r1", "run_config.json")
        assert sorted(config["tasks"]) == sorted(config["task_hashes"]) == ids
        for task_id in ids:
            assert project.read("r1", task_id, "generation.json")["data"] == task_id


class TestARunThatNeverBegan:
    @pytest.fixture
    def kept(self, project: RunnerProject) -> RunnerProject:
        """A results folder that was there before."""
        (project.results / "earlier").mkdir(parents=True)
        return project

    def folders(self, project: RunnerProject) -> list[str]:
        return [path.name for path in project.results.rglob("*")]

    def test_a_service_that_refuses_leaves_no_folder_behind(
        self, kept: RunnerProject, scripted: ScriptedService
    ) -> None:
        scripted.answers["/health"] = (500, {"detail": "down"})
        (kept.root / "p.txt").write_text("say one")
        flags = ["--run-id", "r1", "--service-url", scripted.url, "--service-attempts", "1"]
        assert kept.run("run", *flags).code == 1
        assert kept.run("run", *flags, "--dataset-name", "validation").code == 1
        assert kept.run("run", *flags, "--problem", "p.txt", "t1").code == 1
        assert self.folders(kept) == ["earlier"]

    def test_a_bad_dataset_leaves_no_folder_behind(self, kept: RunnerProject) -> None:
        kept.dataset.write_text("{")
        assert kept.run("run", "--run-id", "r1").code == 2
        assert self.folders(kept) == ["earlier"]

    def test_a_missing_grader_leaves_no_folder_behind(self, kept: RunnerProject) -> None:
        kept.write_cli(grader=None)
        assert kept.run("run", "--run-id", "r1").code == 2
        assert self.folders(kept) == ["earlier"]

    def test_an_unknown_run_leaves_no_folder_behind(self, kept: RunnerProject) -> None:
        for command in ("evaluate", "score"):
            assert kept.run(command, "--run-id", "r1").code == 2
        assert self.folders(kept) == ["earlier"]
