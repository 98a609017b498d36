"""JSON fragments about a run that commands and reports share."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmark_runner._run.summary import RunSummary
    from benchmark_runner._stats.intervals import Interval
    from benchmark_runner.checkpoint import RunConfig

__all__ = ["config_facts", "failure_facts", "grader_facts", "interval_facts"]


def config_facts(config: RunConfig) -> dict[str, object]:
    """Return the model and the source of the tasks."""
    return {
        "model": config.model,
        "task_source": config.task_source,
        "dataset_name": config.dataset_name,
        "dataset_file": config.dataset_file,
        "limit": config.limit,
        "dataset_size": config.dataset_size,
    }


def grader_facts(summary: RunSummary) -> list[dict[str, object]]:
    """Return the graders, each with its number of tasks."""
    return [{**asdict(by), "tasks": len(task_ids)} for by, task_ids in summary.graded.items()]


def failure_facts(summary: RunSummary) -> list[dict[str, object]]:
    """Return the failures by phase and reason, with all task ids."""
    return [
        {
            "phase": group.phase,
            "kind": group.kind,
            "retryable": group.retryable,
            "error": group.error,
            "hint": group.hint,
            "task_ids": group.task_ids,
        }
        for group in summary.failures
    ]


def interval_facts(interval: Interval | None) -> dict[str, object] | None:
    """Return the bounds of an interval, its level and its method."""
    return None if interval is None else asdict(interval)
