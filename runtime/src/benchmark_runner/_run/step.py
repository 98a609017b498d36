"""A step, generate or evaluate: a call of the author's method, under a time limit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmark_runner._concurrency.deadline import CancelledWithResult, call_within, is_cancelled
from benchmark_runner._concurrency.loop_watch import LoopWatch
from benchmark_runner._progress.events import Listener
from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner._run.session import Session
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import TaskRepeat


@dataclass(frozen=True, slots=True)
class Step:
    """The common part of both steps. ``watch`` measures the time lost to other tasks."""

    session: Session
    disk: DiskWriter
    watch: LoopWatch
    emit: Listener

    async def call(
        self,
        key: TaskRepeat,
        method: Callable[..., object],
        call: Callable[[], object],
        seconds: float | None,
    ) -> tuple[object, BaseException | None]:
        """Return what an author's method returns, or the error that it raises.

        ``DeadlineExceeded`` is among the errors; of the framework, only what cancels is raised.
        """
        not_counted = partial(self.watch.lost_by_others, key)
        log_dir = partial(self.files_of(key).agent_logs_dir, key.task_id)
        try:
            return await call_within(
                method, call, seconds, not_counted, owner=key, log_dir=log_dir
            ), None
        except asyncio.CancelledError as error:
            if is_cancelled() or isinstance(error, CancelledWithResult):
                raise
            return None, error  # the author's code cancelled itself
        except Exception as error:  # noqa: BLE001 (any error of the author's code is a result)
            return None, error

    def files_of(self, key: TaskRepeat) -> RunArtifacts:
        """Return the files of the run for a repeat of a task."""
        return self.session.artifacts.of_repeat(key.repeat)

    async def log_traceback(self, key: TaskRepeat, log: str, error: BaseException) -> None:
        """Write the traceback of an error into a log of the task, if the disk allows it."""
        await self.disk.try_write(self.files_of(key).write_traceback, key.task_id, log, error)
