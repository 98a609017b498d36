"""The first and the last event of a command."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from benchmark_runner._progress.events import InvocationEnded, InvocationStarted
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.errors import describe

if TYPE_CHECKING:
    from benchmark_runner._run.baseline import Baseline
    from benchmark_runner._run.outcome import Outcome
    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner._run.session import Session


def invocation_started(
    session: Session,
    plan: Plan,
    request: RunRequest,
    service: ServiceSettings,
    baseline: Baseline,
) -> InvocationStarted:
    """Return the first event of a command.

    Args:
        session: The run.
        plan: The plan of the command.
        request: The request of the command.
        service: The settings of the service.
        baseline: The state of the run before.
    """
    return InvocationStarted(
        command=request.command,
        pid=os.getpid(),
        host=socket.gethostname(),
        version=installed_version(RUNTIME_DISTRIBUTION),
        model=session.config.model,
        problem=session.source.kind == "problem",
        skip_eval=request.skip_eval,
        parallelism=request.parallelism,
        eval_parallelism=service.eval_parallelism,
        total=len(session.chosen),
        done=plan.done,
        to_generate=len(plan.generate),
        to_evaluate=len(plan.evaluate),
        timed_out=baseline.timed_out,
        scored=baseline.scores.count,
        mean=baseline.scores.mean if baseline.scores.count else None,
        stderr=baseline.scores.stderr,
        cost=baseline.spend.dollars,
        cost_unknown=baseline.spend.unknown,
        input_tokens=baseline.spend.tokens.get("input", 0),
        output_tokens=baseline.spend.tokens.get("output", 0),
    )


def invocation_ended(outcome: Outcome) -> InvocationEnded:
    """Return the last event of a command."""
    overall, score, stopped_by = outcome.overall, outcome.score, outcome.stopped_by
    finished = "complete" if overall.complete else "incomplete"
    return InvocationEnded(
        outcome="stopped" if stopped_by is not None else finished,
        error=None if stopped_by is None else describe(stopped_by),
        final_score=score.final_score if score is not None else None,
        mean=overall.mean,
        stderr=overall.stderr,
    )
