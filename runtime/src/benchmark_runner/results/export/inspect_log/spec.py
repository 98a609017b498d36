"""The beginning of a log: the identity of the run, its settings, and the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner._json import without_nulls
from benchmark_runner._stats.reduction import Reduction, ReductionKind
from benchmark_runner._versions import RUNTIME_DISTRIBUTION
from benchmark_runner.results.export.inspect_log.names import (
    METRICS,
    log_id,
    model_name,
    registered_name,
    scorer_name,
    task_name,
)
from benchmark_runner.results.phrases import dataset_label, first_of

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.results.run_view import RunView

__all__ = ["eval_plan", "eval_spec", "reducer_name"]

#: The settings of a model that have the same name and meaning in Inspect.
_SAMPLING = ("max_tokens", "temperature", "top_p", "top_k")
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_REDUCERS = {
    ReductionKind.MEAN: "mean",
    ReductionKind.MAX: "max",
    ReductionKind.ANY: "pass_at_{}",
    ReductionKind.ALL: "pass_k_{}",
}
#: What is stated of a run under its own name; what it lacks is left out.
_FACTS = (
    "run_id", "model", "task_source", "dataset_name", "dataset_version", "dataset_version_id",
    "dataset_size", "limit", "sampling", "options", "payload_schema", "service_url",
    "evaluation_api", "service_version", "local", "generation_version", "runner_version",
    "runtime_version", "python_version", "imported",
)  # fmt: skip


def reducer_name(reduction: Reduction) -> str:
    """Return the name of Inspect's reducer that does the same."""
    return _REDUCERS[reduction.kind].format(reduction.k)


def eval_spec(view: RunView, reduction: Reduction) -> dict[str, JsonValue]:
    """Return the identity and the settings of a run: an ``EvalSpec``."""
    config, benchmark = view.config, view.runner.NAME
    created = view.started_at.isoformat()
    # Of several logs of the same task, Inspect shows the newest one only.
    identity = (config.run_id, created, config.model, reduction)
    task = task_name(benchmark)
    return without_nulls(
        {
            "eval_id": log_id("eval", *identity),
            "run_id": config.run_id,
            "created": created,
            "task": task,
            "task_id": log_id("task", *identity),
            "task_registry_name": task,
            "task_display_name": benchmark,
            "task_args": {**_arguments(config), **config.options},
            "solver": registered_name(benchmark, "generate"),
            "tags": _tags(config, local=view.local),
            "dataset": without_nulls(
                {
                    "name": dataset_label(config),
                    "location": config.dataset_file,
                    "samples": len(config.tasks),
                    "sample_ids": [*config.tasks],
                    "shuffled": False,
                }
            ),
            "model": model_name(config.model),
            "model_generate_config": _sampling(config),
            "model_base_url": config.sampling.get("custom_endpoint"),
            "config": without_nulls(
                {
                    "limit": config.limit,
                    "epochs": config.repeats,
                    "epochs_reducer": [reducer_name(reduction)],
                    "fail_on_error": False,
                    "max_samples": config.operational.get("parallelism"),
                }
            ),
            "revision": _revision(config),
            "packages": _packages(config, benchmark),
            "metadata": _facts(config),
            "scorers": [
                {
                    "name": scorer_name(benchmark),
                    "options": _arguments(config),
                    "metrics": [{"name": name} for name in METRICS],
                }
            ],
        }
    )


def eval_plan(view: RunView) -> dict[str, JsonValue]:
    """Return the one step of the plan, which is ``generate()``: an ``EvalPlan``."""
    solver = registered_name(view.runner.NAME, "generate")
    return {
        "name": "plan",
        "steps": [{"solver": solver, "params": {}}],
        "config": _sampling(view.config),
    }


def _sampling(config: RunConfig) -> dict[str, JsonValue]:
    given = {name: config.sampling.get(name) for name in _SAMPLING}
    effort = config.sampling.get("reasoning_effort")
    known = effort if isinstance(effort, str) and effort in _EFFORTS else None
    return without_nulls({**given, "reasoning_effort": known})


def _arguments(config: RunConfig) -> dict[str, JsonValue]:
    """Return the arguments with which a copy's task and scorer have the tasks of the run."""
    of_tasks: dict[str, JsonValue] = {}
    if config.task_source == "file":
        of_tasks["dataset_file"] = config.dataset_file
    elif config.task_source == "service":
        of_tasks["dataset_name"] = config.dataset_name
        of_tasks["dataset_version"] = config.dataset_version_selector
    return without_nulls({**of_tasks, "service_url": config.service_url})


def _revision(config: RunConfig) -> JsonValue:
    if config.runner_commit is None:
        return None
    # The runner does not record where its repository comes from.
    return without_nulls(
        {
            "type": "git",
            "origin": "",
            "commit": config.runner_commit,
            "dirty": config.runner_dirty,
        }
    )


def _packages(config: RunConfig, benchmark: str) -> dict[str, JsonValue]:
    return without_nulls(
        {
            RUNTIME_DISTRIBUTION: config.runtime_version,
            f"{benchmark}-runner": config.runner_version,
        }
    )


def _tags(config: RunConfig, *, local: bool | None) -> list[JsonValue]:
    tags = {"local": local, "imported": config.imported, first_of(config): config.limit}
    return [tag for tag, holds in tags.items() if holds]


def _facts(config: RunConfig) -> dict[str, JsonValue]:
    facts = config.model_dump(mode="json", include={*_FACTS})
    return {name: facts[name] for name in _FACTS if facts.get(name) not in (None, {})}
