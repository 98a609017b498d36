"""How a run stands, in words and as JSON, and the exit code that says the same."""

from __future__ import annotations

from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner.artifacts import BLOCKED_LOG, EVAL_TRACEBACK_LOG, TRACEBACK_LOG
from benchmark_runner.cli.output import error_content
from benchmark_runner.cli.shell import short_path
from benchmark_runner.errors import some_ids
from benchmark_runner.schemas import Phase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmark_runner.planning import Plan
    from benchmark_runner.schemas import ScoreCounts, ScoreResult
    from benchmark_runner.session import Session
    from benchmark_runner.summary import FailureGroup, RunSummary
    from benchmark_runner.workflow import Outcome, WorkSettings

_MAX_GROUPS = 5


def exit_code(outcome: Outcome, settings: WorkSettings) -> int:
    """0 when what was asked is done, else 1."""
    if outcome.stopped_by is not None:
        return 1
    chosen = outcome.chosen
    match settings.command:
        case "run" if settings.skip_eval:
            done = not chosen.without_generation and not _failed(chosen, Phase.GENERATE)
        case "run":
            done = chosen.complete
        case "evaluate":
            done = not chosen.without_eval and not chosen.failures
        case "score":
            done = outcome.score is not None
    return 0 if done else 1


def as_json(outcome: Outcome, settings: WorkSettings, resume_command: str) -> dict[str, object]:
    """What ``--json`` prints of a run."""
    session, score = outcome.session, outcome.score
    content: dict[str, object] = {
        "run_id": session.config.run_id,
        "results_dir": str(session.artifacts.results_dir),
        "local": outcome.local,
        "complete": outcome.overall.complete,
        "final_score": score.final_score if score else None,
        "mean": outcome.overall.mean,
        "stderr": outcome.overall.stderr,
        "counts": outcome.overall.counts.model_dump(),
        "limit": session.config.limit,
        "dataset_size": session.config.dataset_size,
        "failures": [
            {
                "phase": group.phase,
                "kind": group.kind,
                "retryable": group.retryable,
                "error": group.error,
                "hint": group.hint,
                "task_ids": group.task_ids,
            }
            for group in outcome.overall.failures
        ],
        "bounds": score.bounds.model_dump() if score and score.bounds else None,
        "cost": outcome.overall.costs.dollars,
        "cost_unknown": outcome.overall.costs.unknown,
        "blocked": outcome.blocked,
        "set_aside": [str(path) for path in session.artifacts.set_aside],
        "resume_command": resume_command,
    }
    if outcome.stopped_by is not None:
        content["error"] = error_content(outcome.stopped_by)
    elif settings.command == "score" and score is None:
        content["error"] = {
            "type": "IncompleteRun",
            "message": _why_no_score(outcome, settings),
            "hint": "Complete it with resume_command, or give --force.",
        }
    return content


def opening(session: Session, plan: Plan, settings: WorkSettings, *, local: bool) -> Iterator[str]:
    """Say which run this is and what is left to do, before any of it is done."""
    config = session.config
    doing = {"evaluate": "Grading", "score": "Scoring"}
    start = doing.get(settings.command, "Resuming" if session.resumed else "Starting")
    yield f"{start} run {config.run_id}"
    yield f"  model    {config.model}"
    yield f"  tasks    {_tasks_in_words(session)}"
    yield f"  results  {short_path(session.artifacts.run_dir)}"
    if not settings.skip_eval:
        by = "on this machine" if settings.local else f"by {session.runner.service.base_url}"
        embedded = ", by the local service: not an official score" if local else ""
        yield f"  grading  {by}{embedded}"
    if session.resumed and settings.command != "score":
        to_generate = f"{len(plan.generate)} to generate, " if settings.command == "run" else ""
        yield f"  to do    {to_generate}{len(plan.evaluate)} to grade, {plan.done} done before"


def closing(outcome: Outcome, settings: WorkSettings, resume_command: str) -> Iterator[str]:
    """Say how the run stands, what went wrong, and how to go on."""
    summary, session = outcome.overall, outcome.session
    if outcome.score is not None:
        yield from _score_lines(outcome, outcome.score)
    yield f"Tasks    {_counts_in_words(summary.counts, session)}"
    for group in summary.failures[:_MAX_GROUPS]:
        yield from _failure_lines(group, session)
    if (hidden := len(summary.failures) - _MAX_GROUPS) > 0:
        yield f"  … and {hidden} more kinds of failure"
    yield from _cost_lines(outcome, settings)
    if outcome.blocked:
        yield f"Kept everything else waiting: {some_ids(outcome.blocked)}"
        log = session.artifacts.agent_logs_dir(outcome.blocked[0]) / BLOCKED_LOG
        yield f"  generate() must await, or be a plain def; where it was: {short_path(log)}"
    for path in session.artifacts.set_aside:
        yield f"Set aside, because it could not be read: {short_path(path)}"
    if not settings.skip_eval and outcome.score is None:
        yield _why_no_score(outcome, settings)
    yield f"Results  {short_path(session.artifacts.run_dir)}"
    yield f"Resume   {resume_command}"


def _score_lines(outcome: Outcome, score: ScoreResult) -> Iterator[str]:
    summary = outcome.overall
    notes = ["local"] if score.local else []
    if not score.complete:
        notes.append("incomplete, missing tasks count 0")
    if outcome.standing:
        notes.append("from before")
    marks = f"  [{'; '.join(notes)}]" if notes else ""
    if summary.mean is None or not isclose(summary.mean, score.final_score, abs_tol=1e-9):
        yield f"Score    {score.final_score:.4g}{marks}"
        if summary.mean is None:
            yield "         no standard error: no task has a numeric score"
        else:
            yield f"Mean     {summary.mean:.4g}{_error_in_words(summary)} of the tasks' scores"
    else:
        yield f"Score    {score.final_score:.4g}{_error_in_words(summary)}{marks}"
    if not score.complete and (bounds := score.bounds) is not None:
        low, high = f"{bounds.errors_as_0:.4g}", f"{bounds.errors_as_1:.4g}"
        yield f"Bounds   {low} to {high}: the mean with what has no grade as 0, and as 1"


def _cost_lines(outcome: Outcome, settings: WorkSettings) -> Iterator[str]:
    costs = outcome.overall.costs
    if settings.max_cost is None and not costs.dollars:
        return
    unknown = f"; not known of {costs.unknown} generation(s)" if costs.unknown else ""
    yield f"Cost     ${costs.dollars:.2f}{unknown}"


def _error_in_words(summary: RunSummary) -> str:
    count = len(summary.scores)
    if summary.stderr is None:
        return " (no standard error: fewer than 2 scored tasks)"
    return f" ± {summary.stderr:.2g} (standard error, n={count})"


def _tasks_in_words(session: Session) -> str:
    config, count = session.config, len(session.config.tasks)
    match config.task_source:
        case "problem":
            return f"{some_ids(session.chosen)}, from --problem"
        case "service":
            origin = f"dataset {config.dataset_name}"
        case "file":
            file = config.dataset_file
            origin = short_path(Path(file)) if file else "load_tasks()"
    number = f"first {count} of {config.dataset_size}" if config.limit else str(count)
    if len(session.chosen) < count:
        number = f"{len(session.chosen)} chosen of {number}"
    return f"{number}, from {origin}"


def _counts_in_words(counts: ScoreCounts, session: Session) -> str:
    config = session.config
    whole = f"first {counts.total} of {config.dataset_size}" if config.limit else counts.total
    return (
        f"{whole}: {counts.attempted} attempted, {counts.scored} scored, "
        f"{counts.max_time} timed out, {counts.max_turns} out of turns, {counts.error} failed"
    )


def _failure_lines(group: FailureGroup, session: Session) -> Iterator[str]:
    phase = {Phase.GENERATE: "Generation", Phase.EVALUATE: "Grading"}[group.phase]
    count = len(group.task_ids)
    yield f"{phase} failed for {count} task{'s' if count > 1 else ''}: {some_ids(group.task_ids)}"
    yield f"  {group.error}"
    if group.kind is not None:
        again = "worth another try" if group.retryable else "another try would end the same way"
        yield f"  [{group.kind.replace('_', ' ')}; {again}]"
    if group.hint is not None:
        yield f"  {group.hint}"
    name = TRACEBACK_LOG if group.phase is Phase.GENERATE else EVAL_TRACEBACK_LOG
    log = session.artifacts.agent_logs_dir(group.task_ids[0]) / name
    if log.is_file():
        yield f"  traceback in {short_path(log)}"


def _why_no_score(outcome: Outcome, settings: WorkSettings) -> str:
    summary = outcome.overall
    missing = len(summary.without_generation)
    ungraded = len(summary.without_eval)
    parts = [f"{missing} not generated"] if missing else []
    parts += [f"{ungraded} not graded"] if ungraded else []
    parts += [f"{summary.counts.error} failed"] if summary.counts.error else []
    reasons = ", ".join(parts) or "the service did not give one"
    if settings.command == "score" and parts:
        return f"No score written: {reasons}. --force scores it all the same."
    return f"No score yet: {reasons}"


def _failed(summary: RunSummary, phase: Phase) -> bool:
    return any(group.phase is phase for group in summary.failures)
