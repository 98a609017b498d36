"""The plan and the totals of a run before a command."""

from collections.abc import Collection

from benchmark_runner._run.plan import Planner, Reason
from benchmark_runner._run.question import Question
from benchmark_runner._run.run_spend import RunSpend
from benchmark_runner._run.score import EvalsDigest
from benchmark_runner._run.summary import RunSummary, Summaries
from benchmark_runner._run.task_value import task_value
from benchmark_runner._stats.means import RunningMean
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import GenerationStatus

_GRADED = frozenset({Reason.GRADED, Reason.DID_NOT_COMPLETE})
_DONE = _GRADED | {Reason.GENERATED}


class Inventory:
    """The plan and the totals of a run before a command, collected in one pass over its tasks.

    Without ``chosen`` tasks, the command is for all. The run's ``question`` gets the scores.

    Attributes:
        plan: The plan of all tasks of the run.
        scores: The scores of the chosen tasks that need nothing more.
        without_score: Number of those that are evaluated without a score.
        timed_out: Number of those that ran out of time.
        spend: The cost and tokens of all generations of the run, earlier attempts included.
    """

    def __init__(
        self,
        runner: BenchmarkRunner,
        planner: Planner,
        chosen: Collection[str] | None = None,
        question: Question | None = None,
    ) -> None:
        self._runner = runner
        self._planner = planner
        self.plan = planner.plan
        self._chosen = None if chosen is None else frozenset(chosen)
        self._digest = EvalsDigest()
        self._question = question
        self._summaries: Summaries | None = Summaries(runner, chosen)
        self.scores = RunningMean()
        self.without_score = 0
        self.timed_out = 0
        self.spend = RunSpend()

    def add(self, task: TaskFiles) -> None:
        """Take one task into account."""
        reason = self._planner.add(task)
        if self.plan:  # the summaries would soon be out of date
            self._summaries = None
        for paid in task.generations:
            self.spend.add_generation(paid)
        score = self._score_of(task, reason)
        if self._question is not None and reason in _GRADED:
            self._question.add(task.key, score, graded=reason is Reason.GRADED)
        if reason in _DONE and (self._chosen is None or task.task_id in self._chosen):
            status = task.generation.status if task.generation is not None else None
            self.timed_out += status is GenerationStatus.MAX_TIME
            if score is not None:
                self.scores.add(score)
            self.without_score += score is None and reason is Reason.GRADED
        self._digest.add(task)

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
