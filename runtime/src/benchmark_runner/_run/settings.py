"""The step of a command in which tasks are generated and graded, and what it tells listeners."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from benchmark_runner._progress.events import InvocationEnded, InvocationStarted
from benchmark_runner._run.engine import Engine, EngineSettings
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.errors import describe

if TYPE_CHECKING:
    from benchmark_runner._progress.listeners import Listeners
    from benchmark_runner._run.baseline import Baseline
    from benchmark_runner._run.caps import Caps
    from benchmark_runner._run.graded_by import GradedBy
    from benchmark_runner._run.plan import Plan
    from benchmark_runner._run.session import Session
    from benchmark_runner._run.workflow import Outcome, WorkSettings
    from benchmark_runner._versions import Code


def make_engine(
    session: Session,
    settings: WorkSettings,
    listeners: Listeners,
    *,
    by: GradedBy,
    local: bool,
    code: Code,
    caps: Caps,
) -> Engine:
    """Make what carries out a plan, so that the listeners hear of each step.

    Args:
        session: The run.
        settings: How to work.
        listeners: Are told.
        by: Who grades.
        local: Whether that is an embedded service.
        code: The runner's code.
        caps: When to start no new task.
    """
    if not settings.skip_eval:
        session.runner.service.on_retry = listeners.tell_of_retry
    return Engine(
        session.runner,
        session.artifacts,
        EngineSettings(
            model=session.config.model,
            llm_config=session.llm_config,
            parallelism=settings.parallelism,
            eval_parallelism=settings.eval_parallelism,
            timeout=settings.timeout,
            eval_deadline=settings.eval_deadline,
            skip_eval=settings.skip_eval,
            graded_by=by,
            local=local,
            code=code,
            caps=caps,
        ),
        listeners.tell,
    )


def beginning(
    session: Session, plan: Plan, settings: WorkSettings, before: Baseline
) -> InvocationStarted:
    """What listeners are told first.

    Args:
        session: The run.
        plan: What is left to do.
        settings: How to work.
        before: How the run stood.
    """
    return InvocationStarted(
        command=settings.command,
        pid=os.getpid(),
        host=socket.gethostname(),
        version=installed_version(RUNTIME_DISTRIBUTION),
        model=session.config.model,
        problem=session.source.kind == "problem",
        skip_eval=settings.skip_eval,
        parallelism=settings.parallelism,
        eval_parallelism=settings.eval_parallelism,
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
