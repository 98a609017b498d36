"""The time limits of generations and evaluations."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from benchmark_runner._concurrency import deadline
from benchmark_runner._run.plan import Plan
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
)
from tests.fakes import TOO_LONG, EngineRun, FakeRunner, answer, first, grade, make_plan

pytestmark = pytest.mark.anyio

SOON = 0.02


class TestTimeLimits:
    @staticmethod
    async def _hang(task: Task) -> GenerationResult:
        await asyncio.sleep(TOO_LONG)
        return await answer(task)

    @staticmethod
    async def _dawdle(task: Task) -> GenerationResult:
        # Not done at once, so that a limit of 0 that counted would be exceeded.
        for _ in range(5):
            await asyncio.sleep(0)
        return await answer(task)

    async def test_own_deadline_is_max_time(self, run: EngineRun) -> None:
        """A generation that exceeds the framework's limit is max_time and done."""
        run.script(1, self._hang)
        await run(timeout=SOON)
        found = run.generation("t1")
        assert found.status is GenerationStatus.MAX_TIME
        assert found.stop_reason == "max_time"
        assert run.eval("t1").status is EvalStatus.DID_NOT_COMPLETE
        assert run.runner.evaluated == []
        assert not make_plan(run.artifacts, ["t1"])

    async def test_tasks_timeout_wins_over_the_setting(self, run: EngineRun) -> None:
        """A task's own timeout wins over the setting."""
        tasks = [
            Task(id="short", question="?", timeout=SOON),
            Task(id="unlimited", question="?", timeout=0),
        ]

        async def generate(task: Task) -> GenerationResult:
            return await (self._hang(task) if task.id == "short" else self._dawdle(task))

        run.script(tasks, generate)
        await run(timeout=TOO_LONG)
        assert run.generation("short").status is GenerationStatus.MAX_TIME
        assert run.generation("unlimited").status is GenerationStatus.SUCCESS

    @pytest.mark.parametrize("own", [0, -1])
    async def test_tasks_timeout_of_zero_means_no_limit(self, run: EngineRun, own: int) -> None:
        """A task's timeout of 0 or less means no limit."""

        async def outlast_the_setting(task: Task) -> GenerationResult:
            await asyncio.sleep(3 * SOON)
            return await answer(task)

        run.script([Task(id="t1", question="?", timeout=own)], outlast_the_setting)
        await run(timeout=SOON)
        assert run.generation("t1").status is GenerationStatus.SUCCESS

    @pytest.mark.parametrize("limit", [None, 0, -5])
    async def test_setting_of_zero_means_no_limit(
        self, run: EngineRun, limit: float | None
    ) -> None:
        """A setting of None, 0 or less means no limit."""
        run.script(1, self._dawdle)
        await run(timeout=limit)
        assert run.generation("t1").status is GenerationStatus.SUCCESS

    async def test_uncancellable_generation_is_left_behind(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A generation that ignores its cancellation does not hold up the run."""
        monkeypatch.setattr(deadline, "CANCEL_GRACE", SOON)
        release = asyncio.Event()

        async def cling(task: Task) -> GenerationResult:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return await answer(task)

        run.script(1, cling)
        # Were it waited for, it would be until then.
        asyncio.get_running_loop().call_later(2, release.set)
        await run(timeout=SOON)
        assert not release.is_set()
        release.set()
        await asyncio.sleep(0)
        assert run.generation("t1").status is GenerationStatus.MAX_TIME

    async def test_max_turns_is_not_sent_to_the_grader(self, run: EngineRun) -> None:
        """A generation that ran out of turns is done without an evaluation."""

        async def generate(task: Task) -> GenerationResult:
            return GenerationResult(status=GenerationStatus.MAX_TURNS, answer="half")

        run.script(1, generate)
        await run()
        assert run.eval("t1").status is EvalStatus.DID_NOT_COMPLETE
        assert run.runner.evaluated == []
        assert not make_plan(run.artifacts, ["t1"])

    async def test_unsuccessful_never_reaches_evaluate(self, run: EngineRun) -> None:
        """A generation without success never reaches an author's evaluate()."""

        class Grading(FakeRunner):
            async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
                self.evaluated.append(task_id)
                return await grade(task_id, generation)

        async def generate(task: Task) -> GenerationResult:
            match task.id:
                case "t1":
                    await asyncio.sleep(TOO_LONG)
                case "t2":
                    return GenerationResult(status=GenerationStatus.MAX_TURNS, answer="half")
                case "t3":
                    raise ValueError("no luck")
                case "t4":
                    return GenerationResult(status=GenerationStatus.ERROR, error="no credit")
            return await answer(task)

        run.script(5, generate)
        run.use(Grading(generate=generate))
        await run(timeout=SOON)
        # What is on disk from before is treated the same.
        await run.carry_out(Plan(evaluate=first("t1", "t2", "t3", "t4")))
        assert run.runner.evaluated == ["t5"]
        found = [run.eval(task.id).status for task in run.tasks]
        assert found == [EvalStatus.DID_NOT_COMPLETE] * 2 + [EvalStatus.GENERATION_ERROR] * 2 + [
            EvalStatus.EVALUATED
        ]
        assert run.eval("t3").error == "ValueError: no luck"

    async def test_leftover_threads_delay_nothing(self, run: EngineRun) -> None:
        """Threads that agents leave behind delay no write and no other task."""
        release = threading.Event()
        stuck = 2 * (os.cpu_count() or 1) + 40  # more than the loop's own pool has threads

        async def generate(task: Task) -> GenerationResult:
            if task.id != "free":
                await asyncio.to_thread(release.wait, 3 * TOO_LONG)
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            assert not release.is_set()
            return await grade(task_id, generation)

        tasks = [Task(id=f"s{n}", question="?", timeout=SOON) for n in range(stuck)]
        run.script([*tasks, Task(id="free", question="?")], generate, evaluate)
        try:
            await run(parallelism=stuck)
            assert not release.is_set()
        finally:
            release.set()
        assert {run.generation(task.id).status for task in tasks} == {GenerationStatus.MAX_TIME}
        assert run.eval("free").status is EvalStatus.EVALUATED
        assert not make_plan(run.artifacts, [task.id for task in run.tasks])

    async def test_upload_has_time_of_its_own(self, run: EngineRun) -> None:
        """An evaluation that uploads a file may take longer than one of a text."""

        async def make_file(task: Task) -> GenerationResult:
            return GenerationResult(artifact=b"--- a", filename=f"{task.id}.patch")

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            await asyncio.sleep(3 * SOON)
            return await grade(task_id, generation)

        class PatchRunner(FakeRunner):
            PAYLOAD_TYPE = "artifact"

        run.script(1)
        run.use(PatchRunner(generate=make_file, evaluate=evaluate))
        await run(eval_deadline=SOON)
        assert run.eval("t1").status is EvalStatus.EVALUATED

    async def test_hanging_evaluation_is_the_tasks_error(self, run: EngineRun) -> None:
        """An evaluation that never ends is that task's error."""

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                await asyncio.sleep(TOO_LONG)
            return await grade(task_id, generation)

        run.script(2, evaluate=evaluate)
        await run(eval_deadline=SOON)
        assert run.eval("t1").status is EvalStatus.ERROR
        assert "not evaluated within 0.02 s" in (run.eval("t1").error or "")
        assert run.eval("t2").status is EvalStatus.EVALUATED
