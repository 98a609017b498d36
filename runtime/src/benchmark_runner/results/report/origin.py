"""Where a run comes from: its settings, its code, who graded it, and what was done with it."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from benchmark_runner._text import some_ids
from benchmark_runner.results.phrases import dataset_label, first_of, plural
from benchmark_runner.results.task_row import with_time_zone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pydantic import JsonValue

    from benchmark_runner.checkpoint import Invocation, RunConfig
    from benchmark_runner.results.report.figures import RunFigures

#: A run of --problem has an invocation a task.
MOST_INVOCATIONS = 100


class Event(NamedTuple):
    """One invocation.

    Attributes:
        at: When, in UTC.
        command: Which command.
        changes: What differed from the one before.
    """

    at: str
    command: str
    changes: list[str]


def head_of(figures: RunFigures) -> dict[str, list[str]]:
    """What the head says, by name."""
    config, ended = figures.config, figures.last_ended
    tasks = first_of(config) or f"{len(config.tasks):,}"
    return {
        "Model": [config.model],
        "Dataset": [f"{dataset_label(config)}: {tasks} tasks"],
        "Started": [moment_in_words(figures.started_at)],
        "Last result": [moment_in_words(ended)] if ended else [],
        "Read": [moment_in_words(figures.read_at)],
    }


def provenance_of(figures: RunFigures) -> dict[str, list[str]]:
    """Settings, code and graders, by name."""
    config = figures.config
    graders = figures.summary.graded.items()
    dirty = {True: ", with edits that are in no commit", False: "", None: ""}[config.runner_dirty]
    return {
        "Model": [config.model],
        "Sampling": _settings(config.sampling) or ["as the model has it by default"],
        "Options": _settings(config.options),
        "Tasks": [_tasks(config)],
        "Dataset file": [config.dataset_file] if config.dataset_file else [],
        "Hash of the tasks": [f"sha256 {figures.tasks_hash}"] if figures.tasks_hash else [],
        "Graded by": [f"{by}: {plural(len(task_ids), 'task')}" for by, task_ids in graders],
        "Service": _service(figures),
        "Payload": [f"{config.payload_schema} ({config.payload_type})"]
        if config.payload_schema
        else [],
        "Generation version": [config.generation_version] if config.generation_version else [],
        "Runner": [config.runner_version] if config.runner_version else [],
        "Runner's commit": [f"{config.runner_commit}{dirty}"] if config.runner_commit else [],
        "Runtime": [f"vals-benchmark-runner {config.runtime_version}"]
        if config.runtime_version
        else [],
        "Python": [config.python_version] if config.python_version else [],
        "How it was done": _settings(config.operational),
    }


def history_of(config: RunConfig) -> list[Event]:
    """The last invocations, the first one first."""
    return [
        Event(moment_in_words(each.at, seconds=True), each.command, [*_changes(each)])
        for each in config.history[-MOST_INVOCATIONS:]
    ]


def _changes(invocation: Invocation) -> Iterator[str]:
    for name, (before, now) in invocation.changed.items():
        yield f"{name}: {_value(before)} → {_value(now)}"
    for what, task_ids in invocation.accepted.items():
        if task_ids:
            yield f"accepted {plural(len(task_ids), 'task')} {what}: {some_ids(task_ids)}"


def _service(figures: RunFigures) -> list[str]:
    config = figures.config
    where = {True: "local, an embedded one", False: "a deployed one", None: ""}[figures.local]
    url = config.service_url if config.service_url != "local" else ""
    version = f"version {config.service_version}" if config.service_version else ""
    said = ", ".join(filter(None, [url, where, version]))
    return [said] if said else []


def _tasks(config: RunConfig) -> str:
    count = first_of(config) or f"{len(config.tasks):,}"
    return f"{count}, from {dataset_label(config)} ({config.task_source})"


def _settings(settings: Mapping[str, JsonValue]) -> list[str]:
    return [
        f"{name} = {_value(value)}"
        for name, value in settings.items()
        if value is not None and value is not False
    ]


def _value(value: JsonValue) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def moment_in_words(moment: datetime, *, seconds: bool = False) -> str:
    """A moment in UTC, to the minute, or to the second for a column of them."""
    there = (with_time_zone(moment) or moment).astimezone(UTC)
    return f"{there:%Y-%m-%d %H:%M:%S}" if seconds else f"{there:%Y-%m-%d %H:%M} UTC"
