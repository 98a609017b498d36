"""The scores, costs and times of a finished run, from which a study is planned."""

from dataclasses import dataclass

from benchmark_runner.errors import UsageError
from benchmark_runner.results.phrases import missing_text, without_score_text
from benchmark_runner.results.run_view import RunView

__all__ = ["RecordedRun", "read_recorded"]


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A finished run, as far as a plan needs it.

    Attributes:
        view: The run.
        scores: The scores of the repeats of each task.
        costs: The cost of each generation that has one, with the attempts before it.
        seconds: The time in ``generate()`` of each generation that has one.
        generations: Number of generations.
    """

    view: RunView
    scores: dict[str, list[float]]
    costs: list[float]
    seconds: list[float]
    generations: int

    @property
    def parallelism(self) -> int | None:
        """The number of generations at a time in its last command; ``None`` if not recorded."""
        recorded = self.view.config.operational.get("parallelism")
        return recorded if isinstance(recorded, int) and recorded > 0 else None

    @property
    def dataset_size(self) -> int | None:
        """The number of tasks in its dataset; ``None`` if each came by itself."""
        config = self.view.config
        return None if config.task_source == "problem" else config.dataset_size or len(config.tasks)


def read_recorded(view: RunView, resume: str) -> RecordedRun:
    """Read a finished run.

    Args:
        view: The run.
        resume: The command that finishes it, for the message if it is not.

    Raises:
        UsageError: it is not finished, or it has no scores.
    """
    scan = view.scan()
    scores: dict[str, list[float]] = {}
    costs, seconds = list[float](), list[float]()
    for row in scan:
        if row.score is not None:
            scores.setdefault(row.task_id, []).append(row.score)
        if row.cost is not None:
            costs.append(row.cost + (row.cost_of_earlier_attempts or 0.0))
        if row.generation_seconds is not None:
            seconds.append(row.generation_seconds)
    if not scan.summary.complete:
        raise UsageError(
            f"run {view.run_id!r} is not finished: {missing_text(scan.summary, errors=True)}",
            hint=f"Name a finished run, or finish it: {resume}",
        )
    if why := without_score_text(scan.summary):
        raise UsageError(
            f"run {view.run_id!r} tells nothing about scores: {why}",
            hint="Let task_score() in runner/benchmark.py find one in each result.",
        )
    return RecordedRun(view, scores, costs, seconds, scan.summary.counts.attempted)
