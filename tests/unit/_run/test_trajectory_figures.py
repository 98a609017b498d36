"""Tokens, cost and turns that an author did not state, from the trajectory of a generation."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._concurrency.interruption import forget_signal, note_signal
from benchmark_runner._run.caps import Caps
from benchmark_runner._run.generate import note_interruption
from benchmark_runner._run.trajectory_figures import count_interrupted, interrupted_generation
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.schemas import (
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    Task,
    TokenUsage,
)
from benchmark_runner.trajectory import Metrics, record
from tests.fakes import EngineRun, FakeRunner, grade, spend_on_disk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from benchmark_runner.llm import LLMConfig

pytestmark = pytest.mark.anyio

USAGE = TokenUsage(input=100, output=20, cache_read=50)


class LoggingRunner(FakeRunner):
    """A runner whose agent gets its log folder."""

    def __init__(self, agent: Callable[[Task, Path], Awaitable[GenerationResult]]) -> None:
        super().__init__(evaluate=grade)
        self.agent = agent

    async def generate(
        self,
        task: Task,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        assert log_dir is not None
        return await self.agent(task, log_dir)


def write_trajectory(log_dir: Path, turns: int = 2, usage: TokenUsage = USAGE) -> None:
    """Record as many turns, each with that usage and a cost of 0.25 dollars."""
    with record(log_dir) as trajectory:
        trajectory.user("a question")
        for _ in range(turns):
            trajectory.agent("a turn", metrics=Metrics.from_usage(usage, 0.25))


def script(
    run: EngineRun, agent: Callable[[Task, Path], Awaitable[GenerationResult]], tasks: int = 1
) -> None:
    run.script(tasks)
    run.use(LoggingRunner(agent))


def assert_figures(generation: GenerationResult) -> None:
    assert generation.usage == TokenUsage(input=200, output=40, cache_read=100)
    assert generation.cost == pytest.approx(0.5)
    assert generation.total_turns == 2


class TestOutcomes:
    async def test_missing_figures_of_an_answer(self, run: EngineRun) -> None:
        """Figures that an answer does not state are taken, on disk, in events and in caps."""

        async def agent(_: Task, log_dir: Path) -> GenerationResult:
            write_trajectory(log_dir / "deep")
            return GenerationResult(answer="a")

        script(run, agent)
        caps = Caps()
        await run(caps=caps)
        assert_figures(run.generation("t1"))
        assert caps.spend.dollars == pytest.approx(0.5)
        (finished,) = [event for event in run.events if hasattr(event, "input_tokens")]
        assert getattr(finished, "cost", None) == pytest.approx(0.5)

    async def test_exception_keeps_what_it_cost(self, run: EngineRun) -> None:
        """An exception out of generate() has the figures of what it did before."""

        async def agent(_: Task, log_dir: Path) -> GenerationResult:
            write_trajectory(log_dir)
            raise ValueError("no")

        script(run, agent)
        await run()
        assert run.generation("t1").status is GenerationStatus.ERROR
        assert_figures(run.generation("t1"))

    async def test_timeout_keeps_what_it_cost(self, run: EngineRun) -> None:
        """A generation that ran out of time has the figures of what it did before."""

        async def agent(_: Task, log_dir: Path) -> GenerationResult:
            write_trajectory(log_dir)
            await asyncio.Event().wait()
            raise AssertionError

        script(run, agent)
        await run(timeout=0.05)
        assert run.generation("t1").status is GenerationStatus.MAX_TIME
        assert_figures(run.generation("t1"))

    @pytest.mark.parametrize("status", ["max_turns", "error"])
    async def test_other_statuses(self, run: EngineRun, status: str) -> None:
        """A status that the author returns changes nothing about it."""

        async def agent(_: Task, log_dir: Path) -> GenerationResult:
            write_trajectory(log_dir)
            return GenerationResult(status=status, error="no")

        script(run, agent)
        await run()
        assert run.generation("t1").status == status
        assert_figures(run.generation("t1"))

    async def test_late_answer_keeps_what_it_cost(self, run: EngineRun) -> None:
        """An answer that comes after a signal has the figures, in the attempt that it becomes."""

        async def agent(_: Task, log_dir: Path) -> GenerationResult:
            write_trajectory(log_dir)
            note_signal()
            return GenerationResult(answer="late")

        script(run, agent)
        count_interrupted(run.artifacts)
        try:
            await run()
        finally:
            forget_signal()
        (earlier,) = TaskFiles(run.artifacts, "t1").generations
        assert earlier.data == "late"
        assert_figures(earlier)


class TestPrecedence:
    @pytest.mark.parametrize(
        ("stated", "expected"),
        [
            ({"cost": 0.0}, {"cost": 0.0, "total_turns": 2, "input": 200}),
            ({"total_turns": 7}, {"cost": 0.5, "total_turns": 7, "input": 200}),
            ({"usage": TokenUsage(output=1)}, {"cost": 0.5, "total_turns": 2, "input": None}),
            ({"usage": TokenUsage()}, {"cost": 0.5, "total_turns": 2, "input": 200}),
        ],
        ids=str,
    )
    async def test_what_the_author_stated_wins(
        self, run: EngineRun, stated: dict[str, Any], expected: dict[str, Any]
    ) -> None:
        """Each field that the author has set is kept, and the others are taken."""

        async def agent(_: Task, log_dir: Path) -> GenerationResult:
            write_trajectory(log_dir)
            return GenerationResult(answer="a", **stated)

        script(run, agent)
        await run()
        found = run.generation("t1")
        assert found.usage is not None
        assert {
            "cost": found.cost,
            "total_turns": found.total_turns,
            "input": found.usage.input,
        } == expected

    async def test_several_trajectories_add_up(self, run: EngineRun) -> None:
        """Those of several agents are added up."""

        async def agent(_: Task, log_dir: Path) -> GenerationResult:
            for name in ("a", "b"):
                write_trajectory(log_dir / name, turns=1)
            return GenerationResult(answer="a")

        script(run, agent)
        await run()
        assert_figures(run.generation("t1"))


def atif(**fields: object) -> str:
    step = {"step_id": 1, "source": "agent", "message": "a", **fields}
    return json.dumps(
        {"schema_version": "ATIF-v1.8", "agent": {"name": "a", "version": "1"}, "steps": [step]}
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        '{"steps": 3}',
        json.dumps({"schema_version": "other", "steps": [{"source": "agent"}]}),
        "[" * 100_000,
    ],
    ids=["empty", "text", "list", "foreign", "other-format", "deep"],
)
async def test_unusable_trajectory_changes_nothing(run: EngineRun, content: str) -> None:
    """A file that holds no trajectory changes nothing, and costs no answer."""

    async def agent(_: Task, log_dir: Path) -> GenerationResult:
        (log_dir / "trajectory.json").write_text(content)
        return GenerationResult(answer="a")

    script(run, agent)
    await run()
    found = run.generation("t1")
    assert (found.data, found.usage, found.cost, found.total_turns) == ("a", None, None, None)


@pytest.mark.parametrize("number", [-1, 10**30, 1e400], ids=["negative", "absurd", "infinite"])
async def test_impossible_numbers_change_nothing(run: EngineRun, number: float) -> None:
    """Tokens and costs that are not possible change nothing."""

    async def agent(_: Task, log_dir: Path) -> GenerationResult:
        metrics = {"prompt_tokens": number, "completion_tokens": number, "cost_usd": number}
        (log_dir / "trajectory.json").write_text(atif(metrics=metrics))
        return GenerationResult(answer="a")

    script(run, agent)
    await run()
    found = run.generation("t1")
    assert (found.data, found.usage, found.cost, found.total_turns) == ("a", None, None, 1)


async def test_link_is_not_followed(run: EngineRun, tmp_path: Path) -> None:
    """A link in the place of the folder of logs is not followed."""
    elsewhere = tmp_path / "elsewhere"
    write_trajectory(elsewhere)

    def replace_by_link(folder: Path) -> None:
        folder.rmdir()
        folder.symlink_to(elsewhere)

    async def agent(_: Task, log_dir: Path) -> GenerationResult:
        await asyncio.to_thread(replace_by_link, log_dir)
        return GenerationResult(answer="a")

    script(run, agent)
    await run()
    assert run.generation("t1").cost is None


class TestKilledAttempts:
    @pytest.fixture
    def killed(self, artifacts: RunArtifacts) -> RunArtifacts:
        """A run whose one task was killed in the middle."""
        count_interrupted(artifacts)
        write_trajectory(artifacts.prepare_task("t1")[0])
        return artifacts

    def test_killed_attempt_counts_before_a_resume(self, killed: RunArtifacts) -> None:
        """The cost of a killed attempt counts as soon as the run is read."""
        (left,) = TaskFiles(killed, "t1").generations
        assert_figures(left)
        assert left.error == "Interrupted, unless it is still running: there is no result"
        assert spend_on_disk(killed, ["t1", "t2"]).dollars == pytest.approx(0.5)

    def test_next_attempt_keeps_it_with_its_figures(self, killed: RunArtifacts) -> None:
        """The next attempt moves it to attempts/N, with a generation that says what it cost."""
        _, number = killed.prepare_task("t1")
        assert number == 2
        kept = killed.task_dir("t1") / "attempts" / "1"
        assert (kept / "agent_logs" / "trajectory.json").is_file()
        left = GenerationResult.model_validate_json((kept / "generation.json").read_bytes())
        assert_figures(left)
        assert left.status is GenerationStatus.ERROR
        assert left.failure is not None
        assert (left.failure.phase, left.failure.kind) == (Phase.GENERATE, FailureKind.CANCELLED)
        assert left.error == "Interrupted: the attempt was stopped before it was done"
        assert left.started_at is not None
        assert left.started_at <= datetime.now(UTC)
        assert spend_on_disk(killed, ["t1"]).dollars == pytest.approx(0.5)
        assert len(TaskFiles(killed, "t1").generations) == 1

    def test_attempt_without_a_trajectory_does_not_count(self, artifacts: RunArtifacts) -> None:
        """A killed attempt that left no trajectory is kept as before, and has no generation."""
        count_interrupted(artifacts)
        logs, _ = artifacts.prepare_task("t1")
        (logs / "notes.txt").touch()
        assert artifacts.prepare_task("t1")[1] == 2
        assert TaskFiles(artifacts, "t1").generations == []

    def test_each_is_counted_under_its_number(self, killed: RunArtifacts) -> None:
        """The number of a killed attempt counts those before that left no trajectory."""
        (killed.agent_logs_dir("t1") / "trajectory.json").unlink()
        write_trajectory(killed.prepare_task("t1")[0])
        assert [left.attempts for left in TaskFiles(killed, "t1").generations] == [2]
        assert killed.prepare_task("t1")[1] == 3
        assert [left.attempts for left in TaskFiles(killed, "t1").generations] == [2]

    def test_half_moved_attempt_counts_once(self, killed: RunArtifacts) -> None:
        """A kill between the writing of its generation and the move of its logs doubles nothing."""
        (left,) = TaskFiles(killed, "t1").generations
        moving = killed.task_dir("t1") / "attempts" / ".moving"
        moving.mkdir(parents=True)
        (moving / "generation.json").write_text(left.model_dump_json())
        assert spend_on_disk(killed, ["t1"]).dollars == pytest.approx(0.5)
        killed.prepare_task("t1")
        assert spend_on_disk(killed, ["t1"]).dollars == pytest.approx(0.5)
        assert len(TaskFiles(killed, "t1").generations) == 1

    def test_redo_keeps_it_as_well(self, killed: RunArtifacts) -> None:
        """An attempt that is put away on request keeps what it cost."""
        killed.keep_attempt("t1")
        assert spend_on_disk(killed, ["t1"]).dollars == pytest.approx(0.5)

    def test_trajectory_of_a_repeat(self, artifacts: RunArtifacts) -> None:
        """A repeat that was killed counts as itself."""
        count_interrupted(artifacts)
        write_trajectory(artifacts.of_repeat(2).prepare_task("t1")[0])
        assert TaskFiles(artifacts, "t1").generations == []
        assert_figures(TaskFiles(artifacts, "t1", 2).generations[0])

    def test_interrupted_problem_has_its_figures(self, killed: RunArtifacts) -> None:
        """The error that is written for --problem after a signal says what the task has cost."""
        note_interruption(killed, Task(id="t1", question="q"), "model")
        generation = killed.load_generation("t1")
        assert generation is not None
        assert_figures(generation)
        assert len(TaskFiles(killed, "t1").generations) == 1

    def test_torn_trajectory_counts_as_far_as_it_goes(self, killed: RunArtifacts) -> None:
        """A trajectory that ends in the middle of a step has the figures of those before."""
        file = killed.agent_logs_dir("t1") / "trajectory.json"
        content = file.read_bytes()
        file.write_bytes(content[: content.rindex(b'"step_id"') + 3])
        left = interrupted_generation("t1", file.parent)
        assert left is not None
        assert left.cost == pytest.approx(0.25)
