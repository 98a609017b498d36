"""The state of a run before a command changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._run.plan import Reason
from benchmark_runner._run.score import EvalsDigest
from benchmark_runner._run.summary import Summaries, task_value
from benchmark_runner._stats.means import RunningMean
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Collection

    from benchmark_runner._run.plan import Plan, Planner
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.base import BenchmarkRunner

_GRADED = frozenset({Reason.GRADED, Reason.DID_NOT_COMPLETE})
_DONE = _GRADED | {Reason.GENERATED}


class Baseline:
    """The plan and the totals of a run, collected in one pass over its tasks.

    Args:
        runner: The author's runner.
        planner: Plans each task.
        chosen: The tasks that the command is for; ``None`` for all.

    Attributes:
        scores: The scores of the chosen tasks that need nothing more.
        timed_out: Number of those that ran out of time.
        spend: The cost and tokens of all generations of the run, earlier attempts included.
    """

    def __init__(
        self, runner: BenchmarkRunner, planner: Planner, chosen: Collection[str] | None = None
    ) -> None:
        self._runner = runner
        self._planner = planner
        self._chosen = None if chosen is None else frozenset(chosen)
        self._digest = EvalsDigest()
        summaries = Summaries(runner, chosen)
        self._summaries: Summaries | None = summaries
        self.scores = RunningMean()
        self.timed_out = 0
        self.spend = summaries.spend

    def add(self, task: TaskFiles) -> None:
        """Take one task into account."""
        reason = self._planner.add(task)
        if self.plan:  # the summaries would soon be out of date
            self._summaries = None
        if self._summaries is None:  # else they add to it
            self._add_spend(task)
        score = self._score_of(task, reason)
        if reason in _DONE and (self._chosen is None or task.task_id in self._chosen):
            self._add_done(task, score)
        self._digest.add(task)

    @property
    def plan(self) -> Plan:
        """The plan of all tasks of the run."""
        return self._planner.plan

    @property
    def evals_hash(self) -> str:
        """SHA-256 over the evals."""
        return self._digest.hexdigest()

    @property
    def summaries(self) -> tuple[RunSummary, RunSummary] | None:
        """The summaries of all and of the chosen tasks; ``None`` if something is left to do."""
        return None if self._summaries is None else self._summaries.result()

    def _score_of(self, task: TaskFiles, reason: Reason) -> float | None:
        try:
            if self._summaries is not None:
                return self._summaries.add(task)
            if reason in _GRADED and task.evaluation is not None:
                return task_value(self._runner, task.evaluation)
        except RunnerDefinitionError:  # raised again where the summaries are needed
            self._summaries = None
        return None

    def _add_spend(self, task: TaskFiles) -> None:
        for generation in (*task.earlier_generations, task.generation):
            if generation is not None:
                self.spend.add_generation(generation)

    def _add_done(self, task: TaskFiles, score: float | None) -> None:
        generation = task.generation
        self.timed_out += generation is not None and generation.status is GenerationStatus.MAX_TIME
        if score is not None:
            self.scores.add(score)
