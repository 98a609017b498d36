"""Events that tests count, and their tally."""

from __future__ import annotations

from benchmark_runner._progress.events import (
    EvaluationFinished,
    Event,
    GenerationFinished,
    GenerationStarted,
    InvocationStarted,
)
from benchmark_runner._progress.tally import Tally
from benchmark_runner.schemas import EvalStatus, GenerationStatus


def started(total: int = 10, done: int = 0, **more: object) -> InvocationStarted:
    return InvocationStarted(
        **{
            "command": "run",
            "pid": 1,
            "host": "here",
            "version": "1.0",
            "model": "m",
            "problem": False,
            "skip_eval": False,
            "parallelism": 10,
            "eval_parallelism": 10,
            "total": total,
            "done": done,
            "to_generate": total - done,
            "to_evaluate": 0,
            **more,
        }
    )


def generated(
    task_id: str, status: GenerationStatus = GenerationStatus.SUCCESS, **spent: float
) -> Event:
    return GenerationFinished(task_id, status, None, 1.0, **spent)


def graded(
    task_id: str, status: EvalStatus = EvalStatus.EVALUATED, score: float | None = 1.0
) -> Event:
    return EvaluationFinished(task_id, status, None, score)


def tally(*events: Event, begins: InvocationStarted | None = None) -> Tally:
    counted = Tally()
    for event in (begins or started(), *events):
        counted.count(event, 0.0)
    return counted


def forecasting(count: int = 20, **more: object) -> Tally:
    """The tally of a run at 200 s: of 100 generations, a dollar a minute each, ten are running."""
    counted = tally(begins=started(total=100, **more))
    for number in range(count):
        task_id, seconds = f"t{number}", 30.0 + 3 * number
        counted.count(GenerationStarted(task_id), 0.0)
        event = GenerationFinished(
            task_id, GenerationStatus.SUCCESS, None, seconds, cost=seconds / 60
        )
        counted.count(event, seconds)
    for number in range(10):
        counted.count(GenerationStarted(f"u{number}"), 190.0 - number)
    return counted
