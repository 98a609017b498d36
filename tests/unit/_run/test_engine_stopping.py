"""What ends a run early: a cancellation, an author's code, a disk that refuses."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from benchmark_runner._concurrency.interruption import forget_signal, note_signal
from benchmark_runner._progress.events import EvaluationFinished, EvaluationStopped, Event
from benchmark_runner.artifacts.locks import LOCK_FILE
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError, AuthenticationError, RunLockedError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
)
from tests.fakes import TOO_LONG, EngineRun, answer, first, grade, make_plan

pytestmark = pytest.mark.anyio

SOON = 0.02


async def cancel(running: asyncio.Task[Any]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def cancel_while_saving(run: EngineRun, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Run one task, and cancel the run within this method of its folder."""
    saving, go_on = threading.Event(), threading.Event()
    save = getattr(RunArtifacts, method)

    def save_slowly(artifacts: RunArtifacts, task_id: str, record: Any) -> str:
        saving.set()
        assert go_on.wait(TOO_LONG)
        return save(artifacts, task_id, record)

    monkeypatch.setattr(RunArtifacts, method, save_slowly)
    run.script(1)
    running = asyncio.create_task(run())
    assert await asyncio.to_thread(saving.wait, TOO_LONG)
    asyncio.get_running_loop().call_later(SOON, go_on.set)
    await cancel(running)


class TestEnding:
    @pytest.mark.parametrize("phase", ["generate", "evaluate"])
    async def test_generator_exit_does_not_end_the_run(self, run: EngineRun, phase: str) -> None:
        """A GeneratorExit of the author does not end the run."""

        async def generate(task: Task) -> GenerationResult:
            if phase == "generate":
                raise GeneratorExit
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            raise GeneratorExit

        run.script(1, generate, evaluate)
        try:
            await run()
        except GeneratorExit:  # It would end the test session, too.
            pytest.fail("the run was ended")
        assert run.eval("t1").status in {EvalStatus.GENERATION_ERROR, EvalStatus.ERROR}

    async def test_cancelled_run_keeps_what_is_finished(self, run: EngineRun) -> None:
        """A cancelled run keeps what is finished, and agents may clean up."""
        waiting, graded, kept = asyncio.Event(), asyncio.Event(), asyncio.Event()
        both = asyncio.Barrier(2)
        cleaned: list[str] = []

        def listen(event: Event) -> None:
            if isinstance(event, EvaluationFinished):
                kept.set()

        async def generate(task: Task) -> GenerationResult:
            if task.id == "t1":
                return await answer(task)
            await graded.wait()
            try:
                await both.wait()
                waiting.set()
                await asyncio.sleep(TOO_LONG)
            finally:
                cleaned.append(task.id)
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            graded.set()
            return await grade(task_id, generation)

        run.script(3, generate, evaluate)
        run.listen = listen
        running = asyncio.create_task(run(parallelism=2))
        await waiting.wait()
        await kept.wait()
        await cancel(running)
        assert sorted(cleaned) == ["t2", "t3"]
        assert run.artifacts.load_generation("t2") is None
        plan = make_plan(run.artifacts, ["t1", "t2", "t3"])
        assert (plan.done, plan.generate) == (1, first("t2", "t3"))

    async def test_generation_being_saved_is_kept(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A generation that is being saved is kept when the run is cancelled."""
        await cancel_while_saving(run, monkeypatch, "save_generation")
        assert run.generation("t1").answer == "answer to q1"
        assert run.runner.evaluated == []
        assert make_plan(run.artifacts, ["t1"]).evaluate == first("t1")

    async def test_evaluation_being_saved_is_kept(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An evaluation that is being saved is kept when the run is cancelled."""
        await cancel_while_saving(run, monkeypatch, "save_eval")
        assert run.eval("t1").status is EvalStatus.EVALUATED

    async def test_result_after_cancellation_is_kept(self, run: EngineRun) -> None:
        """A result that comes after the cancellation is kept."""
        waiting = asyncio.Event()

        async def generate(task: Task) -> GenerationResult:
            try:
                waiting.set()
                await asyncio.sleep(TOO_LONG)
            except asyncio.CancelledError:
                await asyncio.sleep(SOON)
                return GenerationResult(answer="as far as I got")
            return await answer(task)

        run.script(2, generate)
        running = asyncio.create_task(run(parallelism=1))
        await waiting.wait()
        await cancel(running)
        assert run.generation("t1").answer == "as far as I got"
        assert run.runner.generated == ["t1"]
        plan = make_plan(run.artifacts, ["t1", "t2"])
        assert (plan.evaluate, plan.generate) == (first("t1"), first("t2"))

    async def test_other_value_after_cancellation_is_not_kept(self, run: EngineRun) -> None:
        """A value that is no result is not kept after the cancellation."""
        waiting = asyncio.Event()

        async def generate(task: Task) -> Any:
            try:
                waiting.set()
                await asyncio.sleep(TOO_LONG)
            except asyncio.CancelledError:
                return None

        run.script(1, generate)
        running = asyncio.create_task(run())
        await waiting.wait()
        await cancel(running)
        assert make_plan(run.artifacts, ["t1"]).generate == first("t1")

    async def test_refusing_disk_ends_the_run_with_one_error(
        self, run: EngineRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A disk that refuses ends the run with one error."""
        monkeypatch.setattr("benchmark_runner._run.disk_retry.DISK_PATIENCE", 2 * SOON)
        run.script(3)
        write = Storage.write

        def refuse_t2(storage: Storage, path: Any, *content: Any, **options: Any) -> None:
            if path == run.artifacts.generation_path("t2"):
                raise ArtifactError(f"{path}: can't be written")
            write(storage, path, *content, **options)

        monkeypatch.setattr(Storage, "write", refuse_t2)
        with pytest.raises(ArtifactError) as caught:
            await run(parallelism=1)
        assert "t2" in caught.value.message
        assert run.generation("t1").status is GenerationStatus.SUCCESS

    async def test_answer_after_a_signal_is_an_attempt(self, run: EngineRun) -> None:
        """An answer that comes after a signal is kept as an attempt, and the task is owed."""

        async def generate(task: Task) -> GenerationResult:
            note_signal()
            return await answer(task)

        run.script(1, generate)
        try:
            await run()
        finally:
            forget_signal()
        (attempt,) = run.artifacts.earlier_generations("t1")
        assert attempt.answer == "answer to q1"
        assert make_plan(run.artifacts, ["t1"]).generate == first("t1")
        assert run.runner.evaluated == []


class TestStoppedEvaluations:
    async def test_refusal_leaves_running_ones_alone(self, run: EngineRun) -> None:
        """An evaluation that runs when another one is refused is finished and kept."""
        begun, refused = asyncio.Event(), asyncio.Event()

        def listen(event: Event) -> None:
            if isinstance(event, EvaluationStopped):
                refused.set()

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            if task_id == "t1":
                begun.set()
                await refused.wait()
                return await grade(task_id, generation)
            await begun.wait()
            raise AuthenticationError("the key was revoked")

        run.script(2, evaluate=evaluate)
        run.listen = listen
        assert isinstance(await run(), AuthenticationError)
        assert run.eval("t1").status is EvalStatus.EVALUATED
        assert run.artifacts.load_eval("t2") is None

    async def test_nothing_is_evaluated_without_the_lock(self, run: EngineRun) -> None:
        """A generation on disk is not sent once the run's lock file was removed."""
        run.script(1)
        await run(skip_eval=True)
        with run.artifacts.locked():
            (run.artifacts.run_dir / LOCK_FILE).unlink()
            assert isinstance(await run(), RunLockedError)
        assert run.runner.evaluated == []
