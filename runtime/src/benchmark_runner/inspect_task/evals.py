"""The evaluations of Inspect that are under way in this process, and the end of each."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

from benchmark_runner.inspect_task.live_run import LiveRun

if TYPE_CHECKING:
    from inspect_ai.hooks import RunEnd, TaskEnd, TaskStart

    from benchmark_runner.cli.job import Job

__all__ = ["close_with_inspect", "current_run", "open_current_run"]


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """An evaluation of one task with one model; ``invocation`` is the id of Inspect's command.

    ``limit`` is the number of the first tasks that it is for, if it is not for all or others.
    """

    eval_id: str
    epochs: int = 1
    limit: int | None = None
    invocation: str = ""


_current: ContextVar[_Evaluation | None] = ContextVar("evaluation", default=None)
_runs: dict[_Evaluation, LiveRun] = {}


def open_current_run(job: Job) -> LiveRun:
    """Return the run of the evaluation that the current code belongs to."""
    evaluation = _current.get()
    if evaluation is None:  # a sample that something else than an evaluation runs
        evaluation = _Evaluation(uuid4().hex)
        _current.set(evaluation)
    if evaluation not in _runs:
        _runs[evaluation] = LiveRun(
            job, evaluation.eval_id, evaluation.epochs, limit=evaluation.limit
        )
    return _runs[evaluation]


def current_run() -> LiveRun | None:
    """Return the run of the current evaluation; ``None`` without one, as in ``inspect score``."""
    evaluation = _current.get()
    return None if evaluation is None else _runs.get(evaluation)


@cache
def close_with_inspect() -> None:
    """Close each run when Inspect tells that its evaluation has ended."""
    from inspect_ai.hooks import Hooks, hooks

    class _Ends(Hooks):
        async def on_task_start(self, data: TaskStart) -> None:
            config = data.spec.config
            others = config.sample_id or config.sample_shuffle
            evaluation = _Evaluation(
                data.eval_id,
                epochs=config.epochs or 1,
                limit=config.limit if isinstance(config.limit, int) and not others else None,
                invocation=data.run_id,
            )
            _current.set(evaluation)

        async def on_task_end(self, data: TaskEnd) -> None:
            await _close(each for each in _runs if each.eval_id == data.eval_id)

        async def on_run_end(self, data: RunEnd) -> None:
            await _close(each for each in _runs if each.invocation == data.run_id)

    hooks("benchmark_runner", "closes what the agents of benchmarks share")(_Ends)


async def _close(ended: Iterable[_Evaluation]) -> None:
    for evaluation in [*ended]:
        await _runs.pop(evaluation).close()
