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
    """The service refused this grading, and will refuse all others; no new task starts."""

    task_id: str
    error: ServiceError


Event = (
    GenerationStarted
    | GenerationFinished
    | EvaluationStarted
    | EvaluationFinished
    | RetryScheduled
    | EvaluationStopped
)
Listener = Callable[[Event], None]
