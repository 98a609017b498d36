"""The opening of a run: a new one, or the same one as before."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from benchmark_runner._run.author_options import (
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
from benchmark_runner._run.dataset_version import (
    choose_version,
    pin_to_recorded,
    record_version,
    refuse_late_choice,
)
from benchmark_runner._run.identity import (
    TaskChanges,
    check_no_fewer_repeats,
    check_same_code,
    check_same_limit,
    check_same_origin,
    check_same_payload,
    check_same_settings,
)
from benchmark_runner._run.plan import Reason
from benchmark_runner._run.session import Session, new_config, resumed_config
from benchmark_runner._run.task_content import task_hash
from benchmark_runner._run.task_source import TaskSource, choose_source, load_tasks
from benchmark_runner._run.until import choose_until
from benchmark_runner._text import did_you_mean, plural, some_ids
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, Code, installed_version
from benchmark_runner.checkpoint import RunConfig, load_run_config
from benchmark_runner.errors import ArtifactError, RunIdentityError, UsageError
from benchmark_runner.llm import LLMConfig
from benchmark_runner.schemas import Task, TaskRepeat

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._run.request import RunRequest
    from benchmark_runner._run.task_source import Connect
    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.schemas import DatasetVersion


async def open_run(
    runner: BenchmarkRunner, artifacts: RunArtifacts, request: RunRequest, connect: Connect
) -> Session:
    """Start a run, or resume the one of the same id."""
    frozen = load_run_config(artifacts)
    if frozen is None and artifacts.has_generations():
        raise RunIdentityError(
            f"{artifacts.run_dir} holds generations, but no run_config.json that says of what",
            hint="Restore the file, or use another --run-id for a new run.",
        )
    if frozen is not None:
        check_same_origin(frozen, request.command)
    sampling, given = public_sampling(request.llm_config), split_options(request.options)
    options = (frozen.options if frozen else {}) | given
    runner.options = parse_options(runner.OPTIONS_MODEL, options)
    artifacts.redactor.hide(text for _, text in secrets_of(runner))
    if frozen is not None:
        _check_same_run(frozen, runner, request, sampling, given)
        sampling = frozen.sampling | sampling
    source = choose_source(frozen, request)
    runner.run_id = artifacts.run_id
    version = await _connect_and_pin(runner, source, frozen, request, connect)
    tasks = await load_tasks(runner, source, request.task_ids)
    hashes, changes = partial(_hashes_of, runner), TaskChanges()
    if frozen is None:
        config = new_config(runner, request, source, tasks)
        config.sampling, config.options = sampling, public_options(runner, options)
        if version is not None:
            record_version(config, version, request.dataset_version)
    else:
        accept = request.accept_changed_tasks
        config, changes = resumed_config(frozen, runner, source, tasks, accept_changes=accept)
        if source.kind == "problem":  # of other --problem runs only the ids are known
            hashes = partial(_hashes_of, runner, tasks)
    config.repeats = request.repeats or config.repeats
    config.until = choose_until(runner, artifacts, request, config, frozen, hashes, changes)
    refuse_keys_in(config.options, artifacts.redactor)
    settings = config.sampling | request.llm_config.model_dump(exclude_unset=True)
    artifacts.redactor.spare(public_texts(config, hashes(), artifacts))
    return Session(
        runner=runner,
        artifacts=artifacts,
        request=request,
        config=config,
        task_hashes=hashes,
        llm_config=LLMConfig.model_validate(settings),
        source=source,
        chosen=_choose_tasks(config.tasks, _named_tasks(request)),
        resumed=frozen is not None,
        redo=_tasks_to_redo(config, request, changes),
        changes=changes,
        facts=_versions(runner) | _code_of_agent(runner, request),
    )


async def open_existing_run(
    runner: BenchmarkRunner,
    artifacts: RunArtifacts,
    request: RunRequest,
    connect: Connect,
    *,
    needs_file: bool,
) -> Session:
    """Open a run that exists, to evaluate or score the generations on disk.

    Its tasks are loaded again, as on a resume; of ``--problem`` only the ids are known. With
    ``needs_file``, a missing dataset file is an error.
    """
    frozen = load_run_config(artifacts)
    if frozen is None:
        raise UsageError(
            f"there is no run {artifacts.run_id!r} in {artifacts.results_dir}",
            hint="Check --run-id and --results-dir.",
        )
    check_same_payload(frozen, runner.PAYLOAD_TYPE)
    of_problem = frozen.task_source == "problem" and request.dataset_file is None
    source = TaskSource("problem") if of_problem else choose_source(frozen, request)
    runner.run_id = artifacts.run_id
    runner.options = options_on_disk(runner, frozen)
    await _connect_and_pin(runner, source, frozen, request, connect)
    has_file = source.file is not None and source.file.is_file()
    wants_file = needs_file or request.dataset_file is not None or has_file
    if source.kind == "service" or (source.kind == "file" and wants_file):
        tasks = await load_tasks(runner, source)
        resumed_config(frozen, runner, source, tasks, accept_changes=False)
    else:
        runner.register_tasks(Task(id=task_id, question="") for task_id in frozen.tasks)
        runner.dataset_name = frozen.dataset_name
    artifacts.redactor.spare(public_texts(frozen, frozen.task_hashes.items(), artifacts))
    return Session(
        runner=runner,
        artifacts=artifacts,
        request=request,
        config=frozen.without_hashes(),
        task_hashes=partial(_hashes_on_disk, artifacts),
        llm_config=LLMConfig.model_validate(frozen.sampling),
        source=source,
        chosen=_choose_tasks(frozen.tasks, request.task_ids),
        resumed=True,
        facts=_versions(runner),
    )


async def _connect_and_pin(
    runner: BenchmarkRunner,
    source: TaskSource,
    frozen: RunConfig | None,
    request: RunRequest,
    connect: Connect,
) -> DatasetVersion | None:
    """Connect to a service that lists the tasks, and pin it to the version of the run.

    Returns the version that a new run is to be of. Tasks of other sources are known without the
    service.
    """
    selector = request.dataset_version
    if source.kind == "service":
        runner.service = await connect(runner, source)
        if frozen is None:
            return await choose_version(runner.service, source.dataset_name, selector)
        await pin_to_recorded(runner.service, frozen, selector)
    else:
        refuse_late_choice(frozen, selector, skip_eval=request.skip_eval)
    return None


def _check_same_run(
    frozen: RunConfig,
    runner: BenchmarkRunner,
    request: RunRequest,
    sampling: Mapping[str, JsonValue],
    options: Mapping[str, str],
) -> None:
    changed = changed_options(runner, frozen, options)
    check_same_settings(frozen, request.model, sampling, changed, runner.payload_schema)
    check_same_limit(frozen, request.limit)
    check_no_fewer_repeats(frozen, request.repeats)
    if not request.accept_code_change:
        commit = request.code.commit if request.code else None
        check_same_code(frozen, runner.generation_version, commit)


def _hashes_of(
    runner: BenchmarkRunner, tasks: Iterable[Task] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the ids and hashes of ``tasks``, or of all registered ones."""
    return ((task.id, task_hash(task)) for task in tasks or runner.registered_tasks())


def _hashes_on_disk(artifacts: RunArtifacts) -> Iterable[tuple[str, str]]:
    if (frozen := load_run_config(artifacts)) is None:
        raise ArtifactError(
            f"{artifacts.run_config_path}: missing or unreadable",
            hint="Restore the file, or use another --run-id for a new run.",
        )
    return frozen.task_hashes.items()


def _versions(runner: BenchmarkRunner) -> dict[str, JsonValue]:
    return {
        "runner_version": installed_version(f"{runner.NAME}-runner"),
        "runtime_version": installed_version(RUNTIME_DISTRIBUTION),
        "python_version": platform.python_version(),
    }


def _code_of_agent(runner: BenchmarkRunner, request: RunRequest) -> dict[str, JsonValue]:
    if request.command == "import":  # not this one's
        return {}
    code = request.code or Code()
    return {
        "generation_version": runner.generation_version,
        "runner_commit": code.commit,
        "runner_dirty": code.dirty,
    }


def _named_tasks(request: RunRequest) -> Sequence[str]:
    """Return the tasks to choose; none if the command is for all."""
    named = request.task_ids
    return [*named, *(each for each in request.rerun if each not in named)] if named else ()


def _tasks_to_redo(
    config: RunConfig, request: RunRequest, changes: TaskChanges
) -> dict[TaskRepeat, Reason]:
    available = config.tasks if request.problem is None else request.task_ids
    rerun = _choose_tasks(available, request.rerun) if request.rerun else ()
    if request.repeat is not None and request.repeat > config.repeats:
        raise UsageError(
            f"there is no repeat {request.repeat}: the run has "
            f"{plural(config.repeats, 'repeat')} of each task",
            hint="Add some with --repeats.",
        )
    # An added task may have files on disk, of a removed task that had the same id.
    changed = [*changes.changed, *changes.added]
    every = range(1, config.repeats + 1)
    again = every if request.repeat is None else (request.repeat,)
    redo = {TaskRepeat(task_id, repeat): Reason.RERUN for task_id in rerun for repeat in again}
    return redo | {
        TaskRepeat(task_id, repeat): Reason.CHANGED for task_id in changed for repeat in every
    }


def _choose_tasks(frozen_ids: Sequence[str], named: Sequence[str]) -> Sequence[str]:
    if not named:
        return frozen_ids
    known = set(frozen_ids)
    if unknown := [task_id for task_id in named if task_id not in known]:
        raise UsageError(
            f"{plural(len(unknown), 'unknown task id')}: {some_ids(unknown)}",
            hint=f"{did_you_mean(unknown[0], frozen_ids)}"
            f"The run has {plural(len(frozen_ids), 'task')} ({some_ids(frozen_ids)}).",
        )
    wanted = set(named)
    return [task_id for task_id in frozen_ids if task_id in wanted]
