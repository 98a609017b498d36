"""The output of ``run``, ``evaluate`` and ``score``: the first and the last lines, and the JSON."""

import os
from collections.abc import Iterator, Sequence

from benchmark_runner._concurrency.child_processes import ChildProcess
from benchmark_runner._run.author_options import secrets_of
from benchmark_runner._run.outcome import Outcome
from benchmark_runner._run.plan import Plan
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._run.session import Session
from benchmark_runner._secrets import KEY_VARIABLES, plain_keys
from benchmark_runner._text import some_ids
from benchmark_runner.artifacts.run_folder import BLOCKED_LOG
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.console import error_content
from benchmark_runner.cli.output.totals import (
    answer_lines,
    cost_line,
    count_lines,
    failure_lines,
    score_lines,
    tasks_text,
)
from benchmark_runner.cli.shell import short_path
from benchmark_runner.errors import RunPausedError, describe
from benchmark_runner.results.json_facts import summary_facts
from benchmark_runner.results.phrases import dataset_label, imported_text, missing_text
from benchmark_runner.results.verdict_text import (
    level_text,
    question_text,
    unscored_text,
    verdict_facts,
    verdict_lines,
)
from benchmark_runner.schemas import Phase, ScoreResult


def as_json(
    outcome: Outcome,
    request: RunRequest,
    resume_command: str,
    children: Sequence[ChildProcess],
) -> dict[str, object]:
    """Return the run for ``--json``."""
    session, score = outcome.session, outcome.score
    content: dict[str, object] = {
        "run_id": session.config.run_id,
        "results_dir": str(session.artifacts.results_dir),
        "local": outcome.local,
        **summary_facts(outcome.overall, score),
        "dataset_version": outcome.config.dataset_version,
        "dataset_version_id": outcome.config.dataset_version_id,
        "limit": session.config.limit,
        "dataset_size": session.config.dataset_size,
        "repeats": session.config.repeats,
        "until": verdict_facts(outcome.verdict, outcome.overall),
        "bounds": score.bounds.model_dump() if score and score.bounds else None,
        "blocked": [*map(str, outcome.blocked)],
        "masked": [*map(str, outcome.masked)],
        "warnings": outcome.warnings,
        "children": [{"pid": child.pid, "name": child.name} for child in children],
        "set_aside": [str(path) for path in session.artifacts.set_aside],
        "resume_command": resume_command,
    }
    if outcome.stopped_by is not None:
        content["error"] = error_content(outcome.stopped_by)
    elif request.command == "score" and score is None:
        content["error"] = {
            "type": "IncompleteRun",
            "message": _no_score_text(outcome, request),
            "hint": "Complete it with resume_command, or give --force.",
        }
    return content


def failure_text(outcome: Outcome, request: RunRequest) -> str:
    """Return the failure of a command that did not do all that was asked, with its type.

    Of a limit that was reached and the error of the one task of ``--problem``, it is the error.
    """
    stopped_by = outcome.stopped_by
    if stopped_by is not None and request.problem is None:
        return describe(stopped_by)
    if failures := outcome.chosen.failures:  # a generation's, rather than an evaluation's
        return min(failures, key=lambda group: group.phase is not Phase.GENERATE).error
    if stopped_by is not None:
        return describe(stopped_by)
    return f"IncompleteRun: {_no_score_text(outcome, request)}"


def start_lines(session: Session, plan: Plan, request: RunRequest, *, local: bool) -> Iterator[str]:
    """Yield which run this is and what is left to do, before any of it is done."""
    config = session.config
    doing = {"evaluate": "Evaluating", "score": "Scoring"}
    start = doing.get(request.command, "Resuming" if session.resumed else "Starting")
    yield f"{start} run {config.run_id}"
    yield f"  model    {config.model}"
    if imported := imported_text(config):
        yield f"  answers  {imported}"
    yield f"  tasks    {tasks_text(config, session.chosen)}"
    if unused := session.runner.unused_fields:
        yield f"  unused   {some_ids(unused)} of the dataset file: agents get fields of tasks only"
    yield f"  results  {short_path(session.artifacts.run_dir)}"
    if not request.skip_eval:
        in_process = session.runner.service_url == LOCAL
        by = "on this machine" if in_process else f"by {session.runner.service.base_url}"
        embedded = ", by the local service: not an official score" if local else ""
        yield f"  evals    {by}{embedded}"
    if request.asks and (until := config.until) is not None:
        yield f"  until    settled: {question_text(until)} ({level_text(until)})"
    if session.resumed and request.command != "score":
        to_generate = f"{len(plan.generate)} to generate, " if request.command == "run" else ""
        yield f"  to do    {to_generate}{len(plan.evaluate)} to evaluate, {plan.done} done before"


def plain_key_warning(session: Session) -> str | None:
    """Return the warning about keys that are words, if there are any."""
    request = session.request
    given = {name: os.environ.get(name) for name in KEY_VARIABLES}
    if request.custom_api_key != given["CUSTOM_API_KEY"]:
        given["--custom-api-key"] = request.custom_api_key
    given |= {f"--option {name}": text for name, text in secrets_of(session.runner)}
    if not (names := plain_keys(given)):
        return None
    is_word = "is a short or plain word, and is" if len(names) == 1 else "are plain words, and are"
    return f"Warning: {', '.join(names)} {is_word} not masked in answers and logs"


def end_lines(
    outcome: Outcome,
    request: RunRequest,
    resume_command: str,
    children: Sequence[ChildProcess],
) -> Iterator[str]:
    """Yield the state of the run, what failed, and the command that resumes it."""
    summary, session = outcome.overall, outcome.session
    if outcome.verdict is not None:
        yield from verdict_lines(outcome.verdict, summary)
    if outcome.score is not None:
        yield from score_lines(outcome.score, summary, standing=outcome.standing)
        yield from _submission_lines(outcome.score, session.runner)
    is_hash = outcome.local and outcome.config.dataset_version_id is None
    if outcome.config.dataset_version and not is_hash:
        yield f"Dataset  {dataset_label(outcome.config)}"
    yield from count_lines(summary.counts, session.config)
    yield from failure_lines(summary, session.artifacts)
    yield from answer_lines(summary, session.artifacts)
    yield from _cost_lines(outcome, request)
    if outcome.masked:
        yield f"Warning: a key was masked in the answer of: {some_ids(outcome.masked)}"
        yield "  what is on disk, and graded, has *** in its place"
    yield from (f"Warning: {warning}" for warning in outcome.warnings)
    if outcome.blocked:
        yield f"Kept everything else waiting: {some_ids(outcome.blocked)}"
        task_id, repeat = outcome.blocked[0]
        log = session.artifacts.of_repeat(repeat).agent_logs_dir(task_id) / BLOCKED_LOG
        yield f"  generate() must await, or be a plain def; where it was: {short_path(log)}"
    if children:
        left = [f"{child.name} ({child.pid})" for child in children]
        yield f"Left running, with process number: {some_ids(left)}"
    for path in session.artifacts.set_aside:
        yield f"Set aside, because it could not be read: {short_path(path)}"
    if not request.skip_eval and outcome.score is None:
        yield _no_score_text(outcome, request)
    yield f"Results  {short_path(session.artifacts.run_dir)}"
    yield f"Resume   {resume_command}"


def _submission_lines(score: ScoreResult, runner: BenchmarkRunner) -> Iterator[str]:
    if score.score_submission == "result" and runner.SCORE_SUBMISSION == "auto":
        yield "         The service reads bare results; to ask with them at once, set"
        yield '         SCORE_SUBMISSION = "result" in runner/benchmark.py.'


def _cost_lines(outcome: Outcome, request: RunRequest) -> Iterator[str]:
    spend = outcome.overall.spend
    if request.max_cost is not None or spend.dollars:
        yield cost_line(spend)


def _no_score_text(outcome: Outcome, request: RunRequest) -> str:
    missing = missing_text(outcome.overall, errors=True)
    if request.command == "score" and missing:
        return f"No score written: {missing}. --force scores it all the same."
    if settled := unscored_text(outcome.verdict, outcome.overall):
        return settled
    is_paused = isinstance(outcome.stopped_by, RunPausedError)
    why = "the run is paused" if is_paused else "the service did not give one"
    return f"No score yet: {missing or why}"
