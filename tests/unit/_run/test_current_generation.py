"""An agent asks which generation it is, and how long it has."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from benchmark_runner import current_generation
from benchmark_runner._concurrency import loop_watch
from benchmark_runner._concurrency.author_threads import watched_threads
from benchmark_runner.base import CurrentGeneration
from benchmark_runner.schemas import GenerationResult, Task
from tests.fakes import TOO_LONG, FakeRunner, answer, grade

if TYPE_CHECKING:
    from benchmark_runner.schemas import EvalResult
    from tests.fakes import EngineRun

pytestmark = pytest.mark.anyio

Seen = list[CurrentGeneration]


async def test_agent_is_told_task_repeat_and_attempt(run: EngineRun) -> None:
    """generate() finds the task, the repeat and the attempt that it is called for."""
    seen: Seen = []

    async def generate(task: Task) -> GenerationResult:
        await asyncio.sleep(0)
        seen.append(current_generation())
        if current_generation().repeat == 2 and current_generation().attempt == 1:
            raise ValueError("the first time")
        return await answer(task)

    run.script(2, generate)
    for _ in range(2):
        await run(repeats=2)
    assert sorted((each.task_id, each.repeat, each.attempt) for each in seen) == [
        *(("t1", 1, 1), ("t1", 2, 1), ("t1", 2, 2)),
        *(("t2", 1, 1), ("t2", 2, 1), ("t2", 2, 2)),
    ]


async def test_plain_function_is_told(run: EngineRun) -> None:
    """A generate() that is a plain function, in its thread, finds its generation, too."""
    seen: Seen = []

    class Plain(FakeRunner):
        def generate(self, task: Task, *_args: object, **_options: object) -> GenerationResult:  # pyright: ignore[reportIncompatibleMethodOverride]
            assert threading.current_thread() is not threading.main_thread()
            seen.append(current_generation())
            return GenerationResult(answer="yes")

    run.script(1)
    run.use(Plain(evaluate=grade))
    await run(repeats=3, timeout=30)
    assert sorted(each.repeat for each in seen) == [1, 2, 3]
    assert all(0 < each.deadline - monotonic() < 30 for each in seen)


async def test_tasks_and_threads_of_an_agent_are_told(run: EngineRun) -> None:
    """Child tasks, threads and callbacks of an agent belong to its generation."""
    seen: Seen = []

    def note() -> None:
        seen.append(current_generation())

    async def child() -> None:
        await asyncio.sleep(0)
        note()
        await asyncio.create_task(asyncio.to_thread(note))

    async def generate(task: Task) -> GenerationResult:
        await asyncio.gather(child(), child())
        thread = threading.Thread(target=note)
        thread.start()
        with ThreadPoolExecutor(1) as pool:
            await asyncio.wrap_future(pool.submit(note))
        called = asyncio.Event()
        asyncio.get_running_loop().call_soon(lambda: (note(), called.set()))
        await called.wait()
        thread.join()
        return await answer(task)

    run.script(1, generate)
    with watched_threads(lambda _author, _text: None):
        await run(repeats=2, parallelism=2, timeout=30)
    assert len(seen) == 14
    for repeat in (1, 2):
        of_one = [each for each in seen if each.repeat == repeat]
        assert len({(each.task_id, each.attempt, each.deadline) for each in of_one}) == 1
        assert len(of_one) == 7
        assert of_one[0].deadline < math.inf


async def test_generation_is_known_where_it_is_handed_to(run: EngineRun) -> None:
    """A thread that other calls have started gets the generation from its agent."""
    left: dict[int, float] = {}

    with ThreadPoolExecutor(1) as shared:
        shared.submit(str).result()  # its thread belongs to nobody

        def work(generation: CurrentGeneration) -> None:
            left[generation.repeat] = generation.time_left()

        async def generate(task: Task) -> GenerationResult:
            await asyncio.wrap_future(shared.submit(work, current_generation()))
            return await answer(task)

        run.script(1, generate)
        await run(repeats=2, timeout=30)
    assert left.keys() == {1, 2}
    assert all(0 < seconds <= 30 for seconds in left.values())


@pytest.mark.parametrize(("of_run", "own", "most"), [(30, None, 30), (30, 5, 5), (5, 30, 30)])
async def test_time_left_is_that_of_the_task(
    run: EngineRun, of_run: float, own: float | None, most: float
) -> None:
    """The time left is that until the time limit of the task, or else of the run."""
    seen: list[float] = []

    async def generate(task: Task) -> GenerationResult:
        seen.append(current_generation().time_left())
        return await answer(task)

    run.script([Task(id="t1", question="q", timeout=own)], generate)
    await run(timeout=of_run)
    assert most - 3 < seen[0] <= most


@pytest.mark.parametrize("limit", [0, -1])
async def test_time_without_a_limit_is_infinite(run: EngineRun, limit: float) -> None:
    """Without a time limit there is no deadline."""
    seen: Seen = []

    async def generate(task: Task) -> GenerationResult:
        seen.append(current_generation())
        assert current_generation().time_left() == math.inf
        return await answer(task)

    run.script(1, generate)
    await run(timeout=limit)
    assert seen[0].deadline == math.inf


async def test_time_that_others_block_is_given_back(
    run: EngineRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline becomes later when another task has blocked the loop until then."""
    monkeypatch.setattr(loop_watch, "_BEAT", 0.05)
    deadlines: list[float] = []
    started, blocked = asyncio.Event(), asyncio.Event()

    async def block() -> None:
        await started.wait()
        time.sleep(1.5)  # noqa: ASYNC251 (that is the point)
        blocked.set()

    async def generate(task: Task) -> GenerationResult:
        deadlines.append(current_generation().deadline)
        started.set()
        await blocked.wait()
        while current_generation().deadline == deadlines[0]:  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.01)
        deadlines.append(current_generation().deadline)
        return await answer(task)

    run.script(1, generate)
    async with asyncio.TaskGroup() as others:
        others.create_task(block())
        await run(timeout=1)
    assert run.generation("t1").answer == "answer to q1"
    assert deadlines[1] > deadlines[0]


async def test_time_left_is_below_zero_after_the_end(run: EngineRun) -> None:
    """After the deadline the time left is negative, for an agent that is being cancelled."""
    seen: list[float] = []

    async def generate(task: Task) -> GenerationResult:
        try:
            await asyncio.sleep(TOO_LONG)
        finally:
            seen.append(current_generation().time_left())
        return await answer(task)

    run.script(1, generate)
    await run(timeout=0.05)
    assert -TOO_LONG < seen[0] <= 0


async def test_evaluation_has_no_generation(run: EngineRun) -> None:
    """Outside generate(), as in evaluate(), there is neither a task id nor a deadline."""
    seen: Seen = [current_generation()]

    async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
        seen.append(current_generation())
        return await grade(task_id, generation)

    run.script(1, evaluate=evaluate)
    await run(repeats=2)
    assert len(seen) == 3
    assert {(each.task_id, each.repeat, each.attempt, each.deadline) for each in seen} == {
        ("", 1, 1, math.inf)
    }
    assert current_generation().time_left() == math.inf
