"""Look at a run without touching it, also while it is going on.

Nothing here writes, renames or locks. Each file is replaced whole by whoever works on the run, so
that one is never seen half written; what can't be read is counted, and is not an error.

.. code-block:: python

    view = open_view("results", "my-run", runner)
    reading = view.read()
    for row in reading:  # a TaskRow each, in the run's order; memory stays flat
        print(row.task_id, row.state, row.score)
    print(reading.summary.mean, reading.summary.complete, reading.score)
"""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._run.options import options_on_disk
from benchmark_runner._run.plan import Plan, Planner
from benchmark_runner._run.scan import scan
from benchmark_runner._run.score import EvalsDigest, sums
from benchmark_runner._run.summary import Summariser
from benchmark_runner._text import did_you_mean, some_ids
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.checkpoint import load_run_config
from benchmark_runner.errors import ArtifactError, BenchmarkRunnerError, UsageError
from benchmark_runner.results.task_row import TaskState, aware, row_of
from benchmark_runner.schemas import TokenUsage, safe_path_segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import JsonValue

    from benchmark_runner._redaction import Redactor
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner.artifacts.run_folder import ModelT
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.results.task_row import TaskRow
    from benchmark_runner.schemas import GenerationResult, ScoreResult


class ArtifactsToLookAt(RunArtifacts):
    """The files of a run for somebody who only looks: what can't be read is counted.

    ``set_aside`` lists those files; they stay where they are. This covers also what the system
    does not let anybody read, which ends a command that works on the run.
    """

    def __init__(
        self, results_dir: Path | str, run_id: str, redactor: Redactor | None = None
    ) -> None:
        super().__init__(results_dir, run_id, redactor, read_only=True)

    def read_results(self, task_id: str) -> tuple[bytes | None, ...]:
        """See :meth:`RunArtifacts.read_results`.

        What can't be read is empty, and so can't be parsed.
        """
        try:
            return super().read_results(task_id)
        except ArtifactError:
            paths = (self.generation_path(task_id), self.eval_path(task_id))
            return tuple(map(self._content_or_nothing, paths))

    def earlier_generations(self, task_id: str) -> list[GenerationResult]:
        """See :meth:`RunArtifacts.earlier_generations`."""
        try:
            return super().earlier_generations(task_id)
        except ArtifactError:
            self.set_file_aside(self.task_dir(task_id) / "attempts")
            return []

    def load(self, path: Path, model: type[ModelT]) -> ModelT | None:
        """See :meth:`RunArtifacts.load`."""
        try:
            return super().load(path, model)
        except ArtifactError:
            self.set_file_aside(path)
            return None

    def _content_or_nothing(self, path: Path) -> bytes | None:
        try:
            return self._storage.read(path)
        except ArtifactError:
            return b""


class RunView:
    """What is in one run's folder.

    Args:
        artifacts: Its files.
        config: What the run is.
        runner: The author's runner, which says what a grade counts.
    """

    def __init__(self, artifacts: RunArtifacts, config: RunConfig, runner: BenchmarkRunner) -> None:
        self.artifacts = artifacts
        self.config = config
        self.runner = runner

    @property
    def run_id(self) -> str:
        """The run, and the name of its folder."""
        return self.artifacts.run_id

    @cached_property
    def score_on_disk(self) -> ScoreResult | None:
        """``final_score.json`` as it is; :attr:`Reading.score` says whether it still holds."""
        return self.artifacts.load_final_score()

    @property
    def local(self) -> bool | None:
        """Whether an embedded service grades it; ``None`` where nobody has noted that."""
        if self.config.local is None and self.score_on_disk is not None:
            return self.score_on_disk.local
        return self.config.local

    @property
    def started_at(self) -> datetime:
        """When the run began; of one that does not say, when it last changed its config."""
        created = aware(self.config.created_at)
        return created or _changed_at(self.artifacts.run_config_path)

    @property
    def last_invoked_at(self) -> datetime:
        """When a command last had something to do in it."""
        history = self.config.history
        return aware(history[-1].at if history else None) or self.started_at

    def read(self, *, skip_eval: bool = False) -> Reading:
        """Begin to read its tasks.

        Args:
            skip_eval: Whether generations are all that a resume would make.
        """
        return Reading(self, skip_eval=skip_eval)

    def rows(self) -> Iterator[TaskRow]:
        """Read a row for each of its tasks, in its order.

        Raises:
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        return iter(self.read())

    def files_of(self, task_id: str) -> TaskFiles:
        """Read one task, with its long texts: ``generation.question``, ``result.result_json()``.

        Raises:
            UsageError: the run has no such task.
        """
        if task_id not in self.config.tasks:
            near = did_you_mean(task_id, self.config.tasks)
            tasks = self.config.tasks
            raise UsageError(
                f"run {self.run_id!r} has no task {task_id!r}",
                hint=f"{near}It has {len(tasks)} task(s): {some_ids(tasks)}.",
            )
        return TaskFiles(self.artifacts, task_id)

    def resume_arguments(self, defaults: Mapping[str, JsonValue]) -> list[str]:
        """The flags of its last invocation that a resume has to repeat, as they are typed.

        What is frozen with the run, such as the model and the tasks, needs no repeating.

        Args:
            defaults: The settings that are flags, by the names of ``operational``
                (``eval_parallelism``), each with the value that needs no flag.
        """
        arguments: list[str] = []
        for name, default in defaults.items():
            value = self.config.operational.get(name, default)
            if value == default or value is None or value is False:
                continue
            flag = f"--{name.replace('_', '-')}"
            text = f"{value:g}" if isinstance(value, float) else str(value)
            arguments += [flag] if value is True else [flag, text]
        return arguments


class Reading:
    """One pass over the tasks of a run: take its rows, then ask for what they come to.

    Iterating again begins anew. What is below is about the tasks that were taken so far.

    Args:
        view: The run.
        skip_eval: Whether generations are all that a resume would make.

    Attributes:
        plan: What a resume would do, as far as that shows without asking anybody.
        states: How many tasks are in each state, those without any included.
        first_started: When the first of the generations began; ``None`` where none says.
        last_ended: When the last one ended.
    """

    def __init__(self, view: RunView, *, skip_eval: bool = False) -> None:
        self._view = view
        self._skip_eval = skip_eval
        self._begin(Plan())

    def __iter__(self) -> Iterator[TaskRow]:
        """A row for each task, in the run's order.

        Raises:
            RunnerDefinitionError: the author's ``task_score()`` fails.
        """
        return (row for row, _ in self.with_files())

    def with_files(self) -> Iterator[tuple[TaskRow, TaskFiles]]:
        """The same, each with its files, for whoever needs the long texts of all tasks."""
        planner = Planner(skip_eval=self._skip_eval)
        self._begin(planner.plan)
        for task in scan(self._view.artifacts, self._view.config.tasks, planner):
            score = self._summariser.add(task)
            self._digest.add(task)
            row = row_of(task, score)
            self._note_times(row)
            self.states[row.state] += 1
            yield row, task

    def to_end(self) -> Reading:
        """Take all rows, for what they come to."""
        for _ in self:
            pass
        return self

    @property
    def summary(self) -> RunSummary:
        """How the tasks stand: counts, mean, costs, failures, who graded."""
        return self._summariser.summary()

    @property
    def tokens(self) -> TokenUsage:
        """What the generations took, those of earlier attempts included.

        ``None`` of a class that none of them tells of.
        """
        return self._summariser.summary().spend.usage

    @property
    def score(self) -> ScoreResult | None:
        """The score on disk if it sums the evals on disk, also where it is a forced one."""
        score = self._view.score_on_disk
        return score if score is not None and sums(score, self._digest.hexdigest()) else None

    @property
    def unreadable(self) -> list[Path]:
        """The files that are there and can't be read."""
        return [*dict.fromkeys(self._view.artifacts.set_aside)]

    def _begin(self, plan: Plan) -> None:
        self._summariser = Summariser(self._view.runner)
        self._digest = EvalsDigest()
        self.plan = plan
        self.states = dict.fromkeys(TaskState, 0)
        self.first_started: datetime | None = None
        self.last_ended: datetime | None = None

    def _note_times(self, row: TaskRow) -> None:
        started, ended = row.started_at, row.ended_at
        if started is not None and (self.first_started is None or started < self.first_started):
            self.first_started = started
        if ended is not None and (self.last_ended is None or ended > self.last_ended):
            self.last_ended = ended


def open_view(
    results_dir: Path | str,
    run_id: str,
    runner: BenchmarkRunner,
    redactor: Redactor | None = None,
) -> RunView:
    """Open a run to look at it.

    Args:
        results_dir: The folder that holds a folder for each run.
        run_id: The run.
        runner: The author's runner.
        redactor: What masks secrets in what is shown.

    Raises:
        UsageError: there is no such run; the hint names one that is called alike.
        ArtifactError: its config can't be read, or is damaged.
    """
    artifacts = ArtifactsToLookAt(results_dir, run_id, redactor)
    config = load_run_config(artifacts)
    if config is not None:
        # One of its own, as what a grade counts may depend on the run's options.
        own = copy(runner)
        own.options = options_on_disk(runner, config)
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
    """The ids of the runs in a folder, sorted; what is no run is left out.

    A run has a ``run_config.json``, or generations of which nothing says any more what they are.

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
    return [name for name in folders if _is_run(Path(results_dir), name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverview:
    """One run among others.

    Attributes:
        run_id: The run.
        started_at: When it began, or when its folder last changed where nothing says.
        config: What it is; ``None`` if that can't be read. Without the hashes of its tasks.
        total: How many tasks it has.
        done: How many of them need nothing more.
        generated: How many have a generation of any status.
        complete: Whether each task has a grade, or ran out of time or turns.
        local: Whether an embedded service grades it.
        score: The final score, if there is one.
        mean: The mean of the tasks' scores, where tasks have one.
        stderr: Its standard error.
        error: Why nothing more is known.
    """

    run_id: str
    started_at: datetime
    config: RunConfig | None = None
    total: int = 0
    done: int = 0
    generated: int = 0
    complete: bool = False
    local: bool | None = None
    score: float | None = None
    mean: float | None = None
    stderr: float | None = None
    error: BenchmarkRunnerError | None = None


def list_runs(results_dir: Path | str, runner: BenchmarkRunner) -> list[RunOverview]:
    """Look at each run in a folder, the newest one first.

    Where ``final_score.json`` says that all of the run's tasks are done, it is believed, and no
    task is read: whatever changes a grade takes that file away first. What somebody changes by
    hand shows in :class:`Reading`. The tasks of the other runs are read.

    Raises:
        ArtifactError: the folder can't be read. What is wrong with a run is in its ``error``.
    """
    found = [_overview(results_dir, run_id, runner) for run_id in run_ids(results_dir)]
    return sorted(found, key=lambda run: (run.started_at, run.run_id), reverse=True)


def _overview(results_dir: Path | str, run_id: str, runner: BenchmarkRunner) -> RunOverview:
    try:
        return _overview_of(open_view(results_dir, run_id, runner))
    except BenchmarkRunnerError as error:
        moment = _changed_at(Path(results_dir) / run_id)
        return RunOverview(run_id=run_id, started_at=moment, error=error)


def _overview_of(view: RunView) -> RunOverview:
    # Of hundreds of runs the hashes are large.
    config, score = view.config.without_hashes(), view.score_on_disk
    if score is not None and _says_all(score, config):
        return RunOverview(
            run_id=view.run_id,
            started_at=view.started_at,
            config=config,
            total=len(config.tasks),
            done=len(config.tasks),
            generated=len(config.tasks),
            complete=True,
            local=view.local,
            score=score.final_score,
            mean=score.mean,
            stderr=score.stderr,
        )
    reading = view.read()
    done = sum(row.state.is_done for row in reading)
    score, summary = reading.score, reading.summary
    return RunOverview(
        run_id=view.run_id,
        started_at=view.started_at,
        config=config,
        total=summary.counts.total,
        done=done,
        generated=summary.counts.attempted,
        complete=summary.complete,
        local=view.local,
        score=score.final_score if score else None,
        mean=summary.mean,
        stderr=summary.stderr,
    )


def _says_all(score: ScoreResult, config: RunConfig) -> bool:
    counts = score.counts
    return score.complete and counts is not None and counts.total == len(config.tasks)


def _is_run(results_dir: Path, name: str) -> bool:
    try:
        artifacts = RunArtifacts(results_dir, safe_path_segment(name), read_only=True)
    except ValueError:
        return False
    return os.path.lexists(artifacts.run_config_path) or artifacts.has_generations()


def _changed_at(path: Path) -> datetime:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return datetime.fromtimestamp(0, UTC)
