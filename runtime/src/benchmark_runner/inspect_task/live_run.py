"""The run of one evaluation by Inspect, which has a folder as any other run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from benchmark_runner._concurrency.deadline import CANCEL_GRACE
from benchmark_runner._concurrency.loop_watch import LoopWatch
from benchmark_runner._concurrency.slots import Slots
from benchmark_runner._concurrency.thread_pool import GRACE, run_in_thread
from benchmark_runner._run.connection import close_connections, connect_to_service
from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner._run.evaluate import EvaluationStep
from benchmark_runner._run.generate import GenerationStep, SavedGeneration
from benchmark_runner._run.open import open_run
from benchmark_runner._run.run_service import RunService
from benchmark_runner._run.runner_lifespan import RunnerLifespan
from benchmark_runner._run.trajectory_figures import count_interrupted
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.inspect_task.task_set import check_and_find_grader

if TYPE_CHECKING:
    from benchmark_runner._progress.events import Event
    from benchmark_runner._run.graded_by import CommandGrader
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.session import Session
    from benchmark_runner.cli.job import Job
    from benchmark_runner.schemas import EvalResult, TaskRepeat

__all__ = ["LiveRun"]

T = TypeVar("T")

#: The folder of these runs in the results folder; each is named by the id of its evaluation.
FOLDER = "inspect"


@dataclass(frozen=True, slots=True)
class _Opened:
    session: Session
    grader: CommandGrader
    disk: DiskWriter
    watch: LoopWatch
    slots: Slots


class LiveRun:
    """The run of one evaluation: opened by its first sample, closed when it ends.

    Args:
        job: The settings of the task.
        eval_id: The id of the evaluation.
        epochs: The number of its epochs, which are the repeats of the run.
        limit: The number of the first tasks that the run is for; ``None`` for all.
    """

    def __init__(
        self, job: Job, eval_id: str, epochs: int = 1, *, limit: int | None = None
    ) -> None:
        self.job = job
        self.artifacts = RunArtifacts(
            job.artifacts.results_dir / FOLDER, eval_id, job.artifacts.redactor
        )
        count_interrupted(self.artifacts)
        self._epochs, self._limit = epochs, limit
        self.runner = job.benchmark.runner(job.service.url, job.service.eval_parallelism)
        self._lifespan: RunnerLifespan | None = None
        self._held = ExitStack()
        self._opening = asyncio.Lock()
        self._opened: _Opened | None = None
        self._failed: Exception | None = None
        self._saved: dict[TaskRepeat, SavedGeneration] = {}

    async def generate(
        self, key: TaskRepeat, request: RunRequest, seconds_left: Callable[[], float]
    ) -> SavedGeneration:
        """Generate a repeat of a task in the time that is left then, and save the result.

        Raises:
            BenchmarkRunnerError: the run can't be opened, or the result can't be written.
        """
        opened = await self._open(request)
        shared = (opened.session, opened.disk, opened.watch, _ignore)
        step = GenerationStep(*shared, seconds=seconds_left())
        saved = await _uninterrupted(step.generate(key))
        self._saved[key] = saved
        return saved

    async def evaluate(self, key: TaskRepeat) -> EvalResult | None:
        """Evaluate what was generated, and save the result; ``None`` if nothing was.

        Raises:
            BenchmarkRunnerError: the service evaluates nothing, or the result can't be written.
        """
        saved, opened = self._saved.pop(key, None), self._opened
        if saved is None or opened is None:
            return None
        api = opened.session.runner.EVALUATION_API
        deadline = self.job.service.eval_deadline(api)
        shared = (opened.session, opened.disk, opened.watch, _ignore)
        step = EvaluationStep(*shared, deadline, opened.grader, _ignore)
        return await _uninterrupted(self._in_slot(opened.slots, step, key, saved))

    async def close(self) -> None:
        """Call the author's ``stop()``, and close what the run has open."""
        await _uninterrupted(self._close())

    async def _close(self) -> None:
        async with self._opening:
            try:
                if self._lifespan is not None:
                    await self._lifespan.stop()
            finally:
                self._held.close()
                await close_connections(self.runner)

    async def _in_slot(
        self, slots: Slots, step: EvaluationStep, key: TaskRepeat, saved: SavedGeneration
    ) -> EvalResult:
        slot = await slots.take()
        slot.make_current()
        try:
            return await step.evaluate(key, saved)
        finally:
            slot.end()

    async def _open(self, request: RunRequest) -> _Opened:
        async with self._opening:
            if self._failed is not None:
                raise self._failed
            if self._opened is None:
                try:
                    self._opened = await self._open_first(request)
                except Exception as error:
                    self._failed = error
                    raise
            return self._opened

    async def _open_first(self, request: RunRequest) -> _Opened:
        job, runner = self.job, self.runner
        request = replace(
            request, run_id=self.artifacts.run_id, repeats=self._epochs, limit=self._limit
        )
        connect = partial(connect_to_service, job.service, job.benchmark)
        session = await open_run(runner, self.artifacts, request, connect)
        self._held.enter_context(self.artifacts.locked())
        service = RunService(connect)
        runner.pin_run(self.artifacts)
        runner.input_source = service.inputs(session)
        await service.open(session, has_grades=False)
        grader = await check_and_find_grader(job, runner, session.source)
        by = grader.by
        facts = {
            "service_url": by.service_url,
            "evaluation_api": by.evaluation_api,
            "service_version": by.service_version,
            "dataset_version": by.dataset_version or runner.dataset_version,
            "local": grader.local,
            "by": "inspect",
        }
        await run_in_thread(partial(session.freeze, "run", facts))
        watch = self._held.enter_context(LoopWatch(_ignore))
        disk = DiskWriter(_ignore)
        self._held.enter_context(disk.reserve)
        self._lifespan = RunnerLifespan(runner)
        if (failed := await self._lifespan.start()) is not None:
            raise failed
        return _Opened(session, grader, disk, watch, Slots(job.service.eval_parallelism))


async def _uninterrupted(work: Coroutine[None, None, T]) -> T:
    """Do the work in a task of its own, so that one cancellation is one.

    Inspect's limits cancel again and again, also what saves a result meanwhile.
    """
    import anyio

    running = asyncio.create_task(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait({running}, timeout=CANCEL_GRACE + GRACE)
        if running.done() and not running.cancelled():
            running.exception()  # nobody else wants to know
        raise


def _ignore(about: Event | object) -> None:
    """Tell nobody: Inspect has a display of its own."""
