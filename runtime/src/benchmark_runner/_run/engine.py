"""The engine that carries out a plan, with bounded numbers of generations and evaluations.

Both have limits of their own, so that neither waits for the other. A result is on disk before an
event tells of it. A task that waits takes no more memory than its id.
"""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

from benchmark_runner._concurrency.loop_watch import LoopWatch, Stall
from benchmark_runner._concurrency.slots import Slot, Slots
from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._progress.events import (
    EvaluationResumed,
    EvaluationStopped,
    Listener,
    LoopBlocked,
)
from benchmark_runner._run.caps import Caps
from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner._run.evaluate import EvaluationStep
from benchmark_runner._run.generate import GenerationStep, SavedGeneration
from benchmark_runner._run.graded_by import CommandGrader
from benchmark_runner._run.grader_watch import GraderWatch
from benchmark_runner._run.plan import Plan
from benchmark_runner._run.question import Question
from benchmark_runner._run.runner_lifespan import RunnerLifespan
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._run.session import Session
from benchmark_runner.artifacts.run_folder import BLOCKED_LOG
from benchmark_runner.errors import (
    ArtifactError,
    BenchmarkRunnerError,
    RunIdentityError,
    RunLockedError,
    RunPausedError,
    ServiceError,
    describe,
)
from benchmark_runner.schemas import Phase, TaskRepeat

#: Number of evaluations that may wait for a retry, for each one that may run.
_WAITING_PER_SLOT = 4


class Engine:
    """Carries out plans for one run, whose runner has its tasks and its client.

    ``listener`` receives every event, in the event loop's thread except ``LoopBlocked``. The
    tasks whose code has blocked the event loop are in ``blocked``, those whose answers held a key
    in ``masked``, and errors that changed no result in ``warnings``.
    """

    def __init__(
        self,
        session: Session,
        service: ServiceSettings,
        grader: CommandGrader,
        listener: Listener,
        caps: Caps,
        question: Question | None = None,
    ) -> None:
        self._session = session
        self._artifacts = session.artifacts
        self._request = session.request
        self._service = service
        self._grader = grader
        self._emit = listener
        self._caps = caps
        self._question = question
        self._disk = DiskWriter(listener)
        self.blocked: list[TaskRepeat] = []
        self.masked: list[TaskRepeat] = []
        self.warnings: list[str] = []
        self._watch = GraderWatch(session, grader.by)
        self._refused_by: ServiceError | RunIdentityError | None = None
        self._paused_by: RunPausedError | None = None
        self._disk_error: ArtifactError | None = None
        self._slots = Slots(service.eval_parallelism)
        # Evaluations that run or wait for a retry: each holds a generation in memory.
        self._room = asyncio.Semaphore((1 + _WAITING_PER_SLOT) * service.eval_parallelism)
        self._under_way: dict[asyncio.Task[None], Slot] = {}
        # New generations are handed on in memory, up to a limit; the others are read from disk
        # again, so that slow evaluations cost no memory.
        self._fresh: dict[TaskRepeat, SavedGeneration] = {}
        self._fresh_limit = 2 * (session.request.parallelism + service.eval_parallelism)

    async def carry_out(self, plan: Plan) -> BenchmarkRunnerError | None:
        """Generate and evaluate the tasks of the plan.

        Returns:
            The error that stopped it early, if one did. What was generated meanwhile is on disk.

        Raises:
            ArtifactError: a result can't be written.
        """
        with LoopWatch(self._note_blocked) as watch, self._disk.reserve:
            lifespan = RunnerLifespan(self._session.runner)
            try:
                if plan.generate and not self._is_stopped():
                    failed = await lifespan.start()
                    if failed is not None:
                        return failed
                await self._generate_and_evaluate(plan, watch)
            finally:
                if (warning := await lifespan.stop()) is not None:
                    self.warnings.append(warning)
        if self._disk_error is not None and not isinstance(self._disk_error, RunLockedError):
            raise self._disk_error
        stopped_by = self._refused_by or self._disk_error or self._paused_by
        return stopped_by or self._caps.reached_at_end()

    async def check_grader(self) -> BenchmarkRunnerError | None:
        """Return the error that says so if the service became another version meanwhile."""
        return await self._watch.check()

    async def _generate_and_evaluate(self, plan: Plan, watch: LoopWatch) -> None:
        shared = (self._session, self._disk, watch, self._emit)
        generation = GenerationStep(*shared)
        deadline = self._service.eval_deadline(self._session.runner.EVALUATION_API)
        noted = self._watch.note
        question = self._question
        evaluation = EvaluationStep(*shared, deadline, self._grader, noted, question)
        to_generate = iter(plan.generate)
        to_evaluate: asyncio.Queue[TaskRepeat | None] = asyncio.Queue()
        if not self._request.skip_eval:
            for key in plan.evaluate:
                to_evaluate.put_nowait(key)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._evaluate_from(to_evaluate, evaluation, group))
                async with asyncio.TaskGroup() as generators:
                    for _ in range(min(self._request.parallelism, len(plan.generate))):
                        generators.create_task(
                            self._generate_from(to_generate, generation, to_evaluate)
                        )
                to_evaluate.put_nowait(None)
        except BaseExceptionGroup as errors:
            raise _first_of(errors) from None

    async def _generate_from(
        self,
        keys: Iterator[TaskRepeat],
        step: GenerationStep,
        to_evaluate: asyncio.Queue[TaskRepeat | None],
    ) -> None:
        for key in keys:
            if self._is_stopped():  # asked only if a task is left
                return
            try:
                saved = await step.generate(key)
            except ArtifactError as error:
                self._disk_error = self._disk_error or error
                return
            self._caps.count(key.task_id, saved.generation)
            if saved.masked:
                self.masked.append(key)
            if not self._request.skip_eval:
                if len(self._fresh) < self._fresh_limit:
                    self._fresh[key] = saved
                to_evaluate.put_nowait(key)

    def _is_stopped(self) -> bool:
        if self._request.asks and self._question is not None:
            if self._question.side is not None:
                return True
            self._paused_by = self._paused_by or self._question.unusable
        self._paused_by = self._paused_by or self._caps.reached()
        return bool(self._refused_by or self._paused_by or self._disk_error)

    def _stops_evaluating(self) -> bool:
        paused_by = self._caps.evaluations_reached()
        self._paused_by = self._paused_by or paused_by
        return bool(self._refused_by or self._disk_error or paused_by)

    async def _evaluate_from(
        self,
        keys: asyncio.Queue[TaskRepeat | None],
        step: EvaluationStep,
        group: asyncio.TaskGroup,
    ) -> None:
        while (key := await keys.get()) is not None:
            saved = self._fresh.pop(key, None)
            await self._room.acquire()
            slot = await self._slots.take()
            if (changed := await self._watch.check_if_due()) is not None:
                self._refuse(changed)
            if self._stops_evaluating():
                slot.end()
                self._room.release()
                continue
            evaluation = group.create_task(self._evaluate(key, saved, step, slot))
            self._under_way[evaluation] = slot
            evaluation.add_done_callback(self._evaluated)

    async def _evaluate(
        self, key: TaskRepeat, saved: SavedGeneration | None, step: EvaluationStep, slot: Slot
    ) -> None:
        task_id, repeat = key
        slot.make_current(lambda: self._emit(EvaluationResumed(task_id, repeat)))
        try:
            saved = saved or await run_in_thread(self._read_generation, key)
            if saved is not None:
                self._caps.count_evaluation(task_id, await step.evaluate(key, saved))
        except ServiceError as error:
            error.phase = error.phase or Phase.EVALUATE
            self._emit(EvaluationStopped(task_id, describe(error), repeat))
            self._refuse(error)
        except ArtifactError as error:
            self._disk_error = self._disk_error or error
        except asyncio.CancelledError:
            if self._refused_by is not None:
                self._emit(EvaluationStopped(task_id, describe(self._refused_by), repeat))
            raise

    def _refuse(self, error: ServiceError | RunIdentityError) -> None:
        self._refused_by = self._refused_by or error
        for evaluation, slot in self._under_way.items():
            if slot.is_waiting:
                evaluation.cancel()

    def _evaluated(self, evaluation: asyncio.Task[None]) -> None:
        self._under_way.pop(evaluation).end()
        self._room.release()

    def _read_generation(self, key: TaskRepeat) -> SavedGeneration | None:
        self._artifacts.locks.check()
        artifacts = self._artifacts.of_repeat(key.repeat)
        generation, content_hash = artifacts.load_generation_and_hash(key.task_id)
        if generation is None or content_hash is None:
            return None
        return SavedGeneration(generation, content_hash)

    def _note_blocked(self, blocked: Stall) -> None:
        if blocked.owner is None:
            self._emit(LoopBlocked(None, blocked.seconds))
            return
        key = TaskRepeat(*blocked.owner)
        self.blocked.append(key)
        with suppress(ArtifactError):  # not a result
            artifacts = self._artifacts.of_repeat(key.repeat)
            artifacts.write_log(key.task_id, BLOCKED_LOG, blocked.stack)
        self._emit(LoopBlocked(key.task_id, blocked.seconds, key.repeat))


def _first_of(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    if isinstance(first, BaseExceptionGroup):
        return _first_of(cast("BaseExceptionGroup[BaseException]", first))
    return first
