"""What a command learns of a run while it finds out what is left to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark_runner._progress.tally import RunningMean, Spent
from benchmark_runner._run.caps import known_cost
from benchmark_runner._run.plan import Why
from benchmark_runner._run.summary import Summariser, task_value
from benchmark_runner.artifacts.run_folder import EvalsDigest
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import GenerationStatus, TokenUsage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner.artifacts.task_files import TaskFiles
    from benchmark_runner.base import BenchmarkRunner


_GRADED = (Why.GRADED, Why.DID_NOT_COMPLETE)
_DONE = (*_GRADED, Why.GENERATED)
_NO_USAGE = TokenUsage()


@dataclass(slots=True)
class Before:
    """How a run stands before anything is done.

    Attributes:
        scores: The scores of the chosen tasks that need nothing more.
        timed_out: Those of them that ran out of time.
        spent: What all generations of the run took, those of earlier attempts included.
    """

    scores: RunningMean = field(default_factory=RunningMean)
    timed_out: int = 0
    spent: Spent = field(default_factory=Spent)


class Survey:
    """Looks at each task that is planned, so that a run with nothing to do is read once.

    Args:
        runner: The author's runner.
        chosen: The tasks that are worked on; all, if left out.
        is_new: Whether the run is: then there is nothing before.

    Attributes:
        before: How the run stands.
    """

    def __init__(
        self,
        runner: BenchmarkRunner,
        chosen: Sequence[str] | None = None,
        *,
        is_new: bool = False,
    ) -> None:
        self._runner = runner
        self._is_new = is_new
        self._chosen = None if chosen is None else frozenset(chosen)
        self.before = Before()
        self._digest = EvalsDigest()
        self._summariser: Summariser | None = Summariser(runner)

    def look_at(self, task: TaskFiles, plan: Plan) -> None:
        """Take one task into account.

        Args:
            task: The task.
            plan: What is left to do, of this task and of those before.
        """
        if plan:  # how the run stands now is soon over
            self._summariser = None
        score: float | None = None
        try:
            if self._summariser is not None:
                score = self._summariser.add(task)
            elif _is_for(_GRADED, task, plan) and task.result is not None:
                score = task_value(self._runner, task.result)
        except RunnerDefinitionError:  # whoever needs the summary runs into it again
            self._summariser = None
        if not self._is_new:
            self._note_before(task, score, is_done=_is_for(_DONE, task, plan))
        self._digest.add(task.task_id, task.eval_content)

    def _note_before(self, task: TaskFiles, score: float | None, *, is_done: bool) -> None:
        generation, before = task.generation, self.before
        for paid in (*task.earlier_generations, generation):
            if paid is not None:
                usage = paid.usage or _NO_USAGE
                before.spent.add(known_cost(paid), usage.input, usage.output)
        is_chosen = self._chosen is None or task.task_id in self._chosen
        if generation is not None and is_done and is_chosen:
            before.timed_out += generation.status is GenerationStatus.MAX_TIME
            if score is not None:
                before.scores.add(score)

    @property
    def evals_hash(self) -> str:
        """SHA-256 over the evals."""
        return self._digest.hexdigest()

    @property
    def summary(self) -> RunSummary | None:
        """How the run stands; ``None`` if something is left to do."""
        return None if self._summariser is None else self._summariser.summary()


def _is_for(reasons: Sequence[Why], task: TaskFiles, plan: Plan) -> bool:
    """Whether it is for one of these that the task which was planned last is left alone."""
    return any(plan.why[why][-1] == task.task_id for why in reasons if why in plan.why)
