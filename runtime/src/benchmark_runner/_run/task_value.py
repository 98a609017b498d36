"""The score of one evaluation, from the author's ``task_score()``."""

from typing import cast

from benchmark_runner._concurrency.author_calls import call_plain
from benchmark_runner._scores import finite
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerDefinitionError, describe
from benchmark_runner.schemas import EvalResult, EvalStatus

_FIX_TASK_SCORE = "Correct task_score() in runner/benchmark.py; the evaluations are on disk."


def task_value(runner: BenchmarkRunner, result: EvalResult) -> float | None:
    """Return the task score of an evaluation: 0 if it did not complete, ``None`` if unknown.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    if result.status is EvalStatus.DID_NOT_COMPLETE:
        return 0.0
    if result.status is not EvalStatus.EVALUATED:
        return None
    try:
        score = cast("object", call_plain(runner.task_score, result.result_json()))
    except Exception as error:
        raise RunnerDefinitionError(
            f"task_score() failed on task {result.task_id!r}: {describe(error)}",
            hint=_FIX_TASK_SCORE,
        ) from error
    if score is not None and not isinstance(score, (bool, int, float)):
        raise RunnerDefinitionError(
            f"task_score() returned {type(score).__name__} for task {result.task_id!r}, "
            "not a number or None",
            hint=_FIX_TASK_SCORE,
        )
    return finite(score)
