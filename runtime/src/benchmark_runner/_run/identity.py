"""The identity of a run: a resume needs the same settings, source, tasks and code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark_runner._run.task_content import task_hash
from benchmark_runner._start_state import absolute
from benchmark_runner._text import some_ids
from benchmark_runner.errors import RunIdentityError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._run.flags import Command
    from benchmark_runner.checkpoint import RunConfig, TaskSourceKind
    from benchmark_runner.schemas import Task

#: Settings whose flag has another name.
_BEHIND_FLAGS = {"native": "chat-completions", "provider_config": "disable-streaming"}


def check_same_origin(frozen: RunConfig, command: Command) -> None:
    """Refuse to generate for a run whose answers were imported, and the reverse."""
    if command == "run" and frozen.imported is not None:
        error = RunIdentityError(
            f"the answers of run {frozen.run_id!r} were imported; run would add those of an agent "
            "here",
            hint="Use another --run-id to generate, or evaluate what was imported",
        )
        error.way_out = ("evaluate",)
        raise error
    if command == "import" and frozen.imported is None:
        raise RunIdentityError(
            f"the answers of run {frozen.run_id!r} are generated here, not imported",
            hint="Use another --run-id: all answers of a run are of one agent.",
        )


def check_same_settings(
    frozen: RunConfig,
    model: str | None,
    sampling: Mapping[str, JsonValue],
    options: Mapping[str, str],
    payload_schema: str,
) -> None:
    """Refuse settings that differ from those of the run.

    Settings that were not given are not compared: the frozen value is used.
    """
    before, asked = frozen.sampling, frozen.options
    compared: list[tuple[str, str, object, object]] = [
        ("--model", "model", frozen.model, frozen.model if model is None else model),
        *((_flag_of(name), name, before.get(name), now) for name, now in sampling.items()),
        *((f"--option {name}", name, asked.get(name), now) for name, now in options.items()),
        ("", "payload schema", frozen.payload_schema or payload_schema, payload_schema),
    ]
    changes = [change for change in compared if change[2] != change[3]]
    if not changes:
        return
    listed = "; ".join(
        f"{name} was {'not set' if before is None else repr(before)}, now {now!r}"
        for _, name, before, now in map(_as_typed, changes)
    )
    flags = ", ".join(flag for flag, *_ in changes if flag)
    can_resume = flags and frozen.imported is None
    way_out = f"Leave out {flags} to resume it, or use" if can_resume else "Use"
    raise RunIdentityError(
        f"run {frozen.run_id!r} was started with other settings: {listed}",
        hint=f"{way_out} another --run-id for a new run.",
    )


def check_same_payload(frozen: RunConfig, payload_type: str) -> None:
    """Refuse to evaluate files as texts, or texts as files."""
    if "artifact" in (frozen.payload_type, payload_type) and frozen.payload_type != payload_type:
        raise RunIdentityError(
            f"the answers of run {frozen.run_id!r} are of PAYLOAD_TYPE "
            f"{frozen.payload_type or 'text'!r}, not {payload_type!r}",
            hint="Use the runner/benchmark.py that the run was made with.",
        )


def check_same_source(frozen: RunConfig, kind: TaskSourceKind, dataset_name: str | None) -> None:
    """Refuse tasks from another source."""
    before = _source_in_words(frozen.task_source, frozen.dataset_name)
    now = _source_in_words(kind, dataset_name)
    if kind != frozen.task_source or (kind == "service" and dataset_name != frozen.dataset_name):
        raise RunIdentityError(
            f"run {frozen.run_id!r} takes its tasks from {before}, not from {now}",
            hint="Leave out the dataset to resume it, or use another --run-id.",
        )


def check_same_dataset(frozen: RunConfig, dataset_name: str | None) -> None:
    """Refuse a file that names another dataset."""
    if frozen.dataset_name not in (None, dataset_name):
        raise RunIdentityError(
            f"the tasks of run {frozen.run_id!r} are from dataset {frozen.dataset_name!r}, "
            f"not from {repr(dataset_name) if dataset_name else 'one without a name'}",
            hint="Restore the dataset's name in its file, or use another --run-id.",
        )


@dataclass(frozen=True, slots=True)
class TaskChanges:
    """The differences between the tasks of a source and those of a run."""

    changed: list[str] = field(default_factory=list[str])
    added: list[str] = field(default_factory=list[str])
    removed: list[str] = field(default_factory=list[str])

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.removed)

    def __str__(self) -> str:
        groups: dict[str, list[str]] = asdict(self)
        return "; ".join(
            f"{len(ids)} {name} ({some_ids(ids)})" for name, ids in groups.items() if ids
        )


def task_changes(frozen: RunConfig, tasks: Sequence[Task], *, complete: bool = True) -> TaskChanges:
    """Compare the tasks of the source, cut to the run's limit, with those of the run.

    Unless they are ``complete``, none counts as added or removed.
    """
    hashes = frozen.task_hashes
    changes = TaskChanges(
        [task.id for task in tasks if task.id in hashes and hashes[task.id] != task_hash(task)]
    )
    if complete:
        known, now = set(frozen.tasks), {task.id for task in tasks}
        changes.added.extend(task.id for task in tasks if task.id not in known)
        changes.removed.extend(task_id for task_id in frozen.tasks if task_id not in now)
    return changes


def refuse_changed_tasks(frozen: RunConfig, changes: TaskChanges, file: Path | None = None) -> None:
    """Refuse tasks that have changed since the run was started."""
    if changes:
        before = frozen.dataset_file
        moved = file is not None and before not in (None, str(absolute(file).resolve()))
        elsewhere = f"; --dataset-file was {before}, now {file}" if moved else ""
        raise RunIdentityError(
            f"the tasks of run {frozen.run_id!r} are not what they were: {changes}{elsewhere}",
            hint="Restore the dataset, or import the answers under another --run-id."
            if frozen.imported is not None
            else "Restore the dataset, use another --run-id for a new run, or accept the new "
            "tasks: run --accept-changed-tasks redoes just those.",
        )


def check_same_code(frozen: RunConfig, generation_version: str, commit: str | None) -> None:
    """Refuse to generate the rest of a run with other code.

    Unknown versions and commits are not compared.
    """
    pairs = {
        "generation version": (frozen.generation_version, generation_version),
        "runner commit": (frozen.runner_commit, commit),
    }
    changes = [
        f"{name} was {before!r}, now {now!r}"
        for name, (before, now) in pairs.items()
        if before and now and before != now
    ]
    if changes:
        raise RunIdentityError(
            f"run {frozen.run_id!r} was generated with other code: {'; '.join(changes)}",
            hint="Go back to that code, use another --run-id for a new run, or accept this "
            "code: --accept-code-change records it in each generation.",
        )


def check_same_limit(frozen: RunConfig, limit: int | None) -> None:
    """Refuse a ``--limit`` other than that of the run."""
    if limit is not None and limit != frozen.limit:
        before = "all tasks" if frozen.limit is None else f"--limit {frozen.limit}"
        raise RunIdentityError(
            f"run {frozen.run_id!r} was started with {before}, not with --limit {limit}",
            hint="Name TASK_IDS to run some of its tasks, or use another --run-id.",
        )


def check_no_fewer_repeats(frozen: RunConfig, repeats: int | None) -> None:
    """Refuse a number of repeats below that of the run."""
    if repeats is not None and repeats < frozen.repeats:
        raise RunIdentityError(
            f"run {frozen.run_id!r} has {frozen.repeats} repeats of each task, not {repeats}",
            hint="Leave out --repeats to resume it; only more can be added.",
        )


def _source_in_words(kind: TaskSourceKind, dataset_name: str | None) -> str:
    words = {"file": "a file", "service": f"the service's dataset {dataset_name!r}"}
    return words.get(kind, "--problem")


def _as_typed(change: tuple[str, str, object, object]) -> tuple[str, str, object, object]:
    """Return the change of a setting as the change of its flag, which is the opposite."""
    flag, name, before, now = change
    if name not in _BEHIND_FLAGS:
        return change
    return flag, _BEHIND_FLAGS[name], None if before is None else True, now is not None


def _flag_of(setting: str) -> str:
    return f"--{_BEHIND_FLAGS.get(setting, setting.replace('_', '-'))}"
