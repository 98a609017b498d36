"""The origin of a run's results: settings, code, graders and invocations."""

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner._text import some_ids
from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.checkpoint import Invocation, RunConfig
from benchmark_runner.results.phrases import (
    dataset_label,
    first_of,
    imported_text,
    moment_text,
    plural,
)
from benchmark_runner.results.report.run_figures import RunFigures

__all__ = ["head_facts", "history", "provenance_facts"]


#: A run of --problem has an invocation for each task.
_MOST_INVOCATIONS = 100


def head_facts(figures: RunFigures) -> dict[str, list[str]]:
    """Return the facts in the head of the page, by name."""
    config, ended = figures.config, figures.side.scan.last_ended
    part = first_of(config)
    tasks = f"{part} tasks" if part else plural(len(config.tasks), "task")
    return {
        "Model": [config.model],
        "Answers": _known(imported_text(config)),
        "Dataset": [f"{dataset_label(config)}: {tasks}"],
        "Repeats": [f"{config.repeats} of each task"] if config.repeats > 1 else [],
        "Started": [moment_text(figures.side.view.started_at)],
        "Last result": [moment_text(ended)] if ended else [],
        "Read": [moment_text(figures.read_at)],
    }


def provenance_facts(figures: RunFigures) -> dict[str, list[str]]:
    """Return the settings, the code and the graders, by name."""
    config = figures.config
    graders = figures.summary.graded.items()
    noun = "generation" if config.repeats > 1 else "task"
    dirty = ", with edits that are in no commit" if config.runner_dirty else ""
    return {
        "Model": [config.model],
        "Answers": _answers(config),
        "Sampling": _settings(config.sampling) or ["as the model has it by default"],
        "Options": _settings(config.options),
        "Tasks": [_tasks(config)],
        "Dataset file": _known(config.dataset_file),
        "Id of the dataset's version": _known(config.dataset_version_id),
        "Hash of the tasks": _known(figures.tasks_hash, "sha256 {}"),
        "Evaluated by": [f"{by}: {plural(len(keys), noun)}" for by, keys in graders],
        "Service": _service(figures),
        "Payload": _known(config.payload_schema, f"{{}} ({config.payload_type})"),
        "Generation version": _known(config.generation_version),
        "Runner": _known(config.runner_version),
        "Runner's commit": _known(config.runner_commit, f"{{}}{dirty}"),
        "Runtime": _known(config.runtime_version, f"{RUNTIME_DISTRIBUTION} {{}}"),
        "Python": _known(config.python_version),
        "How it was done": _settings(config.operational),
    }


def history(config: RunConfig) -> list[tuple[str, str, list[str]]]:
    """Return the time, the command and the changes of the last invocations, the earliest first."""
    return [
        (moment_text(each.at, seconds=True), each.command, [*_changes(each)])
        for each in config.history[-_MOST_INVOCATIONS:]
    ]


def _changes(invocation: Invocation) -> Iterator[str]:
    for name, (before, now) in invocation.changed.items():
        yield f"{name}: {_value(before)} → {_value(now)}"
    for what, task_ids in invocation.accepted.items():
        if task_ids:
            yield f"accepted {plural(len(task_ids), 'task')} {what}: {some_ids(task_ids)}"


def _service(figures: RunFigures) -> list[str]:
    config = figures.config
    where = {True: "local, an embedded one", False: "a deployed one", None: ""}[
        figures.side.view.local
    ]
    url = config.service_url if config.service_url != LOCAL else ""
    version = f"version {config.service_version}" if config.service_version else ""
    return _known(", ".join(filter(None, [url, where, version])))


def _answers(config: RunConfig) -> list[str]:
    if (record := config.imported) is None:
        return []
    count = plural(record.answers, "answer")
    return [f"imported from {record.file} ({count}, sha256 {record.sha256})"]


def _tasks(config: RunConfig) -> str:
    count = first_of(config) or f"{len(config.tasks):,}"
    return f"{count}, from {dataset_label(config)} ({config.task_source})"


def _settings(settings: Mapping[str, JsonValue]) -> list[str]:
    return [
        f"{name} = {_value(value)}"
        for name, value in settings.items()
        if value is not None and value is not False
    ]


def _known(value: str | None, form: str = "{}") -> list[str]:
    return [form.format(value)] if value else []


def _value(value: JsonValue) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
