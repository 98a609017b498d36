"""The journal of an evaluation of a run: its state is on disk, its progress becomes events."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.thread_pool import run_in_thread
from benchmark_runner._progress.events import EvaluationProgress, Listener
from benchmark_runner._run.disk_retry import DiskWriter
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import ArtifactError, RunLockedError
from benchmark_runner.schemas import EvalState, TaskRepeat

if TYPE_CHECKING:
    from pydantic import JsonValue

#: Seconds between two events of one evaluation, however much the service tells.
_EVERY = 5.0


@dataclass(slots=True)
class EvalJournal:
    """The journal of the evaluation of one task, whose states are ``like`` this empty one.

    A state that can't be on disk, as it holds a key or the disk refuses, is kept in memory: the
    grade is worth more.
    """

    task_id: str
    like: EvalState
    artifacts: RunArtifacts
    disk: DiskWriter
    progress: Progress

    _unwritten: dict[str, JsonValue] | None = None

    async def load(self) -> dict[str, JsonValue] | None:
        """Return the newest state of this generation and service; ``None`` without one."""
        if self._unwritten is not None:
            return self._unwritten
        found = await run_in_thread(self.artifacts.load_eval_state, self.task_id)
        return found.state if found is not None and found.continues(self.like) else None

    async def save(self, state: dict[str, JsonValue]) -> None:
        """Write a state, which is on the disk when this returns."""
        received = {"state": state, "received_at": datetime.now(UTC)}
        content = self.like.model_copy(update=received)
        self._unwritten = None
        try:
            is_kept = await self.disk.write(self.artifacts.save_eval_state, self.task_id, content)
        except RunLockedError:
            raise
        except ArtifactError as error:
            self._unwritten = state
            self.tell(f"the state is in memory only: {error.message}")
        else:
            if not is_kept:
                self._unwritten = state
                self.tell("the state is in memory only, as it holds a key")

    def tell(self, text: str, *, at_once: bool = False) -> None:
        """Emit an event with a text on the progress."""
        self.progress.tell(text, at_once=at_once)


@dataclass(slots=True)
class Progress:
    """The events of one evaluation's progress: now and then, with the newest text."""

    key: TaskRepeat
    emit: Listener
    _told_at: float = field(default_factory=lambda: monotonic() - _EVERY)
    _told: str = ""
    _newest: str = ""
    _timer: asyncio.TimerHandle | None = None

    def tell(self, text: str, *, at_once: bool = False) -> None:
        """Tell of a text at once if the last one was a while ago, else when that is so."""
        self._newest = text
        wait = self._told_at + _EVERY - monotonic()
        if at_once:
            self.end()
            self._emit()
        elif self._timer is None and wait > 0:
            self._timer = asyncio.get_running_loop().call_later(wait, self._emit)
        elif self._timer is None:
            self._emit()

    def end(self) -> None:
        """Tell of nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _emit(self) -> None:
        self._timer = None
        if self._newest != self._told:
            self._told_at, self._told = monotonic(), self._newest
            self.emit(EvaluationProgress(self.key.task_id, self._newest, self.key.repeat))
