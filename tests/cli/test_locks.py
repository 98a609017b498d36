"""Several real processes on one run id."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.cli.conftest import Ended, RunnerProject
    from tests.scripted_service import ScriptedService

    Process = subprocess.Popen[str]


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


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", ["run", "evaluate", "score"])
def test_second_process_ends_at_once(project: RunnerProject, waiting: Busy, command: str) -> None:
    """A second process on a run ends at once and names the first."""
    started = time.monotonic()
    ended = project.execute(command, "--run-id", "r1")
    assert time.monotonic() - started < 8
    assert ended.code == 1
    assert f"run 'r1' is being worked on by process {waiting.process.pid} on " in ended.err
    assert ended.err.startswith("RunLockedError: ")
    assert ended.out == ""
    assert project.calls == ["t1"]


def test_another_run_id_is_free(project: RunnerProject, waiting: Busy) -> None:
    """Another run id is not locked."""
    project.heal()
    assert project.execute("run", "--run-id", "r2").code == 0


def test_killed_process_blocks_nobody(project: RunnerProject, waiting: Busy) -> None:
    """A killed process blocks nobody."""
    waiting.process.send_signal(signal.SIGKILL)
    waiting.process.wait()
    project.heal()
    ended = project.execute("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert project.calls == ["t1", "t1"]


def test_stopped_process_keeps_its_lock(project: RunnerProject, waiting: Busy) -> None:
    """A stopped process keeps its lock, and others fail at once."""
    waiting.process.send_signal(signal.SIGSTOP)
    try:
        ended = project.execute("run", "--run-id", "r1", timeout=15)
    finally:
        waiting.process.send_signal(signal.SIGCONT)
    assert ended.code == 1
    assert f"process {waiting.process.pid} on " in ended.err
    assert waiting.process.poll() is None


def test_finished_run_holds_no_lock(project: RunnerProject) -> None:
    """A finished run holds no lock."""
    assert project.run("run", "--run-id", "r1").code == 0
    assert (project.results / "r1" / ".lock").read_text() == ""
    assert project.run("score", "--run-id", "r1").code == 0


def before_the_run(project: RunnerProject, lines: str) -> None:
    """Have the console script run ``lines`` first."""
    script = project.script.read_text()
    project.script.write_text(script.replace("from runner.cli", f"{lines}\nfrom runner.cli"))


@pytest.mark.parametrize("flags", [[], ["--problem", "p.txt", "t1"]], ids=["run", "problem"])
def test_file_system_without_locks_is_reported(project: RunnerProject, flags: list[str]) -> None:
    """A file system without locks is reported as such."""
    before_the_run(
        project,
        "import errno\nimport fcntl\n\n\n"
        "def flock(descriptor, operation):\n"
        "    raise OSError(errno.ENOLCK, 'No locks available')\n\n\n"
        "fcntl.flock = flock\n",
    )
    (project.root / "p.txt").write_text("say one")
    ended = project.execute("run", "--run-id", "r1", *flags)
    assert ended.code == 1
    assert ended.err.startswith("ArtifactError: ")
    assert ".lock: can't be locked: No locks available" in ended.err
    assert "--results-dir" in ended.err
    assert "another process" not in ended.err
    assert project.calls == []


#: Says that it is about to take the lock, and waits until it may.
AT_THE_GATE = """\
import os

from benchmark_runner.artifacts.run_folder import RunArtifacts

locked = RunArtifacts.locked


def at_the_gate(self, task_id=None):
    gate = int(os.environ["READY_FD"])
    os.write(gate, b"?")
    os.read(gate, 1)
    return locked(self, task_id)


RunArtifacts.locked = at_the_gate
"""


REASONS = ("is being worked on by", "was changed by another process just now")


class TestTwoStartedTogether:
    def start(self, project: RunnerProject, run_id: str) -> list[tuple[Process, socket.socket]]:
        """Start two processes and return them when both are about to take the lock."""
        (project.root / "calls.txt").unlink(missing_ok=True)
        started: list[tuple[Process, socket.socket]] = []
        for _ in range(2):
            ours, theirs = socket.socketpair()
            process = project.start("run", "--run-id", run_id, ready=theirs.fileno())
            theirs.close()
            ours.settimeout(20)
            started.append((process, ours))
        for _, gate in started:
            assert gate.recv(1) == b"?"
        return started

    def check(self, project: RunnerProject, run_id: str, winner: Ended, loser: Ended) -> None:
        assert (winner.code, loser.code) == (0, 1), (winner, loser)
        assert "3 scored" in winner.out
        assert sorted(project.calls) == ["t1", "t2", "t3"]
        assert project.read(run_id, "final_score.json")["complete"] is True
        assert not list((project.results / run_id).glob("*/attempts"))
        assert loser.err.startswith("RunLockedError: "), loser.err
        assert loser.out == ""

    def race(self, project: RunnerProject, run_id: str) -> str:
        """Let two processes take the lock at the same moment; return what the loser says."""
        started = self.start(project, run_id)
        for _, gate in started:
            with gate:
                gate.sendall(b"!")
        ended = [project.end(process) for process, _ in started]
        winner, loser = sorted(ended, key=lambda one: one.code)
        self.check(project, run_id, winner, loser)
        told = [reason for reason in REASONS if reason in loser.err]
        assert len(told) == 1, loser.err
        return told[0]

    def race_often(self, project: RunnerProject, pairs: int) -> None:
        before_the_run(project, AT_THE_GATE)
        told = Counter(self.race(project, f"r{number}") for number in range(pairs))
        figures = f"{pairs} pairs, each task generated once; losers were told: {dict(told)}"
        print(figures)  # noqa: T201 (for who reads the log)

    def test_one_of_two_runs_the_other_fails(self, project: RunnerProject) -> None:
        """Of two processes started together one runs, the other fails."""
        self.race_often(project, 3)

    def test_late_process_is_refused(self, project: RunnerProject) -> None:
        """A process that gets the lock after the other has finished is refused."""
        before_the_run(project, AT_THE_GATE)
        (first, first_gate), (second, second_gate) = self.start(project, "r1")
        with first_gate, second_gate:
            first_gate.sendall(b"!")
            winner = project.end(first)
            second_gate.sendall(b"!")
            loser = project.end(second)
        self.check(project, "r1", winner, loser)
        assert "run 'r1' was changed by another process just now" in loser.err

    @pytest.mark.full
    def test_one_of_two_runs_every_time(self, project: RunnerProject) -> None:
        """Of many pairs of processes exactly one runs each time."""
        self.race_often(project, 50)


class TestProblems:
    def test_different_problems_run_in_parallel(self, project: RunnerProject) -> None:
        """Problems of different tasks run at the same time."""
        busy = Busy(project, *problem(project, "wait", "t0"))
        try:
            ended = project.execute("run", *problem(project, "say one", "t1"))
            assert ended.code == 0, ended.err
            assert busy.process.poll() is None
            assert project.read("r1", "run_config.json")["tasks"] == ["t0", "t1"]
        finally:
            busy.end()

    def test_same_problem_twice_is_refused(self, project: RunnerProject) -> None:
        """The same problem twice at a time is refused."""
        busy = Busy(project, *problem(project, "wait", "t0"))
        try:
            ended = project.execute("run", *problem(project, "wait", "t0"))
            assert ended.code == 1
            named = f"task 't0' of run 'r1' is being worked on by process {busy.process.pid} "
            assert named in ended.err
        finally:
            busy.end()
        assert project.calls == ["t0"]

    def test_whole_run_is_locked_by_a_problem(self, project: RunnerProject) -> None:
        """The whole run is locked while a problem runs."""
        busy = Busy(project, *problem(project, "wait", "t0"))
        try:
            ended = project.execute("evaluate", "--run-id", "r1")
            assert ended.code == 1
            assert "RunLockedError" in ended.err
        finally:
            busy.end()

    def test_many_parallel_problems_are_all_kept(self, project: RunnerProject) -> None:
        """Many problems started together are all in the run."""
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

    def test_refusing_service_leaves_no_folder(
        self, kept: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A service that refuses leaves no folder behind."""
        scripted.answers["/health"] = (500, {"detail": "down"})
        (kept.root / "p.txt").write_text("say one")
        flags = ["--run-id", "r1", "--service-url", scripted.url, "--service-attempts", "1"]
        assert kept.run("run", *flags).code == 1
        assert kept.run("run", *flags, "--dataset-name", "validation").code == 1
        assert kept.run("run", *flags, "--problem", "p.txt", "t1").code == 1
        assert self.folders(kept) == ["earlier"]

    def test_bad_dataset_leaves_no_folder(self, kept: RunnerProject) -> None:
        """A bad dataset leaves no folder behind."""
        kept.dataset.write_text("{")
        assert kept.run("run", "--run-id", "r1").code == 2
        assert self.folders(kept) == ["earlier"]

    def test_missing_grader_leaves_no_folder(self, kept: RunnerProject) -> None:
        """A missing grader leaves no folder behind."""
        kept.write_cli(grader=None)
        assert kept.run("run", "--run-id", "r1").code == 2
        assert self.folders(kept) == ["earlier"]

    def test_unknown_run_leaves_no_folder(self, kept: RunnerProject) -> None:
        """An unknown run leaves no folder behind."""
        for command in ("evaluate", "score"):
            assert kept.run(command, "--run-id", "r1").code == 2
        assert self.folders(kept) == ["earlier"]
