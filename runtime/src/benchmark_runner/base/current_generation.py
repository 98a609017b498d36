"""The generation that the current code belongs to, for an agent that wants to end in time."""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic

from benchmark_runner._concurrency.author_scope import current_call

__all__ = ["CurrentGeneration", "current_generation", "use_generation"]


@dataclass(frozen=True, slots=True)
class CurrentGeneration:
    """The generation that is under way.

    Attributes:
        task_id: The id of the task; empty outside a run.
        repeat: The repeat of the task, counted from 1 to the number of ``--repeats``.
        attempt: The attempt at that repeat, counted from 1: those before failed, or were redone.
    """

    task_id: str = ""
    repeat: int = 1
    attempt: int = 1

    @property
    def deadline(self) -> float:
        """The moment, by ``time.monotonic()``, at which it is stopped; infinite without a limit.

        It can become later, but not earlier.
        """
        call = current_call()
        return math.inf if call is None else call.deadline

    def time_left(self) -> float:
        """Return the seconds until the deadline, below 0 after it; infinite without a limit."""
        return self.deadline - monotonic()


_current: ContextVar[CurrentGeneration | None] = ContextVar("generation", default=None)


def use_generation(task_id: str, repeat: int, attempt: int) -> None:
    """Make this the generation of the current code, and of what it starts."""
    _current.set(CurrentGeneration(task_id, repeat, attempt))


def current_generation() -> CurrentGeneration:
    """Return the generation that the current code belongs to.

    It is known in ``generate()`` and in the tasks and threads that it starts. Elsewhere, as in a
    test that calls ``generate()`` itself, it has no task id, and no deadline.
    """
    return _current.get() or CurrentGeneration()
