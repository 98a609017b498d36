from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._concurrency import thread_pool
from benchmark_runner._progress.events import Event, GenerationStarted, RetryScheduled
from benchmark_runner._run import disk_retry
from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner.artifacts.run_folder import EVAL_TRACEBACK_LOG, TRACEBACK_LOG
from benchmark_runner.artifacts.storage import Storage
from benchmark_runner.errors import ArtifactError
from benchmark_runner.schemas import EvalResult, GenerationResult, GenerationStatus, Task
from tests.fakes import TOO_LONG, EngineRun, answer, first, make_plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmark_runner._run.plan import Plan
    from benchmark_runner.errors import ServiceError

pytestmark = pytest.mark.anyio


class Disk:
    """A disk that refuses to write a file: somebody's file is where its folder should be."""

    def __init__(self, root: Path) -> None:
        self.file = root / "folder" / "file.txt"
        self._storage = Storage(root)
        self._obstacle = root / "folder"
        self._obstacle.write_text("in the way")
        self.told: list[RetryScheduled] = []

    def write(self, data: bytes = b"kept") -> str:
        self._storage.write(self.file, data)
        return "written"

    def heal(self) -> None:
        self._obstacle.unlink()

    def listen(self, event: Event) -> None:
        assert isinstance(event, RetryScheduled)
        self.told.append(event)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_retry, "DISK_PATIENCE", 0.5)


class TestKeeping:
    async def test_write_runs_off_the_event_loop(self, disk: Disk) -> None:
        """A write runs off the event loop and returns its result."""
        disk.heal()
        writer: list[threading.Thread] = []

        def write(data: bytes) -> str:
            writer.append(threading.current_thread())
            return disk.write(data)

        assert await DiskWriter(disk.listen).write(write, b"given") == "written"
        assert disk.file.read_bytes() == b"given"
        assert writer != [threading.current_thread()]
        assert disk.told == []

    async def test_refused_write_is_retried(self, disk: Disk) -> None:
        """A refused write is retried until it works."""

        def heal_at_the_third(event: Event) -> None:
            disk.listen(event)
            if len(disk.told) == 3:
                disk.heal()

        assert await DiskWriter(heal_at_the_third).write(disk.write) == "written"
        assert disk.file.read_bytes() == b"kept"
        assert len(disk.told) == 3
        assert all("folder/file.txt: can't be written" in event.reason for event in disk.told)

    async def test_waits_grow_up_to_a_limit(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The waits between retries grow up to a limit."""
        monkeypatch.setattr(disk_retry, "_FIRST_WAIT", 0.001)
        monkeypatch.setattr(disk_retry, "_LONGEST_WAIT", 0.004)

        def heal_at_the_fifth(event: Event) -> None:
            disk.listen(event)
            if len(disk.told) == 5:
                disk.heal()

        await DiskWriter(heal_at_the_fifth).write(disk.write)
        assert [event.wait for event in disk.told] == [0.001, 0.002, 0.004, 0.004, 0.004]

    async def test_write_is_given_up_in_the_end(self, disk: Disk, impatient: None) -> None:
        """A write that is refused for too long is an ArtifactError."""
        with pytest.raises(ArtifactError, match="can't be written"):
            await DiskWriter(disk.listen).write(disk.write)
        assert disk.told, "it was not tried again"

    async def test_other_errors_are_not_retried(self, disk: Disk) -> None:
        """Other errors are not retried."""

        def fail() -> None:
            raise ValueError("no disk's fault")

        with pytest.raises(ValueError, match="no disk's fault"):
            await DiskWriter(disk.listen).write(fail)
        assert disk.told == []

    async def test_cancellation_ends_the_retries(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cancellation ends the retries."""
        monkeypatch.setattr(disk_retry, "_FIRST_WAIT", 2 * TOO_LONG)
        refused = asyncio.Event()
        keeper = DiskWriter(lambda _: refused.set())
        task = asyncio.create_task(keeper.write(disk.write))
        async with asyncio.timeout(TOO_LONG):
            await refused.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert not disk.file.parent.is_dir()

    async def test_cancellation_waits_for_a_running_write(self, disk: Disk) -> None:
        """A cancellation waits for a write that is running."""
        disk.heal()
        writing, go_on = threading.Event(), threading.Event()

        def write_slowly() -> None:
            writing.set()
            assert go_on.wait(TOO_LONG)
            disk.write()

        task = asyncio.create_task(DiskWriter(disk.listen).write(write_slowly))
        assert await asyncio.to_thread(writing.wait, TOO_LONG)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert disk.file.read_bytes() == b"kept"

    async def test_cancellation_does_not_wait_for_a_hang(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cancellation does not wait for a disk that hangs."""
        monkeypatch.setattr(thread_pool, "GRACE", 0.05)
        writing, go_on = threading.Event(), threading.Event()

        def hang() -> None:
            writing.set()
            go_on.wait(2 * TOO_LONG)

        task = asyncio.create_task(DiskWriter(disk.listen).write(hang))
        try:
            assert await asyncio.to_thread(writing.wait, TOO_LONG)
            task.cancel()
            async with asyncio.timeout(TOO_LONG):
                await asyncio.wait({task})
            assert task.cancelled()
        finally:
            go_on.set()

    async def test_optional_write_is_not_retried(self, disk: Disk) -> None:
        """A write that is only helpful is not retried."""
        await DiskWriter(disk.listen).try_write(disk.write)
        assert disk.told == []
        disk.heal()
        await DiskWriter(disk.listen).try_write(disk.write)
        assert disk.file.read_bytes() == b"kept"


class Run(EngineRun):
    def __init__(self, results: Path) -> None:
        super().__init__(results)
        self.blocked: set[Path] = set()

    async def carry_out(self, plan: Plan, **settings: Any) -> ServiceError | None:
        return await super().carry_out(plan, **{"parallelism": 1, **settings})

    def block(self, task_id: str) -> None:
        """From now on the disk refuses the task's generation."""
        self.blocked.add(self.artifacts.generation_path(task_id))

    def unblock(self, task_id: str) -> None:
        self.blocked.remove(self.artifacts.generation_path(task_id))

    def statuses(self) -> dict[str, GenerationStatus]:
        found = {task_id: self.artifacts.load_generation(task_id) for task_id in self.ids}
        return {task_id: one.status for task_id, one in found.items() if one is not None}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    run, write = Run(tmp_path), Storage.write

    def refuse_blocked(storage: Storage, path: Path, *content: Any, **options: Any) -> None:
        if path in run.blocked:
            raise ArtifactError(f"{path}: can't be written")
        write(storage, path, *content, **options)

    monkeypatch.setattr(Storage, "write", refuse_blocked)
    return run


class TestARun:
    async def test_paid_answer_survives_a_refusing_disk(self, run: Run) -> None:
        """A generation is kept when the disk refuses it for a while."""
        calls: list[str] = []

        async def generate(task: Task) -> GenerationResult:
            calls.append(task.id)
            return await answer(task)

        run.script(1, generate)
        run.block("t1")
        told: list[RetryScheduled] = []

        def listen(event: Event) -> None:
            if isinstance(event, RetryScheduled):
                told.append(event)
                run.unblock("t1")

        run.listen = listen
        assert await run() is None
        assert len(told) == 1
        assert "generation.json: can't be written" in told[0].reason
        assert calls == ["t1"]
        assert run.statuses() == {"t1": GenerationStatus.SUCCESS}
        assert not make_plan(run.artifacts, run.ids)

    async def test_lost_traceback_does_not_lose_the_result(self, run: Run) -> None:
        """A traceback that can't be written does not lose the result."""

        async def generate(task: Task) -> GenerationResult:
            log_dir = run.artifacts.agent_logs_dir(task.id)
            (log_dir / TRACEBACK_LOG).mkdir()
            (log_dir / EVAL_TRACEBACK_LOG).mkdir()
            if task.id == "t1":
                raise ValueError("no luck")
            return await answer(task)

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            raise ValueError("no grade for this")

        run.script(2, generate, evaluate)
        assert await run() is None
        failed = run.artifacts.load_generation("t1")
        assert failed is not None
        assert failed.error == "ValueError: no luck"
        ungraded = run.artifacts.load_eval("t2")
        assert ungraded is not None
        assert ungraded.error == "ValueError: no grade for this"
        assert not [event for event in run.events if isinstance(event, RetryScheduled)]

    async def test_lasting_refusal_ends_the_run(
        self, run: Run, impatient: None, given_up: asyncio.Barrier
    ) -> None:
        """A disk that keeps refusing starts nothing new and loses nothing else."""
        all_running = asyncio.Barrier(3)

        async def generate(task: Task) -> GenerationResult:
            await all_running.wait()
            if task.id == "t3":
                await given_up.wait()
            return await answer(task)

        run.script(6, generate)
        run.block("t1")
        run.block("t2")
        with pytest.raises(ArtifactError, match=r"generation\.json: can't be written"):
            await run(parallelism=3)
        started = [event.task_id for event in run.events if isinstance(event, GenerationStarted)]
        assert sorted(started) == ["t1", "t2", "t3"]
        assert run.statuses() == {"t3": GenerationStatus.SUCCESS}
        assert make_plan(run.artifacts, run.ids).generate == first("t1", "t2", "t4", "t5", "t6")

    @pytest.fixture
    async def given_up(self, monkeypatch: pytest.MonkeyPatch) -> asyncio.Barrier:
        """Opens for one that waits here when the disk has been given up for two others."""
        barrier, keep = asyncio.Barrier(3), DiskWriter.write
        waiting: list[asyncio.Task[int]] = []

        async def tell(
            keeper: DiskWriter, write: Callable[..., object], *arguments: object
        ) -> object:
            try:
                return await keep(keeper, write, *arguments)
            except ArtifactError:
                waiting.append(asyncio.create_task(barrier.wait()))
                raise

        monkeypatch.setattr(DiskWriter, "write", tell)
        return barrier
