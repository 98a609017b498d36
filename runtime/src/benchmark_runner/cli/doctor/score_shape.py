"""The shape of a score request that the service wants, as its answer to one known grade shows."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmark_runner._run.score import has_own_score
from benchmark_runner._run.task_value import task_value
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.base.score_request import BOTH_SHAPES, FAILED, Grades
from benchmark_runner.cli.doctor.newest_runs import newest_runs
from benchmark_runner.client.retry import RetryPolicy
from benchmark_runner.client.scoring import Shape, score_evals
from benchmark_runner.client.service_client import BenchmarkServiceClient
from benchmark_runner.errors import BenchmarkRunnerError, ServiceError
from benchmark_runner.results.run_view import RunView
from benchmark_runner.schemas import EvalResult, EvalStatus

__all__ = ["advice_on_score_shape"]

#: The tasks of each run that are looked at.
_TASKS = 100
#: Seconds for the scores of both shapes; a service that takes longer shows nothing.
_ANSWERED_WITHIN = 20.0


async def advice_on_score_shape(
    client: BenchmarkServiceClient, results_dir: Path, runner: BenchmarkRunner
) -> str | None:
    """Return advice if the service reads one shape only, and the runner does not set that one.

    It is asked to score one task of a run on disk that it has evaluated, in both shapes; that
    costs no quota. ``None`` without such a task, or if the answers show nothing.
    """
    if runner.EVALUATION_API == "v1" or has_own_score(runner):
        return None
    try:
        known = next(_known_grades(client.base_url, results_dir, runner), None)
    except BenchmarkRunnerError:
        return None  # of task_score(), which another check tells of
    if known is None:
        return None
    view, result, score = known
    agreeing = await _agreeing_shapes(client, view, result, score)
    if len(agreeing) != 1 or agreeing[0] == runner.SCORE_SUBMISSION:
        return None
    (shape,) = agreeing
    return (
        f"Asked to score one task of run {view.run_id!r}, the service reads the shape {shape!r} "
        f'only, and SCORE_SUBMISSION is "{runner.SCORE_SUBMISSION}": '
        f'set SCORE_SUBMISSION = "{shape}" in runner/benchmark.py.'
    )


async def _agreeing_shapes(
    client: BenchmarkServiceClient, view: RunView, result: EvalResult, score: float
) -> list[Shape]:
    """Return the shapes whose score agrees with the grade; none if that is not known of each."""
    agreeing: list[Shape] = []
    try:
        async with asyncio.timeout(_ANSWERED_WITHIN):
            for shape in BOTH_SHAPES:
                agrees = await _agrees(client, view, result, score, shape)
                if agrees is None:
                    return []
                if agrees:
                    agreeing.append(shape)
    except TimeoutError:
        return []
    return agreeing


async def _agrees(
    client: BenchmarkServiceClient, view: RunView, result: EvalResult, score: float, shape: Shape
) -> bool | None:
    """Return True if the score of a shape agrees with the grade; ``None`` if that is unknown."""
    try:
        answer = await score_evals(
            client,
            "legacy",
            view.run_id,
            view.config.dataset_name,
            [(result.task_id, result)],
            shape=shape,
            retry=RetryPolicy(attempts=1),
        )
    except ServiceError as error:
        return False if error.status_code == FAILED else None
    named = answer.tasks_evaluated if "tasks_evaluated" in answer.model_fields_set else None
    return Grades([result.task_id], [score]).contradict(answer.final_score, named) is None


def _known_grades(
    service_url: str, results_dir: Path, runner: BenchmarkRunner
) -> Iterator[tuple[RunView, EvalResult, float]]:
    for view in newest_runs(results_dir, runner):
        for task_id in islice(view.config.tasks, _TASKS):
            found = TaskFiles(view.artifacts, task_id).evaluation
            if found is None or found.status is not EvalStatus.EVALUATED:
                continue
            if found.service_url == service_url and (score := task_value(runner, found)):
                yield view, found, score
