"""What happens during a run, as the engine reports it; a display and a log file listen.

``docs/events.md`` in the runtime's sources says how each of them stands in ``events.jsonl``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmark_runner.schemas import EvalStatus, GenerationStatus  # noqa: TC001 (pydantic reads them)

InvocationOutcome = Literal["complete", "incomplete", "stopped", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationStarted:
    """A command began to work on the run.

    Attributes:
        command: Which command.
        pid: Its process.
        host: The machine that it runs on.
        version: The version of the runtime.
        model: What ``generate()`` is told to use.
        problem: Whether it is about the one task of ``--problem``; others may be at work then.
        skip_eval: Whether generations are all that it makes.
        parallelism: The most generations at a time.
        eval_parallelism: The most gradings at a time.
        total: The chosen tasks.
        done: Those of them that need nothing more.
        to_generate: Those that need a generation.
        to_evaluate: Those whose generation needs a grade.
        timed_out: Those that are done and ran out of time.
        scored: Those that are done and have a score.
        mean: The mean of these scores.
        stderr: Its standard error; ``None`` with fewer than two.
        cost: US dollars that the generations on disk cost, of all tasks and attempts.
        cost_unknown: Those of which no cost is recorded.
        input_tokens: Tokens that they took, as far as that is recorded.
        output_tokens: Likewise.
    """

    command: str
    pid: int
    host: str
    version: str
    model: str
    problem: bool
    skip_eval: bool
    parallelism: int
    eval_parallelism: int
    total: int
    done: int
    to_generate: int
    to_evaluate: int
    timed_out: int = 0
    scored: int = 0
    mean: float | None = None
    stderr: float | None = None
    cost: float = 0.0
    cost_unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class InvocationEnded:
    """The command is done with the run.

    Attributes:
        outcome: ``complete`` or ``incomplete`` as the run is now; ``stopped``, ``interrupted``
            and ``failed`` where it ended before it had done what was left to do.
        error: What stopped it, as ``TypeName: message``.
        final_score: The score, if the run has one that sums what is on disk.
        mean: The mean of the tasks' scores.
        stderr: Its standard error.
    """

    outcome: InvocationOutcome
    error: str | None = None
    final_score: float | None = None
    mean: float | None = None
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class GenerationStarted:
    """``generate()`` was called for a task, for the ``attempt``-th time."""

    task_id: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class GenerationFinished:
    """A task's generation is on disk.

    ``duration`` is in seconds, ``cost`` in US dollars; ``None`` is not known.
    """

    task_id: str
    status: GenerationStatus
    error: str | None
    duration: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class EvaluationStarted:
    """A generation was handed to the grader."""

    task_id: str


@dataclass(frozen=True, slots=True)
class EvaluationResumed:
    """A grading that waited for another try has its place again, and is tried."""

    task_id: str


@dataclass(frozen=True, slots=True)
class EvaluationFinished:
    """A task's eval is on disk; ``score`` is what it counts, where that is known."""

    task_id: str
    status: EvalStatus
    error: str | None
    score: float | None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """A call to the service, or a write, failed and is tried again after ``wait`` seconds.

    ``task_id`` is the task whose grading has given its place to others until then; ``None``
    where it is no grading that waits.
    """

    reason: str
    wait: float
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluationStopped:
    """The service refuses gradings, this one too or without asking; no new task starts."""

    task_id: str
    error: str


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """Code that does not yield keeps the event loop from everything else.

    Reported from another thread than the other events, as the loop can't be told now.
    ``task_id`` is ``None`` where it can't be told whose code it is.
    """

    task_id: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class ScoringStarted:
    """All tasks are done; the score is being made of their grades."""


Event = (
    InvocationStarted
    | InvocationEnded
    | GenerationStarted
    | GenerationFinished
    | EvaluationStarted
    | EvaluationResumed
    | EvaluationFinished
    | RetryScheduled
    | EvaluationStopped
    | LoopBlocked
    | ScoringStarted
)
Listener = Callable[[Event], None]


def name_of(kind: type[Event]) -> str:
    """Return the name of a kind of event in the log: ``generation_started``."""
    return re.sub("(?<!^)(?=[A-Z])", "_", kind.__name__).lower()
