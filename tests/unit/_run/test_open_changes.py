"""A run is opened with changed tasks, other code, or another problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.plan import Reason
from benchmark_runner._versions import Code
from benchmark_runner.checkpoint import load_run_config
from benchmark_runner.errors import RunIdentityError, UsageError
from benchmark_runner.schemas import TaskRepeat
from tests.fakes import first
from tests.unit._run.sessions import ROWS, Bench, SampleRunner

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner._run.session import Session


pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestAcceptedChanges:
    CHANGED: list[dict[str, object]] = [  # noqa: RUF012 (only read)
        {"id": "d", "question": "fourth?"},
        {**ROWS[0], "question": "another?"},
        ROWS[2],
    ]

    async def test_accepted_tasks_are_redone(self, bench: Bench) -> None:
        """Accepted changes become the run's tasks and are redone."""
        started = await bench.start()
        bench.write(self.CHANGED)
        session = await bench.open(accept_changed_tasks=True)
        assert session.changes
        assert session.chosen == session.config.tasks == ["d", "b", "c"]
        before, now = dict(started.task_hashes()), dict(session.task_hashes())
        assert [*now] == ["d", "b", "c"]
        assert (now["b"] == before["b"], now["c"] == before["c"]) == (False, True)
        assert session.redo == dict.fromkeys(first("d", "b"), Reason.CHANGED)
        assert [task.question for task in session.runner.get_tasks()] == [
            "fourth?",
            "another?",
            "third letter?",
        ]

    async def test_changes_are_accepted_when_frozen(self, bench: Bench) -> None:
        """Changes are accepted once they are frozen, and not before."""
        await bench.start()
        bench.write(self.CHANGED)
        session = await bench.open(accept_changed_tasks=True)
        with pytest.raises(RunIdentityError):
            await bench.open()
        session.freeze("run", {})
        session = await bench.open()
        assert (bool(session.changes), session.redo) == (False, {})
        assert session.chosen == ["d", "b", "c"]

    async def test_no_changes_need_no_redo(self, bench: Bench) -> None:
        """Without changes nothing is redone."""
        started = await bench.start()
        session = await bench.open(accept_changed_tasks=True)
        assert (bool(session.changes), session.redo) == (False, {})
        assert session.config.tasks == started.config.tasks

    async def test_new_run_has_no_changes(self, bench: Bench) -> None:
        """A new run has no changes to accept."""
        session = await bench.open(accept_changed_tasks=True)
        assert (bool(session.changes), session.redo) == (False, {})

    async def test_accepting_keeps_dataset_and_source(self, bench: Bench) -> None:
        """Accepting changes does not allow another dataset or source."""
        await bench.start()
        with pytest.raises(RunIdentityError, match="takes its tasks from a file"):
            await bench.open(accept_changed_tasks=True, dataset_name="letters")
        bench.file.write_text(bench.file.read_text().replace('"letters"', '"signs"'))
        with pytest.raises(RunIdentityError, match="dataset 'letters', not from 'signs'"):
            await bench.open(accept_changed_tasks=True)

    async def test_only_the_own_problem_is_accepted(self, bench: Bench, tmp_path: Path) -> None:
        """Of several problems only the text of the chosen one is accepted."""
        problem = tmp_path / "problem.txt"
        for task_id in ("t1", "t2"):
            problem.write_text(f"question of {task_id}")
            await bench.start(problem=problem, task_ids=[task_id])
        problem.write_text("another question")
        session = await bench.open(problem=problem, task_ids=["t2"], accept_changed_tasks=True)
        assert session.redo == {TaskRepeat("t2"): Reason.CHANGED}
        assert session.config.tasks == ["t1", "t2"]
        assert session.chosen == ["t2"]


class TestTasksToRedo:
    async def test_rerun_tasks_are_redone_among_all(self, bench: Bench) -> None:
        """Tasks to rerun are redone among all tasks."""
        await bench.start()
        session = await bench.open(rerun=["c", "b", "c"])
        assert session.redo == dict.fromkeys(first("b", "c"), Reason.RERUN)
        assert session.chosen == ["b", "a", "c"]

    async def test_rerun_tasks_are_chosen_too(self, bench: Bench) -> None:
        """Tasks to rerun are chosen in addition to named ones."""
        await bench.start()
        session = await bench.open(rerun=["c", "b"], task_ids=["b"])
        assert session.chosen == ["b", "c"]

    async def test_unknown_rerun_task_is_refused(self, bench: Bench) -> None:
        """An unknown task to rerun is refused by name."""
        await bench.start(limit=2)
        with pytest.raises(UsageError, match="unknown task") as caught:
            await bench.open(rerun=["b", "c"])
        assert caught.value.message.endswith(": c")

    async def test_changed_task_keeps_that_reason(self, bench: Bench) -> None:
        """A task that changed and is to be rerun has the reason changed."""
        await bench.start()
        bench.write([{**ROWS[0], "question": "another?"}, *ROWS[1:]])
        session = await bench.open(rerun=["b"], accept_changed_tasks=True)
        assert session.redo == {TaskRepeat("b"): Reason.CHANGED}


class TestOtherCode:
    async def test_other_code_needs_acceptance(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Other code is refused until it is accepted, and then recorded."""

        class Stamped(SampleRunner):
            GENERATION_VERSION_ENV = "SAMPLE_STAMP"

        bench.runner_class = Stamped
        monkeypatch.setenv("SAMPLE_STAMP", "v1")
        await bench.start(code=Code("commit-1", dirty=False))
        monkeypatch.setenv("SAMPLE_STAMP", "v2")
        with pytest.raises(RunIdentityError) as caught:
            await bench.open(code=Code("commit-2", dirty=True))
        for said in ("'v1', now 'v2'", "'commit-1', now 'commit-2'"):
            assert said in caught.value.message
        session = await bench.open(code=Code("commit-2", dirty=True), accept_code_change=True)
        facts = ("generation_version", "runner_commit", "runner_dirty")
        assert [session.facts[name] for name in facts] == ["v2", "commit-2", True]
        session.freeze("run", {})
        config = load_run_config(session.artifacts)
        assert config is not None
        assert (config.generation_version, config.runner_commit) == ("v2", "commit-2")
        assert [*config.history[1].changed] == [*facts]
        assert (await bench.open(code=Code("commit-2", dirty=False))).resumed

    async def test_evaluations_ignore_the_code(self, bench: Bench) -> None:
        """Opening a run to evaluate it does not compare the code."""
        await bench.start(code=Code("commit-1"))
        session = await bench.open_graded(code=Code("commit-2"))
        assert "runner_commit" not in session.facts
        assert session.config.runner_commit == "commit-1"


class TestProblems:
    async def test_problems_add_their_tasks(self, bench: Bench, tmp_path: Path) -> None:
        """Problems under one run id add their tasks."""
        for number in (1, 2):
            problem = tmp_path / f"p{number}.txt"
            problem.write_text(f"question {number}")
            session = await bench.start(problem=problem, task_ids=[f"t{number}"])
        assert session.config.tasks == ["t1", "t2"]
        assert session.chosen == ["t2"]

    async def test_parallel_problems_are_all_added(self, bench: Bench, tmp_path: Path) -> None:
        """Problems that are opened at the same time are all added."""
        sessions: list[Session] = []
        for number in (1, 2, 3):
            problem = tmp_path / f"p{number}.txt"
            problem.write_text(f"question {number}")
            sessions.append(await bench.open(problem=problem, task_ids=[f"t{number}"]))
        for session in sessions:
            session.freeze("run", {})
        config = load_run_config(sessions[0].artifacts)
        assert config is not None
        assert config.tasks == [*config.task_hashes] == ["t1", "t2", "t3"]

    async def test_other_text_of_a_problem_is_refused(self, bench: Bench, tmp_path: Path) -> None:
        """Another text for the same problem is refused."""
        problem = tmp_path / "problem.txt"
        problem.write_text("question")
        await bench.start(problem=problem, task_ids=["t1"])
        problem.write_text("another question")
        with pytest.raises(RunIdentityError, match=r"1 changed \(t1\)"):
            await bench.open(problem=problem, task_ids=["t1"])

    async def test_resume_needs_the_problem(self, bench: Bench, tmp_path: Path) -> None:
        """A run of problems can't resume without its problem."""
        problem = tmp_path / "problem.txt"
        problem.write_text("question")
        await bench.start(problem=problem, task_ids=["t1"])
        with pytest.raises(UsageError) as caught:
            await bench.open()
        assert "--problem" in (caught.value.hint or "")
