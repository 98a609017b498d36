"""A run that is open for a command, and its ``run_config.json``: new, resumed, and frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmark_runner._redaction import without_user_info
from benchmark_runner._run.identity import (
    TaskChanges,
    check_same_dataset,
    refuse_changed_tasks,
    task_changes,
)
from benchmark_runner._run.plan import Reason
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._start_state import absolute
from benchmark_runner.checkpoint import RunConfig, load_run_config, save_run_config
from benchmark_runner.errors import ArtifactError, RunLockedError, UsageError
from benchmark_runner.schemas import Task, TaskRepeat

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.task_source import TaskSource
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.llm import LLMConfig


@dataclass(frozen=True, slots=True)
class Session:
    """A run that is open for a command.

    Attributes:
        config: The run's settings and tasks, without their hashes; not on disk yet if it is new.
        task_hashes: Returns the ids and hashes of the tasks whose content is known.
        llm_config: The run's settings for ``generate()``, with the key of this command.
        chosen: The ids of the tasks that the command is for, in the run's order.
        resumed: True if the run existed before.
        redo: The reasons to generate repeats of tasks again although their generation is usable.
        changes: The accepted changes of its tasks.
        facts: The facts of this command for the run's history.
    """

    runner: BenchmarkRunner
    artifacts: RunArtifacts
    request: RunRequest
    config: RunConfig
    task_hashes: Callable[[], Iterable[tuple[str, str]]]
    llm_config: LLMConfig
    source: TaskSource
    chosen: Sequence[str]
    resumed: bool
    redo: Mapping[TaskRepeat, Reason] = field(default_factory=dict[TaskRepeat, Reason])
    changes: TaskChanges = field(default_factory=TaskChanges)
    facts: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])

    @property
    def is_part(self) -> bool:
        """True if the command is for some of the run's tasks only."""
        return len(self.chosen) < len(self.config.tasks)

    def freeze(
        self, command: str, facts: Mapping[str, JsonValue], *, regrade: Sequence[str] = ()
    ) -> RunConfig:
        """Write ``run_config.json``, with this command and more facts in its history.

        The evaluations of the tasks to ``regrade`` count no more from then on, and are put away;
        a resume finishes that. Returns what was written, without the hashes of the tasks.
        """
        of_problem = self.source.kind == "problem"
        with self.artifacts.locks.hold_config() if of_problem else nullcontext():
            config, hashes = self.config, self.task_hashes()
            # Another process may have added its --problem to the same run meanwhile.
            if of_problem and (now := load_run_config(self.artifacts)):
                mine = dict(hashes)
                added = [task_id for task_id in mine if task_id not in now.task_hashes]
                repeats = max(now.repeats, config.repeats)
                update = {"tasks": [*now.tasks, *added], "repeats": repeats}
                config = now.model_copy(update=update)
                hashes = (now.task_hashes | mine).items()
            accepted = asdict(self.changes) if self.changes else {}
            config = config.invoked(command, {**self.facts, **facts}, accepted=accepted)
            config.regrade = [*regrade]
            save_run_config(self.artifacts, config, hashes)
            if regrade:
                for repeat in range(1, config.repeats + 1):
                    for task_id in regrade:
                        self.artifacts.of_repeat(repeat).keep_eval(task_id)
                config.regrade = []
                hashes = hashes if of_problem else self.task_hashes()  # the first may be used up
                save_run_config(self.artifacts, config, hashes)
        return config.without_hashes()

    def restore_config(self, frozen: RunConfig | None) -> None:
        """Write ``run_config.json`` again, if it is lost and there is something to resume."""
        with suppress(ArtifactError):  # it is there
            if load_run_config(self.artifacts) is not None:
                return
        with suppress(ArtifactError):  # the disk refuses, or the tasks were known from it only
            if self.artifacts.has_generations():
                save_run_config(self.artifacts, frozen or self.config, self.task_hashes())

    def is_frozen(self) -> bool:
        """Return True if ``run_config.json`` is up to date."""
        on_disk = load_run_config(self.artifacts)
        return (
            on_disk is not None
            and on_disk.without_hashes() == self.config
            and all(on_disk.task_hashes.get(task_id) == now for task_id, now in self.task_hashes())
        )


def refuse_change_by_others(artifacts: RunArtifacts, before: str | None) -> None:
    """Refuse a run that another process started or changed before it was locked.

    ``before`` is the hash of its config from before it was opened.
    """
    if artifacts.config_hash() != before:
        raise RunLockedError(
            f"run {artifacts.run_id!r} was changed by another process just now",
            hint="Run the same command again.",
        )


def new_config(
    runner: BenchmarkRunner, request: RunRequest, source: TaskSource, tasks: Sequence[Task]
) -> RunConfig:
    """Return the config of a new run, and register its tasks up to its limit."""
    model = request.model or request.default_model
    if model is None or not model.strip():
        raise UsageError(
            "no model was given", hint="Give --model NAME, or set default_model in runner/cli.py."
        )
    file = source.file if source.kind == "file" else None
    limit = request.limit if source.kind != "problem" else None
    first = tasks[:limit]
    if len(first) < len(tasks):
        runner.register_tasks(first)
    return RunConfig(
        run_id=runner.run_id,
        model=model,
        tasks=[task.id for task in first],
        task_source=source.kind,
        dataset_name=runner.dataset_name,
        dataset_version=runner.dataset_version,
        dataset_file=None if file is None else str(absolute(file).resolve()),
        payload_schema=runner.payload_schema,
        payload_type=runner.PAYLOAD_TYPE,
        service_url=without_user_info(runner.service_url) or None,
        evaluation_api=runner.EVALUATION_API,
        created_at=datetime.now(UTC),
        limit=limit,
        dataset_size=len(tasks),
        local=runner.service_url == LOCAL,
    )


def resumed_config(
    frozen: RunConfig,
    runner: BenchmarkRunner,
    source: TaskSource,
    tasks: Sequence[Task],
    *,
    accept_changes: bool,
) -> tuple[RunConfig, TaskChanges]:
    """Check the tasks against the frozen ones, and register them.

    Returns the run's config, and the accepted changes of its tasks.
    """
    of_problem = source.kind == "problem"
    if source.kind == "file":
        check_same_dataset(frozen, runner.dataset_name)
    first = tasks if of_problem else tasks[: frozen.limit]
    changes = task_changes(frozen, first, complete=not of_problem)
    if not accept_changes:
        refuse_changed_tasks(frozen, changes, source.file)
    ids = frozen.tasks
    if of_problem:
        ids = [*frozen.tasks, *(task.id for task in first if task.id not in frozen.task_hashes)]
    elif changes:
        ids = [task.id for task in first]
    config = frozen.without_hashes(tasks=ids)
    if changes and not of_problem:
        config.dataset_size = len(tasks)
    if source.kind == "file" and source.file is not None:
        config.dataset_file = str(absolute(source.file).resolve())
    # Of other --problem runs only the ids are known.
    known = dict.fromkeys(ids, None) | {task.id: task for task in first}
    runner.register_tasks(task or Task(id=task_id, question="") for task_id, task in known.items())
    return config, changes
