"""One run, read without touching it, also while a command is working on it.

Commands replace each file as a whole, so a file is never seen half written. A file that can't be
read is counted, and is not an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from benchmark_runner._redaction import Redactor
from benchmark_runner._run.author_options import options_on_disk, public_texts
from benchmark_runner._run.plan import Plan, Planner, Reason
from benchmark_runner._run.question import Question, QuestionVerdict
from benchmark_runner._run.score import EvalsDigest, contradiction, is_current
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._run.summary import RunSummary, Summariser
from benchmark_runner._run.trajectory_figures import count_interrupted
from benchmark_runner._text import did_you_mean, plural, some_ids
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.checkpoint import RunConfig, load_run_config
from benchmark_runner.errors import ArtifactError, UsageError
from benchmark_runner.results.read_only import ReadOnlyArtifacts
from benchmark_runner.results.task_row import TaskRow, TaskState, make_row, with_time_zone
from benchmark_runner.schemas import ScoreResult, TokenUsage, safe_path_segment

__all__ = ["RunScan", "RunView", "is_run", "modified_at", "open_view", "run_ids"]


class RunView:
    """One run on disk.

    Args:
        artifacts: The files of the run.
        config: Its frozen settings and tasks.
        runner: The author's runner, for ``task_score()``.
    """

    def __init__(self, artifacts: RunArtifacts, config: RunConfig, runner: BenchmarkRunner) -> None:
        self.artifacts = artifacts
        self.config = config
        self.runner = runner

    @property
    def run_id(self) -> str:
        """The id of the run, and the name of its folder."""
        return self.artifacts.run_id

    @cached_property
    def score_on_disk(self) -> ScoreResult | None:
        """The content of ``final_score.json``, up to date or not; see :attr:`RunScan.score`."""
        return self.artifacts.load_final_score()

    @property
    def local(self) -> bool | None:
        """True if the embedded service evaluates the run; ``None`` if not recorded."""
        if self.config.local is None and self.score_on_disk is not None:
            return self.score_on_disk.local
        return self.config.local

    @property
    def started_at(self) -> datetime:
        """The time the run began; the time of its config file if not recorded."""
        created = with_time_zone(self.config.created_at)
        return created or modified_at(self.artifacts.run_config_path)

    @property
    def last_invoked_at(self) -> datetime:
        """The time of the last command that had something to do."""
        history = self.config.history
        return with_time_zone(history[-1].at if history else None) or self.started_at

    def scan(self, *, skip_eval: bool = False) -> RunScan:
        """Return a pass over the run's tasks; ``skip_eval`` plans a resume that generates only."""
        return RunScan(self, skip_eval=skip_eval)

    def rows(self) -> Iterator[TaskRow]:
        """Yield a row for each repeat of each task, those of one task in succession.

        Raises:
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        return iter(self.scan())

    def task_files(self, task_id: str, repeat: int = 1) -> TaskFiles:
        """Read one repeat of a task, with its long texts, such as ``generation.question``.

        Raises:
            UsageError: the run has no such task, or not so many repeats.
        """
        if task_id not in (tasks := self.config.tasks):
            near = did_you_mean(task_id, tasks)
            raise UsageError(
                f"run {self.run_id!r} has no task {task_id!r}",
                hint=f"{near}It has {plural(len(tasks), 'task')} ({some_ids(tasks)}).",
            )
        if repeat > self.config.repeats:
            raise UsageError(
                f"run {self.run_id!r} has no repeat {repeat} of its tasks",
                hint=f"It has {plural(self.config.repeats, 'repeat')} of each.",
            )
        return TaskFiles(self.artifacts, task_id, repeat)


class RunScan:
    """A pass over the repeats of a run's tasks, one at a time: iterate, then ask for the totals.

    The totals are those of the tasks read so far. Iterating again starts over.

    Attributes:
        plan: The plan of a resume, as far as the files tell.
        states: Number of repeats in each state.
        first_started: The time the first generation began; ``None`` if not recorded.
        last_ended: The time the last generation ended; ``None`` if not recorded.
    """

    def __init__(self, view: RunView, *, skip_eval: bool = False) -> None:
        self._view = view
        self._skip_eval = skip_eval
        self._start(Plan())

    def __iter__(self) -> Iterator[TaskRow]:
        """Yield a row for each repeat of each task, those of one task in succession.

        Raises:
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        return (row for row, _ in self.with_files())

    def with_files(self) -> Iterator[tuple[TaskRow, TaskFiles]]:
        """Yield each row with the files of its task, which hold the long texts."""
        planner = Planner(skip_eval=self._skip_eval)
        self._start(planner.plan)
        for task_id, repeat in self._view.config.task_repeats():
            task = TaskFiles(self._view.artifacts, task_id, repeat)
            reason = planner.add(task)
            score = self._summariser.add(task)
            if self._question is not None:
                self._question.add(task.key, score, graded=reason is Reason.GRADED)
            self._digest.add(task)
            row = make_row(task, score)
            self._note(row)
            yield row, task

    def finish(self) -> RunScan:
        """Read all tasks, for the totals."""
        for _ in self:
            pass
        return self

    @property
    def summary(self) -> RunSummary:
        """The summary of the tasks: counts, mean, spend, failures, graders."""
        summary = self._summariser.summary()
        summary.is_sample = self._question is None or summary.complete
        return summary

    @property
    def verdict(self) -> QuestionVerdict | None:
        """The answer to the run's question so far; ``None`` if it has none."""
        return None if self._question is None else self._question.verdict()

    @property
    def tokens(self) -> TokenUsage:
        """The tokens of all generations by class, also of earlier attempts; ``None`` if unknown."""
        return self.summary.spend.usage

    @property
    def score(self) -> ScoreResult | None:
        """The score on disk if it sums the evals on disk, also one that was forced.

        Not one that contradicts them, as an earlier version of the framework may have written.
        """
        score, view = self._view.score_on_disk, self._view
        rules = view.artifacts.eval_rules
        if score is None or not is_current(score, self._digest.hexdigest(), rules):
            return None
        return None if contradiction(score, view.runner, self.summary) else score

    @property
    def unreadable(self) -> list[Path]:
        """The files that can't be read."""
        return [*dict.fromkeys(self._view.artifacts.set_aside)]

    def _start(self, plan: Plan) -> None:
        self._summariser = Summariser(self._view.runner)
        self._digest = EvalsDigest()
        config = self._view.config
        self._question = None if config.until is None else Question(config, config.until)
        self.plan = plan
        self.states = dict.fromkeys(TaskState, 0)
        self.first_started: datetime | None = None
        self.last_ended: datetime | None = None

    def _note(self, row: TaskRow) -> None:
        self.states[row.state] += 1
        if (started := row.started_at) is not None:
            self.first_started = min(started, self.first_started or started)
        if (ended := row.ended_at) is not None:
            self.last_ended = max(ended, self.last_ended or ended)


def open_view(
    results_dir: Path | str,
    run_id: str,
    runner: BenchmarkRunner | type[BenchmarkRunner],
    redactor: Redactor | None = None,
) -> RunView:
    """Open a run for reading.

    Args:
        results_dir: The folder that holds a folder for each run.
        run_id: The id of the run.
        runner: The author's runner class, or an instance, for ``task_score()``.
        redactor: Masks secrets in what is shown, but not in what was written of the run on purpose.

    Raises:
        UsageError: there is no such run; the hint names runs with a similar name.
        ArtifactError: its config can't be read, or is damaged.
    """
    artifacts = ReadOnlyArtifacts(results_dir, run_id, redactor, read_only=True)
    count_interrupted(artifacts)
    config = load_run_config(artifacts)
    if config is not None:
        # A copy, as task_score() may depend on the options of the run.
        own = runner(LOCAL) if isinstance(runner, type) else copy(runner)
        own.options = options_on_disk(own, config)
        if redactor is not None:
            redactor.spare(public_texts(config, config.task_hashes.items(), artifacts))
        return RunView(artifacts, config, own)
    if artifacts.set_aside:
        raise ArtifactError(
            f"{artifacts.run_config_path}: can't be read: its content is damaged",
            hint="Restore the file, or start the run again.",
        )
    if artifacts.run_dir.is_dir() and artifacts.has_generations():
        raise ArtifactError(
            f"{artifacts.run_dir} holds generations, but no run_config.json that says of what",
            hint="Restore the file.",
        )
    near = did_you_mean(run_id, run_ids(results_dir))
    raise UsageError(
        f"there is no run {run_id!r} in {results_dir}", hint=f"{near}Check --results-dir."
    )


def run_ids(results_dir: Path | str) -> list[str]:
    """Return the ids of the runs in a folder, sorted.

    A run has a ``run_config.json``, or at least a generation.

    Raises:
        ArtifactError: the folder can't be read.
    """
    try:
        with os.scandir(results_dir) as entries:
            folders = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArtifactError(
            f"{results_dir}: can't be read: {error.strerror or error}",
            hint="Give the folder that holds the runs, with --results-dir.",
        ) from error
    return [name for name in folders if is_run(Path(results_dir), name)]


def is_run(results_dir: Path, name: str) -> bool:
    """Return True if a folder has a run of this name, with a config or at least a generation."""
    try:
        artifacts = RunArtifacts(results_dir, safe_path_segment(name), read_only=True)
    except ValueError:
        return False
    return os.path.lexists(artifacts.run_config_path) or artifacts.has_generations()


def modified_at(path: Path) -> datetime:
    """Return the time a file or folder was last changed; 1970 if it can't be read."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (OSError, ValueError, OverflowError):  # the latter of a time beyond the calendar
        return datetime.fromtimestamp(0, UTC)
