"""The state of a run at the end of a command, for its last lines and its last event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark_runner._progress.events import InvocationEnded
from benchmark_runner.errors import BenchmarkRunnerError, describe

if TYPE_CHECKING:
    from benchmark_runner._run.question import QuestionVerdict
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.schemas import ScoreResult, TaskRepeat


@dataclass(slots=True)
class Outcome:
    """The state of a run at the end of a command.

    Attributes:
        config: The content of ``run_config.json``, without the hashes of the tasks.
        chosen: The summary of the chosen tasks.
        overall: The summary of all tasks.
        score: The score, if there is one that is up to date.
        standing: True if that score is from an earlier command.
        blocked: The tasks whose code blocked the event loop.
        masked: The tasks in whose answers a key was masked before they were graded.
        warnings: Errors of the author's code that changed no result.
        local: True if an embedded service evaluates, in this process or on a port.
        verdict: The answer to the run's question so far, if it has one.
    """

    session: Session
    config: RunConfig
    chosen: RunSummary
    overall: RunSummary
    score: ScoreResult | None = None
    standing: bool = False
    stopped_by: BenchmarkRunnerError | None = None
    blocked: list[TaskRepeat] = field(default_factory=list["TaskRepeat"])
    masked: list[TaskRepeat] = field(default_factory=list["TaskRepeat"])
    warnings: list[str] = field(default_factory=list[str])
    local: bool = False
    verdict: QuestionVerdict | None = None

    def event(self) -> InvocationEnded:
        """Return the last event of the command."""
        finished = "complete" if self.overall.complete else "incomplete"
        return InvocationEnded(
            outcome="stopped" if self.stopped_by is not None else finished,
            error=None if self.stopped_by is None else describe(self.stopped_by),
            final_score=self.score.final_score if self.score is not None else None,
            mean=self.overall.mean,
            stderr=self.overall.stderr,
        )
