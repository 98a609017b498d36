"""How a run stands that is only looked at, in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmark_runner._text import age
from benchmark_runner.cli.output.dry_run import groups_as_json, groups_in_words
from benchmark_runner.cli.output.totals import (
    cost_line,
    error_text,
    failure_lines,
    interval_lines,
    score_lines,
    tasks_text,
)
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results.json_facts import (
    config_facts,
    failure_facts,
    grader_facts,
    interval_facts,
)
from benchmark_runner.results.phrases import first_of, missing_text, token_text
from benchmark_runner.results.task_row import TaskState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmark_runner.cli.inspect import Inspection
    from benchmark_runner.results.run_scan import RunScan
    from benchmark_runner.results.run_view import RunView

_RAN_OUT = (TaskState.TIMED_OUT, TaskState.OUT_OF_TURNS)


@dataclass(frozen=True, slots=True)
class Standing:
    """What ``status`` says of a run.

    Attributes:
        view: The run.
        reading: Its tasks, all taken.
        resume: The command that goes on with it.
        evaluate: The one that has graded what the resume leaves ungraded, if it leaves anything.
        retry_timeouts: The one that generates again what ran out of time or turns, if any did.
    """

    view: RunView
    reading: RunScan
    resume: str
    evaluate: str | None
    retry_timeouts: str | None


def standing_of(inspection: Inspection, view: RunView) -> Standing:
    """Read how a run stands.

    Raises:
        RunnerDefinitionError: the author's ``task_score()`` fails.
    """
    of_problem = view.config.task_source == "problem"
    # A resume leaves ungraded what the last invocation left so.
    skips_eval = view.config.operational.get("skip_eval") is True and not of_problem
    reading = view.scan(skip_eval=skips_eval).finish()
    ran_out = any(reading.states[state] for state in _RAN_OUT) and not of_problem
    ungraded = skips_eval and bool(reading.summary.without_eval)
    return Standing(
        view,
        reading,
        resume=inspection.commands.resume(view.config),
        evaluate=inspection.commands.evaluate(view.config) if ungraded else None,
        retry_timeouts=inspection.commands.resume(view.config, "--retry-timeouts")
        if ran_out
        else None,
    )


def in_words(standing: Standing) -> Iterator[str]:
    """Say it in lines for a person."""
    view, reading = standing.view, standing.reading
    config, summary = view.config, reading.summary
    now = datetime.now(UTC)
    yield f"Run {view.run_id}"
    yield f"  model    {config.model}"
    yield f"  tasks    {tasks_text(config, config.tasks)}"
    yield f"  results  {short_path(view.artifacts.run_dir)}"
    if summary.graded:
        yield f"  graded   by {'; '.join(map(str, summary.graded))}"
    started = f"{view.started_at:%Y-%m-%d %H:%M} UTC"
    ended = reading.last_ended
    what, when = ("result", ended) if ended else ("worked on", view.last_invoked_at)
    yield f"  started  {started}; last {what} {age((now - when).total_seconds())} ago"
    yield from _score_in_words(standing)
    yield f"Tasks    {first_of(config) or len(config.tasks)}"
    for state, count in reading.states.items():
        if count:
            yield f"  {count:>6} {state}"
    yield from failure_lines(summary, view.artifacts)
    if summary.spend.dollars:
        yield cost_line(summary.spend)
    if tokens := token_text(reading.tokens):
        yield f"Tokens   {tokens}"
    for path in reading.unreadable:
        yield f"Can't be read: {short_path(path)}"
    yield "A resume would"
    yield from groups_in_words(reading.plan.grouped())
    if standing.evaluate:
        yield f"Grade    {standing.evaluate}"
    if standing.retry_timeouts:
        yield f"Retry    {standing.retry_timeouts}"
    if config.task_source == "problem" and reading.plan.generate:
        yield "To generate again, give run --problem FILE TASK_ID as before."
    yield f"Resume   {standing.resume}"


def as_json(standing: Standing) -> dict[str, object]:
    """The same for ``--json``, with all ids."""
    view, reading = standing.view, standing.reading
    config, summary, score = view.config, reading.summary, reading.score
    bounds = summary.bounds
    return {
        "run_id": view.run_id,
        "results_dir": str(view.artifacts.results_dir),
        "local": view.local,
        "complete": summary.complete,
        "final_score": score.final_score if score else None,
        "mean": summary.mean,
        "stderr": summary.stderr,
        "interval": interval_facts(summary.interval),
        "counts": summary.counts.model_dump(),
        "states": {state.name.lower(): count for state, count in reading.states.items()},
        **config_facts(config),
        "started_at": view.started_at.isoformat(),
        "last_invoked_at": view.last_invoked_at.isoformat(),
        "first_generation_at": reading.first_started and reading.first_started.isoformat(),
        "last_generation_at": reading.last_ended and reading.last_ended.isoformat(),
        "graded_by": grader_facts(summary),
        "failures": failure_facts(summary),
        "bounds": bounds.model_dump() if bounds else None,
        "cost": summary.spend.dollars,
        "cost_unknown": summary.spend.unknown,
        "tokens": reading.tokens.model_dump(),
        "plan": groups_as_json(reading.plan.grouped()),
        "unreadable": [str(path) for path in reading.unreadable],
        "resume_command": standing.resume,
        "evaluate_command": standing.evaluate,
        "retry_timeouts_command": standing.retry_timeouts,
    }


def _score_in_words(standing: Standing) -> Iterator[str]:
    view, reading = standing.view, standing.reading
    summary = reading.summary
    if (score := reading.score) is not None:
        yield from score_lines(score, summary)
        return
    why = missing_text(summary, errors=True)
    if view.score_on_disk is not None:
        why = "the one on disk does not sum the grades on disk"
    yield f"No score yet{f': {why}' if why else ''}"
    if summary.mean is not None:
        local = "  [local]" if view.local else ""
        yield f"Mean     {summary.mean:.4g}{error_text(summary)} so far{local}"
        yield from interval_lines(summary)
