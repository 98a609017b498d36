"""What a command learns of a run while it finds out what is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner.artifacts import EvalsDigest
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.summary import Summariser

if TYPE_CHECKING:
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.planning import Plan
    from benchmark_runner.summary import RunSummary
    from benchmark_runner.task_files import TaskFiles


class Survey:
    """Looks at each task that is planned, so that a run with nothing to do is read once.

    Args:
        runner: The author's runner.
    """

    def __init__(self, runner: BenchmarkRunner) -> None:
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
        if self._summariser is not None:
            try:
                self._summariser.add(task)
            except RunnerDefinitionError:  # whoever needs the summary runs into it again
                self._summariser = None
        self._digest.add(task.task_id, task.eval_content)

    @property
    def evals_hash(self) -> str:
        """SHA-256 over the evals."""
        return self._digest.hexdigest()

    @property
    def summary(self) -> RunSummary | None:
        """How the run stands; ``None`` if something is left to do."""
        return None if self._summariser is None else self._summariser.summary()
