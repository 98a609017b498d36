"""Imports beside others, stopped, and of files that change meanwhile."""

from __future__ import annotations

import json
import os
import select
import signal
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run import disk_retry
from benchmark_runner.artifacts.locks import hold_lock
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError
from tests.cli.test_import import ANSWERS, import_lines, write_lines

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.schemas import GenerationResult
    from tests.cli.conftest import RunnerProject

IMPORT = ("import", "answers.jsonl", "--run-id", "r1", "--model", "m")
#: Tells that the tasks are being loaded, and never ends.
LOADS_FOR_EVER = """
    def load_tasks(self, dataset_file):
        announce("loading")
        signal.pause()

    async def generate("""


def write_answers(project: RunnerProject) -> Path:
    return write_lines(project.root / "answers.jsonl", ANSWERS)


class TestLocks:
    def test_run_that_is_held_is_refused(self, project: RunnerProject) -> None:
        """A run that another process holds is refused, and stays as it is."""
        import_lines(project, ANSWERS[:1])
        before = project.files()

        with hold_lock(project.results / "r1" / ".lock", "run 'r1'"):
            ended = import_lines(project, ANSWERS)

        assert ended.code == 1
        assert ended.err.startswith("RunLockedError: run 'r1' is being worked on")
        assert project.files() == before

    def test_one_of_two_imports_writes(self, project: RunnerProject) -> None:
        """Of two imports at once, one writes, and the other one is refused or changes nothing."""
        write_answers(project)

        ended = [project.end(each) for each in [project.start(*IMPORT) for _ in range(2)]]

        codes = sorted(each.code for each in ended)
        assert codes in ([0, 0], [0, 1]), [each.err for each in ended]
        assert sum("  answers  3 added" in each.out for each in ended) == 1
        assert project.run("evaluate", "--run-id", "r1").code == 0


class TestInterruption:
    def test_signal_ends_it(self, project: RunnerProject) -> None:
        """A signal ends an import, and the message says what to do."""
        project.change_agent(("\n    async def generate(", LOADS_FOR_EVER))
        write_answers(project)
        read_end, write_end = os.pipe()
        try:
            process = project.start(*IMPORT, ready=write_end)
            assert select.select([read_end], [], [], 20)[0], "it did not get there"
        finally:
            os.close(read_end)
            os.close(write_end)

        process.send_signal(signal.SIGTERM)

        ended = project.end(process)
        assert ended.code == 143
        assert ended.err.startswith("Interrupted: stopped by SIGTERM")
        assert not project.results.exists()


class TestChanges:
    @pytest.mark.parametrize("change", ["another answer", "fewer lines"])
    def test_change_after_the_check_is_noticed(self, project: RunnerProject, change: str) -> None:
        """A file that changes after it was checked is noticed before it is believed."""
        path = write_answers(project)
        last = {**ANSWERS[2], "answer": "another"}
        changed = [*ANSWERS[:2], last] if change == "another answer" else ANSWERS[:2]
        # Called between the two times that the file is read.
        project.monkeypatch.setattr(
            RunArtifacts, "remove_final_score", lambda _: write_lines(path, changed)
        )

        ended = project.run(*IMPORT)

        assert ended.code == 2
        assert ended.err.startswith("UsageError: answers.jsonl, line 3")
        assert "changed while it was imported" in ended.err
        assert "r1/t3/generation.json" not in project.files()
        project.monkeypatch.undo()
        write_answers(project)
        assert project.execute(*IMPORT).code == 0
        assert json.loads((project.results / "r1" / "t3" / "generation.json").read_bytes())


class TestADiskThatRefuses:
    @pytest.mark.parametrize("patience", [30, 0])
    def test_write_is_retried(self, project: RunnerProject, patience: float) -> None:
        """A write that fails is retried for a while; then the same command does the rest."""
        save, failed = RunArtifacts.save_generation, list[str]()

        def save_generation(files: RunArtifacts, task_id: str, found: GenerationResult) -> str:
            if task_id == "t1" and not failed:
                failed.append(task_id)
                raise ArtifactError("no space left", hint="Free space.")
            return save(files, task_id, found)

        project.monkeypatch.setattr(disk_retry, "DISK_PATIENCE", patience)
        project.monkeypatch.setattr(RunArtifacts, "save_generation", save_generation)

        ended = import_lines(project, ANSWERS)

        if patience:
            assert (ended.code, ended.err) == (0, "no space left; another attempt in 0.05 s\n")
        else:
            assert (ended.code, ended.err) == (1, "ArtifactError: no space left\nFree space.\n")
            assert "r1/t1/generation.json" not in project.files()
            assert import_lines(project, ANSWERS).code == 0
        assert project.run("evaluate", "--run-id", "r1").code == 0


class TestWhatShowsTheRun:
    def test_everything_says_that_it_is_imported(self, project: RunnerProject) -> None:
        """Lists, tasks, comparisons, reports and tables say that the answers are imported."""
        import_lines(project, ANSWERS)
        project.run("evaluate", "--run-id", "r1")
        project.run("run", "--run-id", "r0")

        assert "m (imported)" in project.run("runs").out
        assert "  answer   imported" in project.run("show", "r1", "t1").out
        compared = project.run("compare", "r0", "r1").out
        assert "imported from answers.jsonl" in compared
        assert "imported: False -> True" in compared
        runs = project.run("runs", "--json").json["runs"]
        imported = {run["run_id"]: run["imported"] for run in runs}
        assert imported["r0"] is None
        assert imported["r1"]["answers"] == 3
        for shown in (["r1"], ["r0", "r1"]):
            assert project.run("report", *shown, "--output", "page.html").code == 0
            page = (project.root / "page.html").read_text()
            assert "imported from" in page
            assert "Resume this run" not in page
