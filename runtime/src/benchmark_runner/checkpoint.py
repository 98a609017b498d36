"""What a run is, frozen when it starts, and what of it is left to do.

The settings in :class:`RunConfig` that make a run *that* run (its identity) are compared on
a resume and never overwritten; everything else may change between invocations.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError

from benchmark_runner.errors import ArtifactError, RunIdentityError, describe
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from benchmark_runner.artifacts import RunArtifacts
    from benchmark_runner.schemas import EvalResult, Task

TaskSourceKind = Literal["file", "service", "problem"]

_SHOWN_IDS = 5


class RunConfig(BaseModel):
    """The content of ``run_config.json``."""

    # A later version's fields are kept when this one writes the file again.
    model_config = ConfigDict(extra="allow")

    run_id: str
    model: str
    tasks: list[str]
    """The frozen task ids, in the dataset's order; what a score is computed over."""
    task_hashes: dict[str, str] = Field(default_factory=dict[str, str])
    """SHA-256 of each task as ``generate()`` receives it, its time limit left out."""
    task_source: TaskSourceKind = "file"
    dataset_name: str | None = None
    dataset_file: str | None = None
    limit: int | None = None
    """``--limit``: the run is the first so many tasks of its dataset."""
    dataset_size: int | None = None
    """How many tasks the whole dataset had when the run started."""
    sampling: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue])
    """Model settings that were given, without any key."""
    options: dict[str, str] = Field(default_factory=dict[str, str])
    """The author's options that were given, without any secret."""
    payload_schema: str | None = None
    payload_type: str | None = None
    service_url: str | None = None
    evaluation_api: str | None = None
    local: bool | None = None
    """Whether the embedded service grades this run."""
    runner_version: str | None = None
    generation_version: str | None = None
    runtime_version: str | None = None
    python_version: str | None = None
    created_at: datetime | None = None


def load_run_config(artifacts: RunArtifacts) -> RunConfig | None:
    """Read what a run is; ``None`` for a run that is not there.

    Raises:
        ArtifactError: the file can't be read. It is left as it is: without it, nobody can say
            whether a resume is the same run.
    """
    path = artifacts.run_config_path
    try:
        return RunConfig.model_validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        reason = "its content is damaged" if isinstance(error, ValidationError) else describe(error)
        raise ArtifactError(
            f"{path}: can't be read: {reason}",
            hint="Restore the file, or use another --run-id for a new run.",
        ) from None


@dataclass(frozen=True, slots=True)
class GradedBy:
    """Who grades: evals of one grader are not to be mixed with another's.

    Attributes:
        service_url: The service, without user info; ``local`` for the embedded one.
        evaluation_api: ``legacy`` or ``v1``.
        service_version: What the service says of itself; ``None`` where that is not known.
        evaluator_version: What it says of its grader with each grade; likewise.
    """

    service_url: str | None
    evaluation_api: str | None
    service_version: str | None
    evaluator_version: str | None = None

    @classmethod
    def of(cls, result: EvalResult) -> GradedBy:
        """Who made this grade."""
        return cls(
            result.service_url,
            result.evaluation_api,
            result.service_version,
            result.evaluator_version,
        )

    def differs_from(self, other: GradedBy) -> bool:
        """Whether the two are known to be different."""
        pairs = (
            (self.service_url, other.service_url),
            (self.evaluation_api, other.evaluation_api),
            (self.service_version, other.service_version),
            (self.evaluator_version, other.evaluator_version),
        )
        return any(now and then and now != then for now, then in pairs)

    def __str__(self) -> str:
        named = self.evaluator_version or self.service_version
        version = f", version {named}" if named else ""
        return f"{self.service_url} ({self.evaluation_api} API{version})"


@dataclass(slots=True)
class Plan:
    """What is left to do, from what is on disk.

    Attributes:
        generate: Tasks without a usable generation.
        evaluate: Tasks with a generation whose eval is missing or has to be redone.
        done: How many tasks need nothing.
        graded: The tasks that have a grade, by who graded them.
    """

    generate: list[str] = field(default_factory=list[str])
    evaluate: list[str] = field(default_factory=list[str])
    done: int = 0
    graded: dict[GradedBy, list[str]] = field(default_factory=dict[GradedBy, list[str]])

    def __bool__(self) -> bool:
        return bool(self.generate or self.evaluate)

    def only(self, chosen: Collection[str]) -> Plan:
        """The part of the plan that is about the chosen tasks; who graded stays about all."""
        generate = [task_id for task_id in self.generate if task_id in chosen]
        evaluate = [task_id for task_id in self.evaluate if task_id in chosen]
        done = len(chosen) - len(generate) - len(evaluate)
        return Plan(generate, evaluate, done, self.graded)


def make_plan(
    artifacts: RunArtifacts,
    task_ids: Iterable[str],
    *,
    skip_eval: bool = False,
    regrade: bool = False,
) -> Plan:
    """Find out what tasks still need.

    Args:
        artifacts: The files of the run.
        task_ids: The tasks to look at.
        skip_eval: Whether generations are all that is wanted.
        regrade: Whether grades that are there are to be made again.
    """
    plan = Plan()
    for task_id in task_ids:
        generation, content_hash = artifacts.load_generation_and_hash(task_id)
        if generation is None or generation.status is GenerationStatus.ERROR:
            plan.generate.append(task_id)
            continue
        if skip_eval:
            plan.done += 1
            continue
        result = artifacts.load_eval(task_id)
        if regrade or result is None or is_eval_owed(result, content_hash):
            plan.evaluate.append(task_id)
            continue
        plan.done += 1
        if result.status is EvalStatus.EVALUATED:
            plan.graded.setdefault(GradedBy.of(result), []).append(task_id)
    return plan


def check_same_grader(
    run_id: str, graded: Mapping[GradedBy, Sequence[str]], now: GradedBy | None = None
) -> None:
    """Refuse to mix the grades of one grader with those of another.

    Args:
        run_id: The run.
        graded: The tasks that have a grade, by who graded them.
        now: Who would grade the rest; ``None`` compares what is there.

    Raises:
        RunIdentityError: grades are known to come from different graders.
    """
    known = list(graded)
    against = [now] if now is not None else known
    for before in known:
        for other in against:
            if other.differs_from(before):
                raise _mixed_graders(run_id, graded[before], before, other)


def _mixed_graders(
    run_id: str, task_ids: Sequence[str], before: GradedBy, now: GradedBy
) -> RunIdentityError:
    tasks = f"{len(task_ids)} task(s) of run {run_id!r} ({some_ids(task_ids)})"
    if (before.service_url, before.evaluation_api) == (now.service_url, now.evaluation_api):
        message = f"{tasks} were graded before the grader or its references changed"
    else:
        message = f"{tasks} were graded by {before}, not by {now}"
    again = f"evaluate --run-id {run_id} --regrade --service-url {now.service_url}"
    return RunIdentityError(
        f"{message}; one score can't mix them", hint=f"Grade all of them again with: {again}"
    )


def is_eval_owed(result: EvalResult, generation_hash: str | None) -> bool:
    """Whether an eval has to be made again: it failed, or graded another generation."""
    if result.status in (EvalStatus.ERROR, EvalStatus.GENERATION_ERROR):
        return True
    return result.generation_hash not in (None, generation_hash)


def task_hash(task: Task) -> str:
    """SHA-256 of a task as ``generate()`` receives it, its time limit left out."""
    try:
        if _may_hold_sets(type(task)):
            content = json.dumps(task.model_dump(exclude={"timeout"}), default=_canonical)
        else:
            content = task.model_dump_json(exclude={"timeout"})
    except PydanticSerializationError:  # half a surrogate pair
        content = json.dumps(task.model_dump(exclude={"timeout"}), default=_canonical)
    return hashlib.sha256(content.encode()).hexdigest()


@lru_cache
def _may_hold_sets(model: type[Task]) -> bool:
    return any("set" in str(field.annotation) for field in model.model_fields.values())


def _canonical(value: object) -> object:
    # The order of a set differs between processes.
    return (
        sorted(map(repr, cast("set[object]", value)))
        if isinstance(value, (set, frozenset))
        else repr(value)
    )


def check_same_settings(
    frozen: RunConfig,
    *,
    model: str | None,
    sampling: Mapping[str, JsonValue],
    options: Mapping[str, str],
    payload_schema: str,
) -> None:
    """Refuse to go on with settings that would make the rest of a run another run.

    What is left out is not compared: the frozen value holds.

    Raises:
        RunIdentityError: a setting differs; the message has both values.
    """
    changes: list[tuple[str, str, object, object]] = []
    if model is not None and model != frozen.model:
        changes.append(("--model", "model", frozen.model, model))
    for name, value in sampling.items():
        if value != (before := frozen.sampling.get(name)):
            changes.append((_flag_of(name), name, before, value))
    for name, value in options.items():
        if value != (before := frozen.options.get(name)):
            changes.append((f"--option {name}", name, before, value))
    if frozen.payload_schema not in (None, payload_schema):
        changes.append(("", "payload schema", frozen.payload_schema, payload_schema))
    if not changes:
        return
    listed = "; ".join(
        f"{name} was {'not set' if before is None else repr(before)}, now {now!r}"
        for _, name, before, now in changes
    )
    flags = ", ".join(flag for flag, *_ in changes if flag)
    way_out = f"Leave out {flags} to go on with it, or use" if flags else "Use"
    raise RunIdentityError(
        f"run {frozen.run_id!r} was started with other settings: {listed}",
        hint=f"{way_out} another --run-id for a new run.",
    )


def check_same_source(frozen: RunConfig, kind: TaskSourceKind, dataset_name: str | None) -> None:
    """Refuse to go on with tasks from elsewhere.

    Raises:
        RunIdentityError: the tasks came from another kind of source, or another dataset.
    """
    before = _source_in_words(frozen.task_source, frozen.dataset_name)
    now = _source_in_words(kind, dataset_name)
    if kind != frozen.task_source or (kind == "service" and dataset_name != frozen.dataset_name):
        raise RunIdentityError(
            f"run {frozen.run_id!r} takes its tasks from {before}, not from {now}",
            hint="Leave the dataset out to go on with it, or use another --run-id.",
        )


def check_same_tasks(frozen: RunConfig, tasks: Sequence[Task], *, complete: bool = True) -> None:
    """Refuse to go on with tasks that changed since the run started.

    Args:
        frozen: The run as it started.
        tasks: The tasks as the source has them now, cut to the run's limit.
        complete: Whether ``tasks`` should be all of the run's tasks.

    Raises:
        RunIdentityError: tasks were changed, added or removed.
    """
    now = [task.id for task in tasks]
    known = set(frozen.tasks)
    faults = {
        "changed": [
            task.id
            for task in tasks
            if frozen.task_hashes.get(task.id, task_hash(task)) != task_hash(task)
        ],
        "added": [task_id for task_id in now if task_id not in known] if complete else [],
        "removed": sorted(known.difference(now)) if complete else [],
    }
    listed = [f"{len(ids)} {what} ({some_ids(ids)})" for what, ids in faults.items() if ids]
    if listed:
        raise RunIdentityError(
            f"the tasks of run {frozen.run_id!r} are not what they were: {'; '.join(listed)}",
            hint="Restore the dataset, or use another --run-id for a new run.",
        )


def check_same_limit(frozen: RunConfig, limit: int | None) -> None:
    """Refuse ``--limit`` where it differs from what the run was started with.

    Raises:
        RunIdentityError: it differs.
    """
    if limit is not None and limit != frozen.limit:
        before = "all tasks" if frozen.limit is None else f"--limit {frozen.limit}"
        raise RunIdentityError(
            f"run {frozen.run_id!r} was started with {before}, not with --limit {limit}",
            hint="Name TASK_IDS to run some of its tasks, or use another --run-id.",
        )


def some_ids(ids: Sequence[str]) -> str:
    """Name a few of many ids."""
    shown = ", ".join(ids[:_SHOWN_IDS])
    return f"{shown}, …" if len(ids) > _SHOWN_IDS else shown


def _source_in_words(kind: TaskSourceKind, dataset_name: str | None) -> str:
    match kind:
        case "file":
            return "a file"
        case "service":
            return f"the service's dataset {dataset_name!r}"
        case "problem":
            return "--problem"


def _flag_of(setting: str) -> str:
    named = {"native": "--chat-completions", "provider_config": "--disable-streaming"}
    return named.get(setting, f"--{setting.replace('_', '-')}")
