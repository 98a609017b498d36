"""Open a run: the same one as before, or a new one, frozen; and what it takes to work on it."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from benchmark_runner._redaction import without_user_info
from benchmark_runner._run.identity import (
    TaskChanges,
    check_same_code,
    check_same_dataset,
    check_same_limit,
    check_same_settings,
    refuse_changed_tasks,
    task_changes,
    task_hash,
)
from benchmark_runner._run.options import (
    changed_options,
    options_on_disk,
    parse_options,
    public_options,
    public_sampling,
    public_texts,
    refuse_keys_in,
    secrets_of,
    split_options,
)
from benchmark_runner._run.plan import Reason
from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._run.task_source import TaskSource, choose_source, load_tasks
from benchmark_runner._text import some_ids
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, Code, installed_version
from benchmark_runner.checkpoint import RunConfig, load_run_config, save_run_config
from benchmark_runner.errors import ArtifactError, RunIdentityError, UsageError
from benchmark_runner.llm import LLMConfig
from benchmark_runner.schemas import Task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner._run.request import RunRequest
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.client.service_client import BenchmarkServiceClient

    Connect = Callable[[BenchmarkRunner, TaskSource], Awaitable[BenchmarkServiceClient]]


@dataclass(frozen=True, slots=True)
class Session:
    """A run that is open for work.

    Attributes:
        runner: The author's runner, the frozen tasks registered.
        artifacts: The files of the run.
        config: What the run is, without the hashes of its tasks; not on disk yet if it is new.
        task_hashes: Makes those of the tasks that this invocation knows the content of.
        llm_config: The run's settings for ``generate()``, with the key of this invocation.
        source: Where its tasks come from.
        chosen: The task ids to work on, in the run's order.
        resumed: Whether the run was there before.
        redo: Tasks to generate again although their generation stands, and why.
        changes: Which tasks were changed, added or removed, and that was accepted.
        facts: What holds in this invocation of the fields that the history notes.
    """

    runner: BenchmarkRunner
    artifacts: RunArtifacts
    config: RunConfig
    task_hashes: Callable[[], Iterable[tuple[str, str]]]
    llm_config: LLMConfig
    source: TaskSource
    chosen: Sequence[str]
    resumed: bool
    redo: Mapping[str, Reason] = field(default_factory=dict[str, Reason])
    changes: TaskChanges = field(default_factory=TaskChanges)
    facts: Mapping[str, JsonValue] = field(default_factory=dict[str, "JsonValue"])

    def freeze(self, command: str, facts: Mapping[str, JsonValue]) -> RunConfig:
        """Write ``run_config.json``, with this invocation noted.

        Args:
            command: Which command works on the run.
            facts: What else holds in this invocation, beside the session's own facts.

        Returns:
            What was written, without the hashes of the tasks.
        """
        config, hashes = self.config, self.task_hashes()
        if self.source.kind != "problem":
            return self._write(config, hashes, command, facts)
        with self.artifacts.config_locked():
            # Another process may have added its --problem to the same run meanwhile.
            if now := load_run_config(self.artifacts):
                mine = dict(hashes)
                added = [task_id for task_id in mine if task_id not in now.task_hashes]
                config = now.model_copy(update={"tasks": [*now.tasks, *added]})
                hashes = (now.task_hashes | mine).items()
            return self._write(config, hashes, command, facts)

    def is_frozen(self) -> bool:
        """Whether ``run_config.json`` says what the run is now."""
        on_disk = load_run_config(self.artifacts)
        return (
            on_disk is not None
            and on_disk.without_hashes() == self.config
            and all(on_disk.task_hashes.get(task_id) == now for task_id, now in self.task_hashes())
        )

    def _write(
        self,
        config: RunConfig,
        hashes: Iterable[tuple[str, str]],
        command: str,
        facts: Mapping[str, JsonValue],
    ) -> RunConfig:
        accepted = asdict(self.changes) if self.changes else {}
        config = config.invoked(command, {**self.facts, **facts}, accepted=accepted)
        save_run_config(self.artifacts, config, hashes)
        return config.without_hashes()


async def open_run(
    runner: BenchmarkRunner, artifacts: RunArtifacts, request: RunRequest, connect: Connect
) -> Session:
    """Start a run, or go on with the one of the same id.

    Args:
        runner: The author's runner.
        artifacts: The files of the run.
        request: What was asked for.
        connect: Makes the client for the run's tasks; called where the service lists them.

    Raises:
        RunIdentityError: the run was started with other settings, tasks or code.
        UsageError: a task id is unknown or repeated, or no model is named.
        DatasetError: the dataset is missing or malformed.
        ServiceError: the service does not list the dataset.
    """
    frozen, code = load_run_config(artifacts), request.code or Code()
    if frozen is None and artifacts.has_generations():
        raise RunIdentityError(
            f"{artifacts.run_dir} holds generations, but no run_config.json that says of what",
            hint="Restore the file, or use another --run-id for a new run.",
        )
    sampling, given = public_sampling(request.llm_config), split_options(request.options)
    options = (frozen.options if frozen else {}) | given
    runner.options = parse_options(runner.OPTIONS_MODEL, options)
    artifacts.redactor.hide(secrets_of(runner))
    if frozen is not None:
        check_same_settings(
            frozen,
            model=request.model,
            sampling=sampling,
            options=changed_options(runner, frozen, given),
            payload_schema=runner.payload_schema,
        )
        check_same_limit(frozen, request.limit)
        if not request.accept_code_change:
            check_same_code(frozen, runner.generation_version, code.commit)
        sampling = frozen.sampling | sampling
    source = choose_source(
        frozen,
        dataset_file=request.dataset_file,
        dataset_name=request.dataset_name,
        problem=request.problem,
        default_file=request.default_file,
    )
    runner.run_id = artifacts.run_id
    if source.kind == "service":
        runner.service = await connect(runner, source)
    tasks = await load_tasks(runner, source, request.task_ids)
    model = request.model or (frozen.model if frozen else request.default_model)
    if not model:
        raise UsageError(
            "no model was given", hint="Give --model NAME, or set default_model in runner/cli.py."
        )
    changes = TaskChanges()
    if frozen is None:
        limit = request.limit if source.kind != "problem" else None
        first = tasks[:limit]
        config = _new_config(runner, artifacts.run_id, model, source, first)
        hashes = partial(_hashes_of, runner)
        config.sampling, config.options = sampling, public_options(runner, options)
        config.limit, config.dataset_size, config.local = (
            limit,
            len(tasks),
            runner.service_url == LOCAL,
        )
        if len(first) < len(tasks):
            runner.register_tasks(first)
    else:
        accept = request.accept_changed_tasks
        config, changes = _same_run(frozen, runner, source, tasks, accept_changes=accept)
        # Of other --problem runs only the ids are known.
        hashes = partial(_hashes_of, runner, tasks if source.kind == "problem" else None)
    refuse_keys_in(config.options, artifacts.redactor)
    settings = config.sampling | request.llm_config.model_dump(exclude_unset=True)
    artifacts.redactor.spare(public_texts(config, hashes(), artifacts))
    return Session(
        runner=runner,
        artifacts=artifacts,
        config=config,
        task_hashes=hashes,
        llm_config=LLMConfig.model_validate(settings),
        source=source,
        chosen=_choose(config.tasks, _named(request)),
        resumed=frozen is not None,
        redo=_to_redo(config, request, changes),
        changes=changes,
        facts=_versions(runner) | _code_facts(runner, code),
    )


async def open_graded_run(
    runner: BenchmarkRunner,
    artifacts: RunArtifacts,
    request: RunRequest,
    connect: Connect,
    *,
    needs_file: bool,
) -> Session:
    """Open a run that exists, to grade or score what is on disk.

    Its tasks are read again, as on every resume; of ``--problem`` only the ids are known.

    Args:
        runner: The author's runner.
        artifacts: The files of the run.
        request: What was asked for.
        connect: Makes the client for the run's tasks; called where the service lists them.
        needs_file: Whether a dataset file that is gone is an error.

    Raises:
        UsageError: there is no such run.
        RunIdentityError: its dataset is not what it was.
    """
    frozen = load_run_config(artifacts)
    if frozen is None:
        raise UsageError(
            f"there is no run {artifacts.run_id!r} in {artifacts.results_dir}",
            hint="Check --run-id and --results-dir.",
        )
    source = _source_of(frozen, request)
    runner.run_id = artifacts.run_id
    runner.options = options_on_disk(runner, frozen)
    wanted = needs_file or request.dataset_file is not None or _is_there(source.file)
    if source.kind == "service":
        runner.service = await connect(runner, source)
    if source.kind == "service" or (source.kind == "file" and wanted):
        tasks = await load_tasks(runner, source)
        _same_run(frozen, runner, source, tasks, accept_changes=False)
    else:
        runner.register_tasks(Task(id=task_id, question="") for task_id in frozen.tasks)
        runner.dataset_name = frozen.dataset_name
    artifacts.redactor.spare(public_texts(frozen, frozen.task_hashes.items(), artifacts))
    return Session(
        runner=runner,
        artifacts=artifacts,
        config=frozen.without_hashes(),
        task_hashes=partial(_hashes_on_disk, artifacts),
        llm_config=LLMConfig.model_validate(frozen.sampling),
        source=source,
        chosen=_choose(frozen.tasks, request.task_ids),
        resumed=True,
        facts=_versions(runner),
    )


def _source_of(frozen: RunConfig, request: RunRequest) -> TaskSource:
    if frozen.task_source == "problem" and request.dataset_file is None:
        return TaskSource("problem")
    return choose_source(
        frozen,
        dataset_file=request.dataset_file,
        dataset_name=None,
        problem=None,
        default_file=request.default_file,
    )


def _is_there(file: Path | None) -> bool:
    return file is not None and file.is_file()


def _new_config(
    runner: BenchmarkRunner, run_id: str, model: str, source: TaskSource, tasks: list[Task]
) -> RunConfig:
    file = source.file if source.kind == "file" else None
    return RunConfig(
        run_id=run_id,
        model=model,
        tasks=[task.id for task in tasks],
        task_source=source.kind,
        dataset_name=runner.dataset_name,
        dataset_file=None if file is None else str(file.resolve()),
        payload_schema=runner.payload_schema,
        payload_type=runner.PAYLOAD_TYPE,
        service_url=without_user_info(runner.service_url) or None,
        evaluation_api=runner.EVALUATION_API,
        created_at=datetime.now(UTC),
    )


def _hashes_of(
    runner: BenchmarkRunner, tasks: Iterable[Task] | None = None
) -> Iterator[tuple[str, str]]:
    """Of ``tasks``, or of all that are registered, one by one."""
    return ((task.id, task_hash(task)) for task in tasks or runner.get_tasks())


def _hashes_on_disk(artifacts: RunArtifacts) -> Iterable[tuple[str, str]]:
    frozen = load_run_config(artifacts)
    if frozen is None:
        raise ArtifactError(
            f"{artifacts.run_config_path}: is gone, or can't be read",
            hint="Restore the file, or use another --run-id for a new run.",
        )
    return frozen.task_hashes.items()


def _versions(runner: BenchmarkRunner) -> dict[str, JsonValue]:
    return {
        "runner_version": installed_version(f"{runner.NAME}-runner"),
        "runtime_version": installed_version(RUNTIME_DISTRIBUTION),
        "python_version": platform.python_version(),
    }


def _code_facts(runner: BenchmarkRunner, code: Code) -> dict[str, JsonValue]:
    return {
        "generation_version": runner.generation_version,
        "runner_commit": code.commit,
        "runner_dirty": code.dirty,
    }


def _same_run(
    frozen: RunConfig,
    runner: BenchmarkRunner,
    source: TaskSource,
    tasks: list[Task],
    *,
    accept_changes: bool,
) -> tuple[RunConfig, TaskChanges]:
    """Check the tasks against the frozen ones and register them.

    Returns:
        The run's config, and how its tasks have changed, with what was accepted.
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
        config.dataset_file = str(source.file.resolve())
    # Of other --problem runs only the ids are known.
    known = dict.fromkeys(ids, None) | {task.id: task for task in first}
    runner.register_tasks(task or Task(id=task_id, question="") for task_id, task in known.items())
    return config, changes


def _named(request: RunRequest) -> Sequence[str]:
    """The tasks to work on: none named means all of them."""
    named = request.task_ids
    return (
        [*named, *(task_id for task_id in request.rerun if task_id not in named)] if named else ()
    )


def _to_redo(config: RunConfig, request: RunRequest, changes: TaskChanges) -> dict[str, Reason]:
    available = config.tasks if request.problem is None else request.task_ids
    asked = _choose(available, request.rerun) if request.rerun else ()
    # What is there of an added task is of one that was removed, and may have been another.
    changed = [*changes.changed, *changes.added]
    return dict.fromkeys(asked, Reason.RERUN) | dict.fromkeys(changed, Reason.CHANGED)


def _choose(frozen_ids: Sequence[str], named: Sequence[str]) -> Sequence[str]:
    if not named:
        return frozen_ids
    known = set(frozen_ids)
    if unknown := [task_id for task_id in named if task_id not in known]:
        raise UsageError(
            f"unknown task id(s): {some_ids(unknown)}",
            hint=f"The run has {len(frozen_ids)} task(s): {some_ids(frozen_ids)}.",
        )
    wanted = set(named)
    return [task_id for task_id in frozen_ids if task_id in wanted]
