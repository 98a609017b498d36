"""JSON fragments about a run that commands and reports share."""

from dataclasses import asdict

from benchmark_runner._run.summary import RunSummary
from benchmark_runner._stats.intervals import Interval
from benchmark_runner.checkpoint import RunConfig

__all__ = ["answer_facts", "config_facts", "failure_facts", "grader_facts", "interval_facts"]


def config_facts(config: RunConfig | None) -> dict[str, object]:
    """Return the model and the source of the tasks; each ``None`` without a config."""
    names = ("model", "task_source", "dataset_name", "dataset_version", "dataset_file")
    return {name: getattr(config, name, None) for name in (*names, "limit", "dataset_size")}


def grader_facts(summary: RunSummary) -> list[dict[str, object]]:
    """Return the graders, each with its number of tasks."""
    return [{**asdict(by), "tasks": len(task_ids)} for by, task_ids in summary.graded.items()]


def failure_facts(summary: RunSummary) -> list[dict[str, object]]:
    """Return the failures by phase and reason, with all task ids."""
    names = ("phase", "kind", "retryable", "error", "hint", "task_ids")
    return [{name: getattr(group, name) for name in names} for group in summary.failures]


def answer_facts(summary: RunSummary) -> dict[str, object]:
    """Return the timeouts without a sign of an answer, and the answers that are not whole ones."""
    stops = summary.unusual_stops.items()
    return {
        "timeouts_without_answer": len(summary.silent),
        "stop_reasons": {reason: len(task_ids) for reason, task_ids in stops},
    }


def interval_facts(interval: Interval | None) -> dict[str, object] | None:
    """Return the bounds of an interval, its level and its method."""
    return None if interval is None else asdict(interval)
