"""One pass over the tasks of a run: a row for each, then the totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._run.plan import Plan, Planner
from benchmark_runner._run.scan import scan
from benchmark_runner._run.score import EvalsDigest, is_current
from benchmark_runner._run.summary import Summariser
from benchmark_runner.results.task_row import TaskState, make_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.results.task_row import TaskRow
    from benchmark_runner.schemas import ScoreResult, TokenUsage

__all__ = ["RunScan"]


class RunScan:
    """A pass over the tasks of a run, one at a time: iterate, then ask for the totals.

    The totals are those of the tasks read so far. Iterating again starts over.

    Args:
        artifacts: The files of the run.
        task_ids: Its tasks.
        runner: The author's runner, for ``task_score()``.
        load_score: Returns the content of ``final_score.json``.
        skip_eval: Plan a resume that generates only.

    Attributes:
        plan: The plan of a resume, as far as the files tell.
        states: Number of tasks in each state.
        first_started: The time the first generation began; ``None`` if not recorded.
        last_ended: The time the last generation ended; ``None`` if not recorded.
    """

    def __init__(
        self,
        artifacts: RunArtifacts,
        task_ids: Sequence[str],
        runner: BenchmarkRunner,
        load_score: Callable[[], ScoreResult | None],
        *,
        skip_eval: bool = False,
    ) -> None:
        self._artifacts = artifacts
        self._task_ids = task_ids
        self._runner = runner
        self._load_score = load_score
        self._skip_eval = skip_eval
        self._start(Plan())

    def __iter__(self) -> Iterator[TaskRow]:
        """Yield a row for each task, in the run's order.

        Raises:
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        return (row for row, _ in self.with_files())

    def with_files(self) -> Iterator[tuple[TaskRow, TaskFiles]]:
        """Yield each row with the files of its task, which hold the long texts."""
        planner = Planner(skip_eval=self._skip_eval)
        self._start(planner.plan)
        for task in scan(self._artifacts, self._task_ids, planner):
            score = self._summariser.add(task)
            self._digest.add(task)
            row = make_row(task, score)
            self._note_times(row)
            self.states[row.state] += 1
            yield row, task

    def finish(self) -> RunScan:
        """Read all tasks, for the totals."""
        for _ in self:
            pass
        return self

    @property
    def summary(self) -> RunSummary:
        """The summary of the tasks: counts, mean, spend, failures, graders."""
        return self._summariser.summary()

    @property
    def tokens(self) -> TokenUsage:
        """The tokens of all generations by class, earlier attempts included.

        ``None`` for a class that no generation recorded.
        """
        return self.summary.spend.usage

    @property
    def score(self) -> ScoreResult | None:
        """The score on disk if it sums the evals on disk, also one that was forced."""
        score = self._load_score()
        return score if score is not None and is_current(score, self._digest.hexdigest()) else None

    @property
    def unreadable(self) -> list[Path]:
        """The files that can't be read."""
        return [*dict.fromkeys(self._artifacts.set_aside)]

    def _start(self, plan: Plan) -> None:
        self._summariser = Summariser(self._runner)
        self._digest = EvalsDigest()
        self.plan = plan
        self.states = dict.fromkeys(TaskState, 0)
        self.first_started: datetime | None = None
        self.last_ended: datetime | None = None

    def _note_times(self, row: TaskRow) -> None:
        started, ended = row.started_at, row.ended_at
        if started is not None:
            self.first_started = min(started, self.first_started or started)
        if ended is not None:
            self.last_ended = max(ended, self.last_ended or ended)
