"""The generation that the current code belongs to, for an agent that wants to end in time."""

from __future__ import annotations

import math
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from benchmark_runner._concurrency.author_scope import current_call

if TYPE_CHECKING:
    from benchmark_runner._concurrency.author_scope import AuthorCall
    from benchmark_runner._redaction import Redactor

__all__ = ["CurrentGeneration", "current_generation", "use_generation"]


@dataclass(frozen=True, slots=True)
class CurrentGeneration:
    """The generation that is under way.

    Attributes:
        task_id: The id of the task; empty outside a run.
        repeat: The repeat of the task, counted from 1 to the number of ``--repeats``.
        attempt: The attempt at that repeat, counted from 1: those before failed, or were redone.
        redactor: The masker of the run's keys, for what is recorded.
        durable: Whether what is recorded is flushed to the disk.
    """

    task_id: str = ""
    repeat: int = 1
    attempt: int = 1
    redactor: Redactor | None = field(default=None, repr=False, compare=False)
    durable: bool = field(default=True, repr=False, compare=False)
    _call: AuthorCall | None = field(default=None, repr=False, compare=False)

    @property
    def deadline(self) -> float:
        """The moment, by ``time.monotonic()``, at which it is stopped; infinite without a limit.

        It can become later, but not earlier.
        """
        return math.inf if self._call is None else self._call.deadline

    def time_left(self) -> float:
        """Return the seconds until the deadline, below 0 after it; infinite without a limit."""
        return self.deadline - monotonic()


_current: ContextVar[CurrentGeneration | None] = ContextVar("generation", default=None)


def use_generation(generation: CurrentGeneration) -> None:
    """Make this the generation of the current code, and of what it starts."""
    _current.set(generation)


def current_generation() -> CurrentGeneration:
    """Return the generation that the current code belongs to.

    It is known in ``generate()`` and in the tasks and threads that it starts; hand it over to a
    pool of threads that several calls share. Elsewhere, as in a test that calls ``generate()``
    itself, it has no task id, and no deadline.
    """
    generation = _current.get()
    return CurrentGeneration() if generation is None else replace(generation, _call=current_call())
