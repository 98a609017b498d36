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
    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.service_settings import ServiceSettings
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.workflow import Outcome


def beginning(
    session: Session,
    plan: Plan,
    request: RunRequest,
    service: ServiceSettings,
    before: Baseline,
) -> InvocationStarted:
    """What listeners are told first.

    Args:
        session: The run.
        plan: What is left to do.
        request: What a person asked for.
        service: How to reach the service.
        before: How the run stood.
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
        timed_out=before.timed_out,
        scored=before.scores.count,
        mean=before.scores.mean if before.scores.count else None,
        stderr=before.scores.stderr,
        cost=before.spend.dollars,
        cost_unknown=before.spend.unknown,
        input_tokens=before.spend.tokens.get("input", 0),
        output_tokens=before.spend.tokens.get("output", 0),
    )


def ending(outcome: Outcome) -> InvocationEnded:
    """What listeners are told last."""
    overall, score, stopped_by = outcome.overall, outcome.score, outcome.stopped_by
    finished = "complete" if overall.complete else "incomplete"
    return InvocationEnded(
        outcome="stopped" if stopped_by is not None else finished,
        error=None if stopped_by is None else describe(stopped_by),
        final_score=score.final_score if score is not None else None,
        mean=overall.mean,
        stderr=overall.stderr,
    )
