"""The end of a log: its status, its results, and the score of each task."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from benchmark_runner._json import without_nulls
from benchmark_runner._stats.reduction import MEAN
from benchmark_runner.artifacts.locks import LOCK_FILE, holder_of
from benchmark_runner.results.export.inspect_log.failures import eval_error
from benchmark_runner.results.export.inspect_log.names import SCORE, model_name
from benchmark_runner.results.export.inspect_log.score import UNSCORED
from benchmark_runner.results.export.inspect_log.spec import reducer_name
from benchmark_runner.results.export.inspect_log.usage import model_usage
from benchmark_runner.results.json_facts import summary_facts
from benchmark_runner.results.phrases import failure_heading, score_is_mean
from benchmark_runner.results.reduced_score import ReducedScore
from benchmark_runner.results.verdict_text import answer_text

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner._stats.reduction import Reduction
    from benchmark_runner.results.run_view import RunScan, RunView
    from benchmark_runner.results.task_repeats import TaskRepeats

__all__ = ["LogResults"]

#: Facts with the ids of all tasks concerned, which the samples tell.
_LONG_FACTS = frozenset({"failures", "left_out", "service_figures"})


class LogResults:
    """The results of a run, to which its tasks are added one by one.

    Args:
        view: The run.
        reduction: The way in which the scores of repeats become that of a task.
    """

    def __init__(self, view: RunView, reduction: Reduction) -> None:
        self._view = view
        self._reduced = ReducedScore(reduction)
        self._reducer = reducer_name(reduction)
        self._tasks: list[str] = []
        self._values = array("d")
        self._completed = 0
        self._has_score = False
        self._is_worked_on = holder_of(view.artifacts.run_dir / LOCK_FILE) is not None

    def add_sample(self, sample: Mapping[str, JsonValue]) -> None:
        """Add the sample of a repeat of the next task."""
        self._completed += "error" not in sample
        self._has_score |= "scores" in sample

    def add_task(self, task: TaskRepeats) -> None:
        """Add a task, after the samples of its repeats."""
        self._reduced.add(task)
        if self._has_score:
            self._tasks.append(task.task_id)
            self._values.append(UNSCORED if task.score is None else task.score)
        self._has_score = False
        if not self._is_worked_on and self._view.config.task_source == "problem":
            lock = self._view.artifacts.task_dir(task.task_id) / LOCK_FILE
            self._is_worked_on = holder_of(lock) is not None

    def reductions(self) -> Iterator[dict[str, JsonValue]]:
        """Yield the score of each task that has one, or that was to get one."""
        for task_id, value in zip(self._tasks, self._values, strict=True):
            yield {"sample_id": task_id, "value": value}

    @property
    def reducer(self) -> dict[str, JsonValue]:
        """The scorer and the reducer of these scores."""
        return {"scorer": SCORE, "reducer": self._reducer}

    def header(self, scan: RunScan) -> dict[str, JsonValue]:
        """Return the status, the results and the statistics of the run, which was read to its end.

        Args:
            scan: The pass over its tasks.
        """
        self._reduced.is_sample = scan.summary.is_sample
        status = self._status(scan)
        return without_nulls(
            {
                "status": status,
                "results": self._results(scan),
                "stats": _statistics(self._view, scan),
                "error": _error(scan) if status == "error" else None,
            }
        )

    def _status(self, scan: RunScan) -> str:
        if scan.summary.complete:
            return "success"
        if self._is_worked_on:
            return "started"
        verdict = scan.verdict
        if verdict is not None and answer_text(verdict) is not None:
            return "success"  # the run has stopped, as it was told to
        return "error" if scan.summary.failures else "cancelled"

    def _results(self, scan: RunScan) -> dict[str, JsonValue]:
        metrics = self._metrics(scan)
        score: dict[str, JsonValue] = {"name": SCORE, **self.reducer}
        unscored = sum(map(math.isnan, self._values))
        counts = {"scored_samples": len(self._values) - unscored, "unscored_samples": unscored}
        headline = {**self.reducer, "score": SCORE, "metric": next(iter(metrics), None)}
        return without_nulls(
            {
                "total_samples": scan.summary.counts.total,
                "completed_samples": self._completed,
                "scores": [{**score, **counts, "params": {}, "metrics": metrics}],
                "headline": headline if metrics else None,
                "metadata": self._facts(scan),
            }
        )

    def _metrics(self, scan: RunScan) -> dict[str, JsonValue]:
        """Return the mean and its error, and the service's final score if that is another number.

        The service reduces repeats to their mean.
        """
        values = {"mean": self._reduced.mean, "stderr": self._reduced.stderr}
        score, mean = scan.score, self._reduced.mean
        if score and self._reduced.reduction == MEAN and not score_is_mean(score, mean):
            values["final_score"] = score.final_score
        return {
            name: {"name": name, "value": value, "params": {}}
            for name, value in values.items()
            if value is not None
        }

    def _facts(self, scan: RunScan) -> dict[str, JsonValue]:
        facts = summary_facts(scan.summary, scan.score) | self._reduced.facts()
        short = {name: fact for name, fact in facts.items() if name not in _LONG_FACTS}
        verdict = scan.verdict
        answer = None if verdict is None else answer_text(verdict)
        missing = None if self._reduced.mean is not None else self._reduced.missing_text
        more: dict[str, JsonValue] = {"verdict": answer, "no_mean": missing}
        return without_nulls({**cast("dict[str, JsonValue]", short), **more})


def _statistics(view: RunView, scan: RunScan) -> dict[str, JsonValue]:
    spend = scan.summary.spend
    cost = None if spend.unknown and not spend.dollars else spend.dollars
    usage = model_usage(spend.usage, cost)
    ended = scan.last_ended
    return {
        "started_at": view.started_at.isoformat(),
        "completed_at": ended.isoformat() if ended is not None else "",
        "model_usage": {} if usage is None else {model_name(view.config.model): usage},
    }


def _error(scan: RunScan) -> dict[str, JsonValue]:
    groups = scan.summary.failures
    return eval_error("\n".join(f"{failure_heading(group)}: {group.error}" for group in groups))
