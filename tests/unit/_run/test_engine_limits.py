"""The limits on what the engine runs at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from benchmark_runner._run.caps import Caps
from benchmark_runner._run.plan import Plan
from benchmark_runner.errors import RunPausedError
from benchmark_runner.schemas import EvalResult, EvalStatus, GenerationResult, Task
from tests.fakes import TOO_LONG, EngineRun, FakeRunner, answer, first, grade, spend_on_disk

pytestmark = pytest.mark.anyio


class Peak:
    """How many are inside at a time, at most; ``expected`` of them wait for each other."""

    def __init__(self, expected: int) -> None:
        self.now = self.highest = 0
        self._barrier = asyncio.Barrier(expected)

    async def __aenter__(self) -> None:
        self.now += 1
        self.highest = max(self.highest, self.now)
        await self._barrier.wait()

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0)
        self.now -= 1


class TestLimits:
    async def test_parallelism_is_reached_and_not_exceeded(self, run: EngineRun) -> None:
        """As many generations run at once as allowed, and never more."""
        peak = Peak(4)

        async def generate(task: Task) -> GenerationResult:
            async with peak:
                return await answer(task)

        run.script(12, generate)
        await run(parallelism=4, eval_parallelism=1)
        assert peak.highest == 4

    @pytest.mark.parametrize(
        ("count", "parallelism", "eval_parallelism"),
        [(12, 12, 3), (6, 1, 6)],
        ids=["fewer than generations", "more than generations"],
    )
    async def test_eval_parallelism_is_reached_and_not_exceeded(
        self, run: EngineRun, count: int, parallelism: int, eval_parallelism: int
    ) -> None:
        """As many evaluations run at once as allowed, and never more."""
        peak = Peak(eval_parallelism)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            async with peak:
                return await grade(task_id, generation)

        run.script(count, evaluate=evaluate)
        await run(parallelism=parallelism, eval_parallelism=eval_parallelism)
        assert peak.highest == eval_parallelism

    async def test_cap_reached_by_the_last_task_is_no_stop(self, run: EngineRun) -> None:
        """A cap that only the last task reaches stops nothing."""

        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(answer="dear", cost=1.0)

        run.script(3, generate)
        assert await run(parallelism=1, caps=Caps(max_cost=3.0)) is None
        run.script(4, generate)
        spend = spend_on_disk(run.artifacts, ["t1", "t2", "t3"])
        stopped_by = await run(parallelism=1, caps=Caps(max_cost=3.0, spend=spend))
        assert isinstance(stopped_by, RunPausedError)
        assert run.runner.generated == []

    async def test_slow_evaluations_never_block_generations(self, run: EngineRun) -> None:
        """Slow evaluations never block generations."""
        everything_generated = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t40":
                everything_generated.set()
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            await everything_generated.wait()
            assert generation.answer == f"answer to q{task_id[1:]}"
            return await grade(task_id, generation)

        run.script(40, generate, evaluate)
        await run(parallelism=2, eval_parallelism=1)
        assert all(run.eval(task.id).status is EvalStatus.EVALUATED for task in run.tasks)

    async def test_slow_generations_never_block_evaluations(self, run: EngineRun) -> None:
        """Slow generations never block evaluations."""
        first_graded = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t2":
                await first_graded.wait()
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            first_graded.set()
            return await grade(task_id, generation)

        run.script(2, generate, evaluate)
        await run(parallelism=1, eval_parallelism=1)
        assert run.runner.evaluated == ["t1", "t2"]

    async def test_owed_evaluations_do_not_wait(self, run: EngineRun) -> None:
        """Evaluations that are left from before do not wait for a generation."""
        old_graded = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t2":
                await old_graded.wait()
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                old_graded.set()
            return await grade(task_id, generation)

        run.script(2, generate, evaluate)
        await run.carry_out(Plan(generate=first("t1")), skip_eval=True)
        await run.carry_out(Plan(generate=first("t2"), evaluate=first("t1")), parallelism=1)
        assert sorted(run.runner.evaluated) == ["t1", "t2"]

    async def test_tasks_start_in_the_order_of_the_dataset(self, run: EngineRun) -> None:
        """Tasks start in the order of the dataset."""
        ids = ["b", "10", "a", "9", "c"]
        run.script([Task(id=task_id, question="?") for task_id in ids])
        await run(parallelism=1)
        assert run.runner.generated == ids

    async def test_plain_generate_runs_in_limited_threads(self, run: EngineRun) -> None:
        """A plain generate() runs in threads, no more than allowed."""
        together = threading.Barrier(2)
        lock = threading.Lock()
        inside: list[int] = [0, 0]

        class PlainRunner(FakeRunner):
            def generate(self, task: Task, *_: object, **__: object) -> GenerationResult:
                with lock:
                    inside[0] += 1
                    inside[1] = max(inside)
                together.wait(TOO_LONG)
                with lock:
                    inside[0] -= 1
                return GenerationResult(answer=threading.current_thread().name)

        run.script(6)
        run.use(PlainRunner(evaluate=grade))
        await run(parallelism=2)
        assert inside[1] == 2
        names = {run.generation(task.id).answer for task in run.tasks}
        assert threading.main_thread().name not in names
