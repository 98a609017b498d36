"""The calls of start() and stop() around the generations of a command."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run import runner_lifespan
from benchmark_runner._run.caps import Caps
from benchmark_runner._spend import Spend
from benchmark_runner.errors import RunnerStartError, RunPausedError
from benchmark_runner.schemas import GenerationResult, GenerationStatus, Task
from tests.fakes import EngineRun, FakeRunner, grade

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.anyio


class SharingRunner(FakeRunner):
    """A runner that opens and closes something, and notes all calls."""

    def __init__(self, failing: Callable[[str], object] = lambda _: None) -> None:
        super().__init__(generate=self.use, evaluate=grade)
        self.failing = failing
        self.calls: list[str] = []

    async def start(self) -> None:
        self.note("start")
        self.shared = "shared"

    async def stop(self) -> None:
        self.note("stop")

    def note(self, call: str) -> None:
        self.calls.append(call)
        self.failing(call)

    async def use(self, task: Task) -> GenerationResult:
        self.note(task.id)
        return GenerationResult(answer=self.shared)


def shared_run(
    run: EngineRun, tasks: int = 2, **settings: Callable[[str], object]
) -> SharingRunner:
    run.script(tasks)
    runner = SharingRunner(**settings)
    run.use(runner)
    return runner


def fail_in(*calls: str) -> Callable[[str], object]:
    def fail(call: str) -> None:
        if call in calls:
            raise ConnectionError("no server")

    return fail


async def test_they_enclose_all_generations(run: EngineRun) -> None:
    """start() comes before all generations, which see what it has set, and stop() after them."""
    runner = shared_run(run)
    assert await run(parallelism=1) is None
    assert runner.calls == ["start", "t1", "t2", "stop"]
    assert run.generation("t2").data == "shared"


async def test_nothing_to_generate_starts_nothing(run: EngineRun) -> None:
    """Neither is called for evaluations alone, or where a cap is reached before the first task."""
    runner = shared_run(run)
    await run(skip_eval=True)
    runner.calls.clear()
    await run()
    assert runner.calls == []
    assert len(run.runner.evaluated) == 2

    run.script(3)
    runner = SharingRunner()
    run.use(runner)
    stopped_by = await run(caps=Caps(max_cost=1.0, spend=Spend(dollars=2.0)))
    assert isinstance(stopped_by, RunPausedError)
    assert runner.calls == []


async def test_failed_start_generates_nothing(run: EngineRun) -> None:
    """A start() that raises ends the command before anything; it closes what it has opened."""
    runner = shared_run(run, failing=fail_in("start"))
    stopped_by = await run()
    assert isinstance(stopped_by, RunnerStartError)
    assert "start() failed: ConnectionError: no server (" in stopped_by.message
    assert "test_runner_lifespan.py, line " in stopped_by.message
    assert stopped_by.hint is not None
    assert runner.calls == ["start"]
    assert runner.generated == []


async def test_start_that_hangs_is_an_error(
    run: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start() that hangs is stopped at the limit of the runner, and the error says where."""
    runner = shared_run(run)

    async def start(_: SharingRunner) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(SharingRunner, "start", start)
    monkeypatch.setattr(SharingRunner, "START_TIMEOUT", 0.05)
    stopped_by = await run()
    assert isinstance(stopped_by, RunnerStartError)
    assert "did not end within 0.05 s; it waited in start() (test_runner" in stopped_by.message
    assert runner.calls == []


async def test_failed_generations_are_no_end(run: EngineRun) -> None:
    """stop() is called after generations that failed, too."""
    runner = shared_run(run, failing=fail_in("t1", "t2"))
    await run(parallelism=1)
    assert runner.calls == ["start", "t1", "t2", "stop"]
    assert run.generation("t1").status is GenerationStatus.ERROR


async def test_failed_stop_is_a_warning(run: EngineRun) -> None:
    """An error of stop() is a warning; the results stay as they are."""
    shared_run(run, failing=fail_in("stop"))
    assert await run() is None
    assert run.warnings == [run.warnings[0]]
    assert run.warnings[0].startswith("stop() failed: ConnectionError: no server (")
    assert run.generation("t1").status is GenerationStatus.SUCCESS


async def test_stop_that_hangs_is_a_warning(
    run: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop() that hangs is stopped after a while."""
    shared_run(run)

    async def stop(_: SharingRunner) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(SharingRunner, "stop", stop)
    monkeypatch.setattr(runner_lifespan, "STOP_WITHIN", 0.05)
    assert await run() is None
    assert run.warnings[0].startswith("stop() did not end in time; it waited in stop()")


async def test_attributes_of_their_names_are_no_methods(run: EngineRun) -> None:
    """An attribute that a runner sets under one of their names is left alone."""
    runner = shared_run(run)
    vars(runner)["start"] = 3.5
    assert await run() is None
    assert "stop" in runner.calls


async def test_cancelled_command_stops(run: EngineRun) -> None:
    """stop() is called when the command is cancelled in the middle of a generation."""
    begun = asyncio.Event()

    class Waiting(SharingRunner):
        async def use(self, task: Task) -> GenerationResult:
            begun.set()
            await asyncio.Event().wait()
            raise AssertionError

    run.script(1)
    runner = Waiting()
    run.use(runner)
    command = asyncio.create_task(run())
    await begun.wait()
    command.cancel()
    with pytest.raises(asyncio.CancelledError):
        await command
    assert runner.calls == ["start", "stop"]
