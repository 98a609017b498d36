"""What happens during a run, as the engine reports it; a display or a log file listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark_runner.errors import ServiceError
    from benchmark_runner.schemas import EvalStatus, GenerationStatus


@dataclass(frozen=True, slots=True)
class GenerationStarted:
    """``generate()`` was called for a task."""

    task_id: str


@dataclass(frozen=True, slots=True)
class GenerationFinished:
    """A task's generation is on disk."""

    task_id: str
    status: GenerationStatus
    error: str | None
    duration: float


@dataclass(frozen=True, slots=True)
class EvaluationStarted:
    """A generation was handed to the grader."""

    task_id: str


@dataclass(frozen=True, slots=True)
class EvaluationFinished:
    """A task's eval is on disk; ``score`` is what it counts, where that is known."""

    task_id: str
    status: EvalStatus
    error: str | None
    score: float | None


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """A call to the service failed and is tried again after ``wait`` seconds."""

    reason: str
    wait: float


@dataclass(frozen=True, slots=True)
class EvaluationStopped:
    """The service refuses gradings, this one too or without asking; no new task starts."""

    task_id: str
    error: ServiceError


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """Code that does not yield keeps the event loop from everything else.

    Reported from another thread than the other events, as the loop can't be told now.
    ``task_id`` is ``None`` where it can't be told whose code it is.
    """

    task_id: str | None
    seconds: float


Event = (
    GenerationStarted
    | GenerationFinished
    | EvaluationStarted
    | EvaluationFinished
    | RetryScheduled
    | EvaluationStopped
    | LoopBlocked
)
Listener = Callable[[Event], None]
