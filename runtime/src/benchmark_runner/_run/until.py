"""The question that a command puts to a run: a new one, or that of its first start."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmark_runner._run.author_options import options_on_disk
from benchmark_runner._run.graded_by import GradedBy
from benchmark_runner._run.task_value import task_value
from benchmark_runner._stats.means import mean
from benchmark_runner._text import plural, some_ids
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.checkpoint import RunConfig, Until, load_run_config
from benchmark_runner.errors import RunIdentityError, UsageError

if TYPE_CHECKING:
    from benchmark_runner._run.identity import TaskChanges
    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.session import Session
    from benchmark_runner.base import BenchmarkRunner

_ALPHA = 0.05
#: Every reader of JSON keeps such a number as it is.
_SEED_BITS = 48
_COMPLETE = "Leave out the question to complete the run, or use another --run-id."


def choose_until(
    runner: BenchmarkRunner,
    artifacts: RunArtifacts,
    request: RunRequest,
    config: RunConfig,
    frozen: RunConfig | None,
    hashes: Callable[[], Iterable[tuple[str, str]]],
    changes: TaskChanges,
) -> Until | None:
    """Return the question of a run; a command without one keeps that of the run.

    ``frozen`` is its config as it was, if there is one.

    Raises:
        RunIdentityError: the run has another question, or started without one.
        UsageError: the baseline can't be compared with.
    """
    has_more = frozen is not None and config.repeats > frozen.repeats
    if not request.asks:
        # Of other tasks, or more repeats, nothing was asked.
        return None if changes or has_more else config.until
    if changes:
        raise RunIdentityError(
            f"the question of run {config.run_id!r} is about its tasks as they were",
            hint=_COMPLETE,
        )
    if config.until is not None:
        if frozen is not None and has_more:
            repeats = plural(frozen.repeats, "repeat")
            raise RunIdentityError(
                f"the question of run {config.run_id!r} is about {repeats} of each task",
                hint="Leave out --repeats, or leave out the question to add repeats.",
            )
        _check_same(config, config.until, request)
        return config.until
    if artifacts.has_generations():
        raise RunIdentityError(
            f"run {config.run_id!r} started without a question, in the order of its dataset",
            hint=_COMPLETE,
        )
    against, baseline = request.until_decided_against, None
    if against is not None:
        baseline = _baseline(runner, artifacts, config, against, dict(hashes()))
    return Until(
        score=request.until_score,
        against=against,
        alpha=request.alpha or _ALPHA,
        seed=secrets.randbits(_SEED_BITS),
        baseline=baseline,
    )


def check_baseline_grader(session: Session, grader: GradedBy) -> None:
    """Refuse to start a run against a baseline that another grader has evaluated.

    The grader is known only once the service was asked, which is after the question was chosen.

    Raises:
        RunIdentityError: the graders are known to be different, wherever they are.
    """
    until, artifacts = session.config.until, session.artifacts
    if session.resumed or until is None or until.against is None:
        return
    files = RunArtifacts(artifacts.results_dir, until.against, read_only=True)
    baseline = load_run_config(files)
    now = replace(grader, service_url=None)
    for key in baseline.task_repeats() if baseline is not None else ():
        result = TaskFiles(files, *key).evaluation
        if result is not None and now.differs_from(before := GradedBy.of(result)):
            raise RunIdentityError(
                f"the baseline {until.against!r} was evaluated by {before}, not by {grader}",
                hint=f"Evaluate it again: evaluate --run-id {until.against} --regrade.",
            )


def _check_same(config: RunConfig, until: Until, request: RunRequest) -> None:
    now = (request.until_score, request.until_decided_against)
    if now != (until.score, until.against) or request.alpha not in (None, until.alpha):
        asked = " ".join(until_arguments(until, always_alpha=True))
        raise RunIdentityError(
            f"run {config.run_id!r} was started with {asked}",
            hint="Give that again, or leave out the question to complete the run.",
        )


def until_arguments(until: Until, *, always_alpha: bool = False) -> list[str]:
    """Return the arguments that ask a question again, with an alpha unless it is the default."""
    asked = ["--until-score", f"{until.score or 0:.15g}"]
    if until.against is not None:
        asked = ["--until-decided-against", until.against]
    if until.alpha == _ALPHA and not always_alpha:
        return asked
    return [*asked, "--alpha", f"{until.alpha:.15g}"]


def _baseline(
    runner: BenchmarkRunner,
    artifacts: RunArtifacts,
    config: RunConfig,
    run_id: str,
    hashes: Mapping[str, str],
) -> list[float]:
    """Return the scores of a finished run, in the order of this run's tasks."""
    named = f"--until-decided-against {run_id}"
    files = RunArtifacts(artifacts.results_dir, run_id, read_only=True)
    baseline = load_run_config(files)
    if baseline is None:
        raise UsageError(
            f"{named}: there is no such run in {artifacts.results_dir}",
            hint="Name a finished run of the same tasks.",
        )
    other = [task_id for task_id in hashes if hashes[task_id] != baseline.task_hashes.get(task_id)]
    other += [task_id for task_id in baseline.tasks if task_id not in hashes]
    if other:
        raise UsageError(
            f"{named}: {plural(len(other), 'task')} of the two runs differ: {some_ids(other)}",
            hint="Name a finished run of the same tasks, with the same content.",
        )
    own = copy(runner)  # as task_score() may depend on the options of the run
    own.options = options_on_disk(runner, baseline)
    scores = {task_id: _scores(own, files, baseline, task_id) for task_id in config.tasks}
    command = "run" if baseline.imported is None else "evaluate"
    if missing := [task_id for task_id, found in scores.items() if not found]:
        raise UsageError(
            f"{named}: not finished, or without a numeric score of each task: "
            f"{plural(len(missing), 'task')} ({some_ids(missing)})",
            hint=f"Complete it first: {command} --run-id {run_id}.",
        )
    if beyond := [task_id for task_id, found in scores.items() if not _all_in_range(found)]:
        raise UsageError(
            f"{named}: scores outside 0 to 1: {some_ids(beyond)}",
            hint="Return scores from 0 to 1 from task_score() in runner/benchmark.py.",
        )
    return [mean(scores[task_id]) or 0.0 for task_id in config.tasks]


def _scores(
    runner: BenchmarkRunner, files: RunArtifacts, config: RunConfig, task_id: str
) -> list[float]:
    """Return the scores of all repeats of a task; none if one is missing."""
    found: list[float] = []
    for repeat in range(1, config.repeats + 1):
        task = TaskFiles(files, task_id, repeat)
        result = task.evaluation
        is_current = result is not None and task.is_current(result)
        score = task_value(runner, result) if result is not None and is_current else None
        if score is None:
            return []
        found.append(score)
    return found


def _all_in_range(scores: list[float]) -> bool:
    return all(0 <= score <= 1 for score in scores)
