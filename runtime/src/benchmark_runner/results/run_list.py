"""The runs in a results folder, with the few numbers that a list shows."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import BenchmarkRunnerError, UsageError
from benchmark_runner.results.reduced_score import ReducedScore, check_repeats, reduce_run
from benchmark_runner.results.run_view import RunScan, RunView, modified_at, open_view, run_ids
from benchmark_runner.results.verdict_text import answer_text
from benchmark_runner.schemas import ScoreResult

__all__ = ["RunOverview", "list_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverview:
    """One run in a list.

    Attributes:
        run_id: The id of the run.
        started_at: The time it began; the time its folder last changed if not recorded.
        config: Its settings and tasks, without the hashes of the tasks; ``None`` if unreadable.
        total: Number of generations: one for each repeat of each task.
        done: Number of those that need nothing more.
        generated: Number of those that there are, of any status.
        complete: True if each has a grade, or ran out of time or turns.
        local: True if the embedded service evaluates the run; ``None`` if not recorded.
        score: The final score, if there is one.
        mean: Mean of the task scores, if there are any.
        stderr: Standard error of that mean.
        reduced: The score by another reduction than the mean, if one was asked for and the run
            has as many repeats, and such scores.
        answer: The answer to its question if that is settled, and the run is not complete.
        error: The error that kept the run from being read.
    """

    run_id: str
    started_at: datetime
    config: RunConfig | None = None
    total: int = 0
    done: int = 0
    generated: int = 0
    complete: bool = False
    local: bool | None = None
    score: float | None = None
    mean: float | None = None
    stderr: float | None = None
    reduced: ReducedScore | None = None
    answer: str | None = None
    error: BenchmarkRunnerError | None = None


def list_runs(
    results_dir: Path | str,
    runner: BenchmarkRunner | type[BenchmarkRunner],
    reduction: Reduction = MEAN,
) -> list[RunOverview]:
    """Return an overview of each run in a folder, the newest first.

    No task is read of a run whose ``final_score.json`` says that all of its tasks are done,
    unless another ``reduction`` than the mean is asked for:
    commands remove that file before they change a grade. Changes made by hand show in
    :class:`~benchmark_runner.results.RunScan`.

    Args:
        results_dir: The folder that holds a folder for each run.
        runner: The author's runner class, or an instance, for ``task_score()``.
        reduction: Another way to score a task by its repeats, beside the mean.

    Raises:
        ArtifactError: the folder can't be read. An error in one run is in its ``error``.
    """
    runs = [_overview(results_dir, run_id, runner, reduction) for run_id in run_ids(results_dir)]
    return sorted(runs, key=lambda run: (run.started_at, run.run_id), reverse=True)


def _overview(
    results_dir: Path | str,
    run_id: str,
    runner: BenchmarkRunner | type[BenchmarkRunner],
    reduction: Reduction,
) -> RunOverview:
    try:
        return _overview_of(open_view(results_dir, run_id, runner), reduction)
    except BenchmarkRunnerError as error:
        changed_at = modified_at(Path(results_dir) / run_id)
        return RunOverview(run_id=run_id, started_at=changed_at, error=error)


def _covers(score: ScoreResult, config: RunConfig) -> bool:
    """Return True if a score tells of all tasks.

    One of 0 does not where an earlier version of the framework may have asked in another shape.
    """
    return bool(
        score.complete
        and score.counts
        and score.counts.total == len(config.tasks) * config.repeats
        and not config.regrade
        and not (score.evals_hash is None and config.created_at is not None)
        and (score.score_submission is not None or score.final_score)
    )


def _overview_of(view: RunView, reduction: Reduction) -> RunOverview:
    # With hundreds of runs, the hashes of all their tasks would fill the memory.
    config, score = view.config.without_hashes(), view.score_on_disk
    total = done = generated = len(config.tasks) * config.repeats
    answer = None
    scan = view.scan()
    reduced = _reduced(scan, reduction, config)
    if score is not None and _covers(score, config):
        complete, mean, stderr = True, score.mean, score.stderr
    else:
        if reduced is None:
            scan.finish()
        done = sum(count for state, count in scan.states.items() if state.is_done)
        score, summary = scan.score, scan.summary
        generated, complete = summary.counts.attempted, summary.complete
        mean, stderr = summary.mean, summary.stderr
        if (verdict := scan.verdict) is not None and not complete:
            answer = answer_text(verdict)
    return RunOverview(
        run_id=view.run_id,
        started_at=view.started_at,
        config=config,
        total=total,
        done=done,
        generated=generated,
        complete=complete,
        local=view.local,
        score=score.final_score if score else None,
        mean=mean,
        stderr=stderr,
        reduced=reduced,
        answer=answer,
    )


def _reduced(scan: RunScan, reduction: Reduction, config: RunConfig) -> ReducedScore | None:
    """Read all tasks, and return the score; ``None`` if they have no such, or for the mean."""
    try:
        check_repeats(reduction, config)
        return None if reduction == MEAN else reduce_run(scan, reduction)
    except UsageError:
        return None
