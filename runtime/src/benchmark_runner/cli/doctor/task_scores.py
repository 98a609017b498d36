"""The task scores of the newest run, as far as ``task_score()`` finds any."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmark_runner._run.task_value import task_value
from benchmark_runner._text import in_one_line
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.doctor.newest_runs import newest_runs
from benchmark_runner.results.run_view import RunView
from benchmark_runner.schemas import EvalStatus

__all__ = ["advice_on_task_scores"]

#: The tasks of each run that are looked at.
_TASKS = 100
#: Characters of a result that is quoted.
_SHOWN = 60


def advice_on_task_scores(results_dir: Path, runner: BenchmarkRunner) -> str | None:
    """Return advice if ``task_score()`` finds no score in the newest evaluated run.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    for view in newest_runs(results_dir, runner):
        for result, score in islice(_results(view), _TASKS):
            if score is None:
                return _advice(view.run_id, in_one_line(result))
        if any(_results(view)):
            return None
    return None


def _results(view: RunView) -> Iterator[tuple[str, float | None]]:
    """Yield the result of each evaluated task, with its task score."""
    for task_id in view.config.tasks:
        task = TaskFiles(view.artifacts, task_id)
        found = task.evaluation
        if found is not None and found.status is EvalStatus.EVALUATED:
            yield task.result_text or "null", task_value(view.runner, found)


def _advice(run_id: str, result: str) -> str:
    shown = result if len(result) <= _SHOWN else f"{result[:_SHOWN]}…"
    return (
        f"task_score() finds no score in a result of run {run_id!r}: {shown}. Without task scores "
        "there is no mean, no standard error and no comparison: override it in "
        "runner/benchmark.py."
    )
