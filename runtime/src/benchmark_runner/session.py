"""Open a run: the same one as before, or a new one, frozen; and what it takes to work on it."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, JsonValue, SecretBytes, SecretStr

from benchmark_runner.checkpoint import RunConfig, load_run_config
from benchmark_runner.definition import parse_options, split_options
from benchmark_runner.errors import RunIdentityError, UsageError, some_ids
from benchmark_runner.identity import (
    check_same_limit,
    check_same_settings,
    check_same_tasks,
    task_hash,
)
from benchmark_runner.llm import LLMConfig
from benchmark_runner.redaction import without_user_info
from benchmark_runner.schemas import Task
from benchmark_runner.sources import TaskSource, choose_source, load_tasks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.base import BenchmarkRunner
    from benchmark_runner.client import BenchmarkServiceClient

    Connect = Callable[[BenchmarkRunner, TaskSource], Awaitable[BenchmarkServiceClient]]

RUNTIME_DISTRIBUTION = "vals-benchmark-runner"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What a person asked for; ``None`` means it was left out.

    Attributes:
        model: The model.
        default_model: The model where neither the request nor an earlier start names one.
        llm_config: Sampling and endpoint settings.
        options: The author's options, each ``KEY=VALUE``.
        dataset_file: Take the tasks from this file.
        dataset_name: Take the tasks from the service's dataset of this name.
        problem: Take the one task's question from this file.
        default_file: The dataset file where nothing else says.
        task_ids: Work on these tasks only.
        limit: The run is the first so many tasks of the dataset.
        local: Whether the embedded service grades.
    """

    model: str | None = None
    default_model: str | None = None
    llm_config: LLMConfig
    options: Sequence[str] = ()
    dataset_file: Path | None = None
    dataset_name: str | None = None
    problem: Path | None = None
    default_file: Path | None = None
    task_ids: Sequence[str] = ()
    limit: int | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A run that is open for work.

    Attributes:
        runner: The author's runner, the frozen tasks registered.
        artifacts: The files of the run.
        config: What the run is; not on disk yet if it is new.
        llm_config: The run's settings for ``generate()``, with the key of this invocation.
        source: Where its tasks come from.
        chosen: The task ids to work on, in the run's order.
        resumed: Whether the run was there before.
    """

    runner: BenchmarkRunner
    artifacts: RunArtifacts
    config: RunConfig
    llm_config: LLMConfig
    source: TaskSource
    chosen: list[str]
    resumed: bool

    def freeze(self) -> None:
        """Write ``run_config.json``."""
        config = self.config
        if self.source.kind != "problem":
            self.artifacts.save(self.artifacts.run_config_path, config)
            return
        with self.artifacts.config_locked():
            # Another process may have added its --problem to the same run meanwhile.
            if now := load_run_config(self.artifacts):
                added = [task_id for task_id in config.tasks if task_id not in now.task_hashes]
                hashes = {task_id: config.task_hashes[task_id] for task_id in added}
                config = now.model_copy(
                    update={
                        "tasks": [*now.tasks, *added],
                        "task_hashes": now.task_hashes | hashes,
                    }
                )
            self.artifacts.save(self.artifacts.run_config_path, config)


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
        RunIdentityError: the run was started with other settings or tasks.
        UsageError: a task id is unknown or repeated, or no model is named.
        DatasetError: the dataset is missing or malformed.
        ServiceError: the service does not list the dataset.
    """
    frozen = load_run_config(artifacts)
    if frozen is None and artifacts.has_generations():
        raise RunIdentityError(
            f"{artifacts.run_dir} holds generations, but no run_config.json that says of what",
            hint="Restore the file, or use another --run-id for a new run.",
        )
    sampling, given = _public_sampling(request.llm_config), split_options(request.options)
    options = (frozen.options if frozen else {}) | given
    runner.options = parse_options(runner.OPTIONS_MODEL, options)
    artifacts.redactor.hide(_secrets_of(runner))
    if frozen is not None:
        check_same_settings(
            frozen,
            model=request.model,
            sampling=sampling,
            options=_changed_options(runner, frozen, given),
            payload_schema=runner.payload_schema,
        )
        check_same_limit(frozen, request.limit)
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
    if frozen is None:
        limit = request.limit if source.kind != "problem" else None
        config = _new_config(runner, artifacts.run_id, model, source, tasks[:limit])
        config.sampling, config.options = sampling, _public_options(runner, options)
        config.limit, config.dataset_size, config.local = limit, len(tasks), request.local
        runner.register_tasks(tasks[:limit])
    else:
        config = _same_run(frozen, runner, source, tasks)
    settings = config.sampling | request.llm_config.model_dump(exclude_unset=True)
    artifacts.redactor.spare(_public_texts(config, artifacts))
    return Session(
        runner=runner,
        artifacts=artifacts,
        config=config,
        llm_config=LLMConfig.model_validate(settings),
        source=source,
        chosen=_choose(config.tasks, request.task_ids),
        resumed=frozen is not None,
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
    runner.options = _options_on_disk(runner, frozen)
    wanted = needs_file or request.dataset_file is not None or _is_there(source.file)
    if source.kind == "service":
        runner.service = await connect(runner, source)
    if source.kind == "service" or (source.kind == "file" and wanted):
        _same_run(frozen, runner, source, await load_tasks(runner, source))
    else:
        runner.register_tasks(Task(id=task_id, question="") for task_id in frozen.tasks)
        runner.dataset_name = frozen.dataset_name
    artifacts.redactor.spare(_public_texts(frozen, artifacts))
    return Session(
        runner=runner,
        artifacts=artifacts,
        config=frozen,
        llm_config=LLMConfig.model_validate(frozen.sampling),
        source=source,
        chosen=_choose(frozen.tasks, request.task_ids),
        resumed=True,
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
        task_hashes={task.id: task_hash(task) for task in tasks},
        task_source=source.kind,
        dataset_name=runner.dataset_name,
        dataset_file=None if file is None else str(file.resolve()),
        payload_schema=runner.payload_schema,
        payload_type=runner.PAYLOAD_TYPE,
        service_url=without_user_info(runner.service_url) or None,
        evaluation_api=runner.EVALUATION_API,
        runner_version=_installed_version(f"{runner.NAME}-runner"),
        generation_version=runner.generation_version,
        runtime_version=_installed_version(RUNTIME_DISTRIBUTION),
        python_version=platform.python_version(),
        created_at=datetime.now(UTC),
    )


def _same_run(
    frozen: RunConfig, runner: BenchmarkRunner, source: TaskSource, tasks: list[Task]
) -> RunConfig:
    """Check the tasks against the frozen ones, register those, and return the run's config."""
    if source.kind == "problem":
        check_same_tasks(frozen, tasks, complete=False)
        added = [task for task in tasks if task.id not in frozen.tasks]
        config = frozen.model_copy(
            update={
                "tasks": [*frozen.tasks, *(task.id for task in added)],
                "task_hashes": frozen.task_hashes | {task.id: task_hash(task) for task in added},
            }
        )
        others = [Task(id=task_id, question="") for task_id in frozen.tasks]
        known = {task.id: task for task in [*others, *tasks]}
        runner.register_tasks(known[task_id] for task_id in config.tasks)
        return config
    first = tasks[: frozen.limit]
    check_same_tasks(frozen, first)
    by_id = {task.id: task for task in first}
    runner.register_tasks(by_id[task_id] for task_id in frozen.tasks)
    return frozen


def _choose(frozen_ids: Sequence[str], named: Sequence[str]) -> list[str]:
    if not named:
        return [*frozen_ids]
    known = set(frozen_ids)
    if unknown := [task_id for task_id in named if task_id not in known]:
        raise UsageError(
            f"unknown task id(s): {some_ids(unknown)}",
            hint=f"The run has {len(frozen_ids)} task(s): {some_ids(frozen_ids)}.",
        )
    wanted = set(named)
    return [task_id for task_id in frozen_ids if task_id in wanted]


def _public_sampling(config: LLMConfig) -> dict[str, JsonValue]:
    settings: dict[str, JsonValue] = config.model_dump(
        mode="json", exclude_unset=True, exclude={"custom_api_key"}
    )
    if config.custom_endpoint is not None:
        settings["custom_endpoint"] = without_user_info(config.custom_endpoint)
    return settings


def _changed_options(
    runner: BenchmarkRunner, frozen: RunConfig, given: Mapping[str, str]
) -> dict[str, str]:
    """The given options that mean something else than the frozen ones; no secrets."""
    before = _options_on_disk(runner, frozen)
    return {
        name: value
        for name, value in _public_options(runner, given).items()
        if getattr(before, name, None) != getattr(runner.options, name)
        or name not in frozen.options
    }


def _options_on_disk(runner: BenchmarkRunner, frozen: RunConfig) -> BaseModel:
    """The frozen options; secrets are not among them, though the model may demand one."""
    model = runner.OPTIONS_MODEL
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    try:
        return parse_options(model, dict.fromkeys(required, "") | frozen.options)
    except UsageError:
        return model.model_construct(set(frozen.options), **frozen.options)


def _secrets_of(runner: BenchmarkRunner) -> list[str]:
    """The author's options that are secret."""
    return [
        str(value.get_secret_value())
        for _, value in cast("BaseModel", runner.options)
        if isinstance(value, (SecretStr, SecretBytes))
    ]


def _public_texts(config: RunConfig, artifacts: RunArtifacts) -> list[str]:
    """What is written down about a run on purpose, and so is no secret."""
    return [config.model_dump_json(), str(artifacts.run_dir)]


def _public_options(runner: BenchmarkRunner, options: Mapping[str, str]) -> dict[str, str]:
    secrets = (SecretStr, SecretBytes)
    return {
        name: value
        for name, value in options.items()
        if not isinstance(getattr(runner.options, name), secrets)
    }


def _installed_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "dev"
