"""The outcome of a command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.errors import BenchmarkRunnerError
    from benchmark_runner.schemas import ScoreResult


@dataclass(slots=True)
class Outcome:
    """The state of a run at the end of a command.

    Attributes:
        session: The run.
        config: The content of ``run_config.json``, without the hashes of the tasks.
        chosen: The summary of the chosen tasks.
        overall: The summary of all tasks.
        score: The score, if there is one that is up to date.
        standing: True if that score is from an earlier command.
        stopped_by: The error that stopped the command before everything was done.
        blocked: The tasks whose code blocked the event loop.
        local: True if an embedded service evaluates, in this process or on a port.
    """

    session: Session
    config: RunConfig
    chosen: RunSummary
    overall: RunSummary
    score: ScoreResult | None = None
    standing: bool = False
    stopped_by: BenchmarkRunnerError | None = None
    blocked: list[str] = field(default_factory=list[str])
    local: bool = False
