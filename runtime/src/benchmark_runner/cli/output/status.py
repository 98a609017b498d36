"""The output of ``status``: the state of a run, as text and as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmark_runner._run.until import until_arguments
from benchmark_runner._stats.reduction import Reduction
from benchmark_runner._text import age, plural, some_ids
from benchmark_runner.cli.inspection import Inspection
from benchmark_runner.cli.output.dry_run import group_lines, groups_as_json
from benchmark_runner.cli.output.totals import (
    answer_lines,
    cost_line,
    error_text,
    failure_lines,
    interval_lines,
    reduced_lines,
    score_lines,
    service_lines,
    tasks_text,
)
from benchmark_runner.cli.resume_command import skips_eval
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results.json_facts import (
    config_facts,
    grader_facts,
    summary_facts,
    task_facts,
)
from benchmark_runner.results.phrases import (
    extent_text,
    imported_text,
    legend,
    missing_text,
    number,
    token_text,
    without_score_text,
)
from benchmark_runner.results.reduced_score import ReducedScore, reduce_run
from benchmark_runner.results.run_view import RunScan, RunView
from benchmark_runner.results.task_repeats import TaskRepeats
from benchmark_runner.results.task_row import TaskState
from benchmark_runner.results.verdict_text import unscored_text, verdict_facts, verdict_lines

_RAN_OUT = (TaskState.TIMED_OUT, TaskState.OUT_OF_TURNS)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The state of a run, and the commands that are next.

    Attributes:
        view: The run.
        scan: Its tasks, all read.
        resume: The command that resumes it.
        evaluate: The command that evaluates what the resume leaves out, if that is anything.
        retry_timeouts: The command that regenerates what ran out of time or turns, if any did.
        import_again: The command that imports answers, if some of an imported run are missing.
        reduced: The score by another reduction than the mean, if one was asked for.
        flaky: The tasks whose repeats differ, those that vary most first; ``None`` if not asked.
    """

    view: RunView
    scan: RunScan
    resume: str
    evaluate: str | None
    retry_timeouts: str | None
    import_again: str | None
    reduced: ReducedScore | None
    flaky: list[TaskRepeats] | None


def read_status(
    inspection: Inspection, view: RunView, reduction: Reduction, *, flaky: bool
) -> RunStatus:
    """Read the state of a run, its score by a reduction, and if asked for its flaky tasks.

    Raises:
        UsageError: the reduction is not for scores such as these.
    """
    config = view.config
    of_problem = config.task_source == "problem"
    skips = skips_eval(view.config) and not of_problem
    scan = view.scan(skip_eval=skips)
    differing: list[TaskRepeats] = []

    def note(task: TaskRepeats) -> None:
        if task.is_flaky:
            differing.append(task)

    reduced = reduce_run(scan, reduction, note if flaky else None)
    can_generate = not of_problem and config.imported is None
    ran_out = any(scan.states[state] for state in _RAN_OUT) and can_generate
    ungraded = skips and bool(scan.summary.without_eval)
    missing = bool(scan.summary.without_generation)
    return RunStatus(
        view,
        scan,
        resume=inspection.commands.resume(view.config, *_question_again(scan)),
        evaluate=inspection.commands.evaluate(view.config) if ungraded else None,
        retry_timeouts=inspection.commands.resume(view.config, "--retry-timeouts")
        if ran_out
        else None,
        import_again=inspection.commands.import_again(config) if missing else None,
        reduced=reduced,
        flaky=sorted(differing, key=lambda task: -(task.spread or 0)) if flaky else None,
    )


def _question_again(scan: RunScan) -> list[str]:
    """Return the arguments that ask the run's question again, if it is not settled."""
    verdict = scan.verdict
    is_open = verdict is not None and verdict.side is None and not scan.summary.complete
    return until_arguments(verdict.until) if is_open and verdict is not None else []


def status_lines(status: RunStatus) -> Iterator[str]:
    """Yield the state of a run, a line at a time."""
    view, scan = status.view, status.scan
    config, summary = view.config, scan.summary
    now = datetime.now(UTC)
    yield f"Run {view.run_id}"
    yield f"  model    {config.model}"
    if imported := imported_text(config):
        yield f"  answers  {imported}"
    yield f"  tasks    {tasks_text(config, config.tasks)}"
    yield f"  results  {short_path(view.artifacts.run_dir)}"
    if summary.graded:
        yield f"  evals    by {'; '.join(map(str, summary.graded))}"
    started = f"{view.started_at:%Y-%m-%d %H:%M} UTC"
    ended = scan.last_ended
    what, when = ("result", ended) if ended else ("command", view.last_invoked_at)
    yield f"  started  {started}; last {what} {age((now - when).total_seconds())} ago"
    yield from _score_lines(status)
    yield from reduced_lines(status.reduced)
    generations = len(config.tasks) * config.repeats
    several = f": {plural(generations, 'generation')}" if config.repeats > 1 else ""
    yield f"Tasks    {extent_text(config) or generations}{several}"
    for state, count in scan.states.items():
        if count:
            yield f"  {count:>6} {state}"
    yield from _flaky_lines(status)
    yield from failure_lines(summary, view.artifacts)
    yield from answer_lines(summary, view.artifacts)
    if summary.spend.dollars:
        yield cost_line(summary.spend)
    if tokens := token_text(scan.tokens):
        yield f"Tokens   {tokens}"
    for path in scan.unreadable:
        yield f"Can't be read: {short_path(path)}"
    yield from _next_lines(status)


def _next_lines(status: RunStatus) -> Iterator[str]:
    scan, config = status.scan, status.view.config
    if config.imported is not None:
        yield from _next_lines_of_import(status)
        return
    yield "A resume would"
    yield from group_lines(scan.plan.grouped(), config)
    if status.evaluate:
        yield f"Evaluate {status.evaluate}"
    if status.retry_timeouts:
        yield f"Retry    {status.retry_timeouts}"
    if config.task_source == "problem" and scan.plan.generate:
        yield "To generate again, give run --problem FILE TASK_ID as before."
    yield f"Resume   {status.resume}"


def _next_lines_of_import(status: RunStatus) -> Iterator[str]:
    plan = status.scan.plan
    groups = plan.without(plan.generate).grouped()
    del groups["rerun"]
    yield "The command evaluate would"
    yield from group_lines(groups, status.view.config)
    if missing := status.scan.summary.without_generation:
        yield f"Missing  {plural(len(missing), 'answer')}: {some_ids(missing)}"
        yield f"Import   {status.import_again}"
    yield f"Evaluate {status.resume}"


def as_json(status: RunStatus) -> dict[str, object]:
    """Return the state of a run for ``--json``, with all ids."""
    view, scan = status.view, status.scan
    config, summary = view.config, scan.summary
    bounds = summary.bounds
    return {
        "run_id": view.run_id,
        "results_dir": str(view.artifacts.results_dir),
        "local": view.local,
        **summary_facts(summary, scan.score),
        "reduced": status.reduced and status.reduced.facts(),
        "states": {state.name.lower(): count for state, count in scan.states.items()},
        **config_facts(config),
        "started_at": view.started_at.isoformat(),
        "last_invoked_at": view.last_invoked_at.isoformat(),
        "first_generation_at": scan.first_started and scan.first_started.isoformat(),
        "last_generation_at": scan.last_ended and scan.last_ended.isoformat(),
        "graded_by": grader_facts(summary),
        "bounds": bounds.model_dump() if bounds else None,
        "until": verdict_facts(scan.verdict, summary),
        "tokens": scan.tokens.model_dump(),
        "plan": groups_as_json(scan.plan.grouped()),
        "flaky": None if status.flaky is None else [task_facts(each) for each in status.flaky],
        "unreadable": [str(path) for path in scan.unreadable],
        "resume_command": status.resume,
        "evaluate_command": status.evaluate,
        "retry_timeouts_command": status.retry_timeouts,
        "import_command": status.import_again,
    }


def _flaky_lines(status: RunStatus) -> Iterator[str]:
    tasks = status.flaky
    if tasks is None:
        return
    config = status.view.config
    if config.repeats == 1:
        yield "Flaky    not known: one repeat does not show it"
        return
    signs = f" ({legend(tasks)})" if tasks else ""
    yield f"Flaky    {len(tasks) or 'none'} of {plural(len(config.tasks), 'task')}{signs}"
    for task in tasks:
        score = number(task.score) if task.score is not None else ""
        yield f"  {task.strip}  {score:6}  {task.task_id}"


def _score_lines(status: RunStatus) -> Iterator[str]:
    view, scan = status.view, status.scan
    summary = scan.summary
    if scan.verdict is not None:
        yield from verdict_lines(scan.verdict, summary)
    if (score := scan.score) is not None:
        yield from score_lines(score, summary)
        yield from service_lines(score)
        return
    why = missing_text(summary, errors=True)
    if view.score_on_disk is not None:
        why = "the one on disk is not that of the evaluations on disk"
    settled = unscored_text(scan.verdict, summary)
    yield settled or f"No score yet{f': {why}' if why else ''}"
    if summary.mean is not None:
        local = "  [local]" if view.local else ""
        yield f"Mean     {summary.mean:.4g}{error_text(summary)} so far{local}"
        yield from interval_lines(summary)
    elif summary.without_score:
        yield f"No mean: {without_score_text(summary)}"
