"""Functions of the earlier framework, for scripts that import them from ``checkpoint``."""

from collections.abc import Sequence
from typing import Literal

from pydantic import JsonValue

from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.schemas import EvalStatus, GenerationStatus

__all__ = ["is_eval_redoable", "is_generation_redoable", "load_or_create_run_config"]


def load_or_create_run_config(
    *,
    artifacts: RunArtifacts,
    model: str,
    task_ids: Sequence[str],
    dataset_file: str | None = None,
    dataset_name: str | None = None,
    payload_schema: str | None = None,
    payload_type: str | None = None,
    runner_version: str | None = None,
    generation_version: str | None = None,
    task_source: Literal["file", "service", "problem"] = "file",
) -> tuple[dict[str, JsonValue], bool]:
    """Return the config on disk and ``True``, or write one and return it with ``False``.

    Nothing is compared: ``run`` does that on a resume.

    Raises:
        ArtifactError: the disk refuses, or the file there is damaged.
    """
    if (existing := artifacts.load_run_config()) is not None:
        return existing, True
    config: dict[str, JsonValue] = {
        "run_id": artifacts.run_id,
        "model": model,
        "tasks": [*task_ids],
        "task_source": task_source,
        "dataset_file": dataset_file,
        "dataset_name": dataset_name,
        "payload_schema": payload_schema,
        "payload_type": payload_type,
        "runner_version": runner_version,
        "generation_version": generation_version,
    }
    artifacts.save_run_config(config)
    return config, False


def is_generation_redoable(artifacts: RunArtifacts, task_id: str) -> bool:
    """Return True if a task has no generation, or one that failed."""
    generation = artifacts.load_generation(task_id)
    return generation is None or generation.status is GenerationStatus.ERROR


def is_eval_redoable(artifacts: RunArtifacts, task_id: str) -> bool:
    """Return True if a task has no eval, one that failed, or that of another generation."""
    task = TaskFiles(artifacts, task_id)
    found = task.evaluation
    if found is None or found.status in (EvalStatus.ERROR, EvalStatus.GENERATION_ERROR):
        return True
    return not task.is_current(found)
