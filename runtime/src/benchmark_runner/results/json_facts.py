"""JSON fragments about a run that commands and reports share."""

from collections.abc import Sequence
from dataclasses import asdict

from benchmark_runner._run.summary import RunSummary
from benchmark_runner._stats.intervals import Interval
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.results.phrases import score_notes
from benchmark_runner.results.service_figures import service_figures
from benchmark_runner.results.task_repeats import TaskRepeats
from benchmark_runner.schemas import ScoreResult, TaskRepeat

__all__ = [
    "config_facts",
    "failure_facts",
    "grader_facts",
    "interval_facts",
    "key_facts",
    "spread_facts",
    "summary_facts",
    "task_facts",
]

_OF_A_CONFIG = (
    "model", "task_source", "dataset_name", "dataset_version", "dataset_version_id",
    "dataset_file", "limit", "dataset_size", "repeats",
)  # fmt: skip


def config_facts(config: RunConfig | None) -> dict[str, object]:
    """Return the model, the source of the tasks and their number; ``None`` without a config."""
    facts: dict[str, object] = {name: getattr(config, name, None) for name in _OF_A_CONFIG}
    imported = config.imported if config is not None else None
    return {
        **facts,
        "tasks": None if config is None else len(config.tasks),
        "imported": imported and imported.model_dump(mode="json"),
    }


def grader_facts(summary: RunSummary) -> list[dict[str, object]]:
    """Return the graders, each with its numbers of tasks and of generations."""
    return [
        {**asdict(by), "tasks": len({key.task_id for key in keys}), "generations": len(keys)}
        for by, keys in summary.graded.items()
    ]


def failure_facts(summary: RunSummary) -> list[dict[str, object]]:
    """Return the failures by phase and reason, with all task ids."""
    names = ("phase", "kind", "retryable", "error", "hint")
    return [
        {**{name: getattr(group, name) for name in names}, **key_facts(group.keys)}
        for group in summary.failures
    ]


def key_facts(keys: Sequence[TaskRepeat]) -> dict[str, object]:
    """Return the task id of each repeat, and in a list beside it its number, unless all are 1."""
    repeats = [key.repeat for key in keys]
    numbers = {"repeats": repeats} if any(repeat > 1 for repeat in repeats) else {}
    return {"task_ids": [key.task_id for key in keys], **numbers}


def summary_facts(summary: RunSummary, score: ScoreResult | None) -> dict[str, object]:
    """Return the score, what the tasks' scores say, the failures and the cost of a run."""
    return {
        "complete": summary.complete,
        "final_score": score.final_score if score else None,
        "score_submission": score.score_submission if score else None,
        "score_notes": score_notes(score, summary) if score else [],
        "service_figures": service_figures(score).facts(),
        "mean": summary.mean,
        "stderr": summary.stderr,
        "interval": interval_facts(summary.interval),
        "noise_floor": summary.noise_floor,
        "spread": spread_facts(summary),
        "counts": summary.counts.model_dump(),
        "failures": failure_facts(summary),
        "timeouts_without_answer": len(summary.silent),
        "stop_reasons": {why: len(ids) for why, ids in summary.unusual_stops.items()},
        "cost": summary.spend.dollars,
        "cost_unknown": summary.spend.unknown,
    }


def spread_facts(summary: RunSummary) -> dict[str, object] | None:
    """Return how much repeats of a task differ; ``None`` if no task has two with a score."""
    within = summary.within
    if within is None:
        return None
    return {"within_tasks": within.standard_deviation, "tasks": within.tasks}


def task_facts(task: TaskRepeats) -> dict[str, object]:
    """Return the score of a task, and what its repeats vary by."""
    return {
        "task_id": task.task_id,
        "task_score": task.score,
        "task_spread": task.spread,
        "outcomes": [outcome.text for outcome in task.outcomes],
    }


def interval_facts(interval: Interval | None) -> dict[str, object] | None:
    """Return the bounds of an interval, its level and its method."""
    return None if interval is None else asdict(interval)
