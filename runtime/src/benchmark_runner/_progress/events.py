"""The events of a run, which the engine emits; ``docs/events.md`` describes them as logged."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmark_runner.schemas import EvalStatus, GenerationStatus

InvocationOutcome = Literal["complete", "incomplete", "stopped", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationStarted:
    """A command started on the run, which stands like this.

    Attributes:
        problem: Whether it is about the one task of ``--problem``; others may run beside it.
        total: The generations of the chosen tasks: ``repeats`` of each.
        done: The ones of them that need nothing more; of these ``timed_out`` ran out of time and
            ``scored`` have a score, with this ``mean`` and its ``stderr``, and ``without_score``
            are evaluated, but have none.
        to_evaluate: The ones whose generation needs an evaluation.
        cost: US dollars that the generations on disk cost, of all tasks and attempts; without
            those whose cost is unknown. Tokens likewise.
        asks: True if it stops once the run's question is settled: the mean so far is no sample.
        max_cost: The cost in US dollars at which no new task starts, if there is one.
        timeout: The seconds that no generation may exceed, if there is a limit.
        finished: The generations that earlier commands finished, those of about one duration
            together: how many, how many without a known cost, and the sums of their seconds, of
            their dollars, and of the squares of these.
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
    without_score: int = 0
    repeats: int = 1
    asks: bool = False
    mean: float | None = None
    stderr: float | None = None
    cost: float = 0.0
    cost_unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    max_cost: float | None = None
    timeout: float | None = None
    finished: tuple[tuple[int, int, float, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class InvocationEnded:
    """The command ended.

    Attributes:
        outcome: ``complete`` or ``incomplete`` as the run is now; ``stopped``, ``interrupted``
            and ``failed`` where it ended before all was done.
        final_score: The final score, if the run has one of the evaluations on disk.
    """

    outcome: InvocationOutcome | str  # a later version may have added some
    error: str | None = None
    final_score: float | None = None
    mean: float | None = None
    stderr: float | None = None


@dataclass(frozen=True, slots=True)
class GenerationStarted:
    """``generate()`` was called for a repeat of a task, for the ``attempt``-th time."""

    task_id: str
    attempt: int = 1
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class GenerationFinished:
    """A task's generation is on disk; ``duration`` in seconds, ``cost`` in US dollars if known."""

    task_id: str
    status: GenerationStatus
    error: str | None
    duration: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class AnswerMasked:
    """A task's answer held a key: it is on disk, and graded, without that key."""

    task_id: str
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class EvaluationStarted:
    """The evaluation of a generation began."""

    task_id: str
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class EvaluationResumed:
    """An evaluation that waited for a retry has a place again, and is retried."""

    task_id: str
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class EvaluationProgress:
    """The service tells how far an evaluation is; of many such texts, one now and then."""

    task_id: str
    text: str
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class EvaluationFinished:
    """A task's evaluation is on disk; ``score`` is its task score, where that is known."""

    task_id: str
    status: EvalStatus
    error: str | None
    score: float | None
    duration: float | None = None
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """A call to the service, or a write, failed and is retried after ``wait`` seconds.

    Until then, the evaluation of ``task_id``, if it is one, has given its place to others.
    """

    reason: str
    wait: float
    task_id: str | None = None
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class EvaluationStopped:
    """The service refuses evaluations, so that this one ended, too; no new task starts."""

    task_id: str
    error: str
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class LoopBlocked:
    """Code of a task, or of an unknown one, blocks the event loop; emitted from another thread."""

    task_id: str | None
    seconds: float
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class ScoringStarted:
    """All tasks are done, and the run is being scored."""


Event = (
    InvocationStarted
    | InvocationEnded
    | GenerationStarted
    | GenerationFinished
    | AnswerMasked
    | EvaluationStarted
    | EvaluationResumed
    | EvaluationProgress
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
