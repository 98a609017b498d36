"""A run as a trace in the JSON of the OpenTelemetry protocol: a request of its collector a line.

The names are those of the conventions for generative AI, v0.1.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic_core import to_json

from benchmark_runner._stats.reduction import MEAN, Reduction
from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.artifacts.task_files import TaskFiles
from benchmark_runner.results.export.attempts import attempts_of
from benchmark_runner.results.export.otel.attempt import AttemptSpans
from benchmark_runner.results.export.otel.span import (
    INTERNAL,
    Attributes,
    Span,
    attributes_of,
    nanoseconds,
    span_of,
)
from benchmark_runner.results.export.otel.trace import Trace, usage_attributes
from benchmark_runner.results.reduced_score import ReducedScore
from benchmark_runner.results.run_view import RunScan, RunView
from benchmark_runner.results.task_repeats import TaskRepeats, by_task

__all__ = ["write_spans"]

#: Bytes of a line, unless a span alone has more; collectors read 1 MiB by default.
_LINE = 500_000


def write_spans(
    view: RunView,
    write: Callable[[bytes], object],
    reduction: Reduction = MEAN,
    *,
    contents: bool,
) -> int:
    """Write the spans of a run, and return their number.

    Args:
        view: The run.
        write: Writes a line.
        reduction: The way in which the scores of its repeats become that of a task.
        contents: Whether they hold what was said: questions, answers, messages and results.
    """
    lines = _Lines(view, write)
    for span in _spans(view, Trace.of(view, contents=contents), reduction):
        lines.add(span)
    lines.flush()
    return lines.count


class _Lines:
    """The lines of spans, each with the run as its resource."""

    def __init__(self, view: RunView, write: Callable[[bytes], object]) -> None:
        resource = {"attributes": attributes_of(_resource(view))}
        scope = {"name": RUNTIME_DISTRIBUTION, "version": installed_version(RUNTIME_DISTRIBUTION)}
        self._head = b'{"resourceSpans":[{"resource":%b,"scopeSpans":[{"scope":%b,"spans":[' % (
            to_json(resource),
            to_json(scope),
        )
        self._write = write
        self._clean = view.artifacts.redactor.clean_json
        self._spans: list[bytes] = []
        self._size = 0
        self.count = 0

    def add(self, span: Span) -> None:
        data = to_json(span)
        if self._size + len(data) > _LINE:
            self.flush()
        self._spans.append(data)
        self._size += len(data)
        self.count += 1

    def flush(self) -> None:
        if self._spans:
            line = self._head + b",".join(self._spans) + b"]}]}]}"
            self._write(self._clean(line).rstrip(b"\n") + b"\n")
        self._spans, self._size = [], 0


def _spans(view: RunView, trace: Trace, reduction: Reduction) -> Iterator[Span]:
    scan, reduced = view.scan(), ReducedScore(reduction)
    for task, files in by_task(scan.with_files(), reduction):
        reduced.add(task)
        yield from _of_task(view, trace, task, files)
    yield _of_run(view, trace, scan, reduced)


def _of_task(
    view: RunView, trace: Trace, task: TaskRepeats, files: list[TaskFiles]
) -> Iterator[Span]:
    began, score = nanoseconds(view.started_at) or 1, task.score
    for row, outcome, each in zip(task.rows, task.outcomes, files, strict=True):
        for attempt in attempts_of(view.artifacts, each):
            yield from AttemptSpans(view, trace, attempt, row, outcome, score, each, began)


def _of_run(view: RunView, trace: Trace, scan: RunScan, reduced: ReducedScore) -> Span:
    summary, score, name = scan.summary, scan.score, view.runner.NAME
    reduced.is_sample = summary.is_sample
    starts = (nanoseconds(view.started_at), nanoseconds(scan.first_started))
    began = min(filter(None, starts), default=1)
    return span_of(
        (trace.trace_id, trace.root, None),
        f"invoke_workflow {name}",
        INTERNAL,
        (began, nanoseconds(scan.last_ended) or began),
        {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.agent.name": name,
            "gen_ai.request.model": view.config.model,
            **usage_attributes(scan.tokens),
            "benchmark_runner.cost": None if summary.spend.unknown else summary.spend.dollars,
            "benchmark_runner.complete": summary.complete,
            "benchmark_runner.final_score": score.final_score if score else None,
            "benchmark_runner.reduce": str(reduced.reduction),
            "benchmark_runner.mean": reduced.mean,
            "benchmark_runner.stderr": reduced.stderr,
            **{
                f"benchmark_runner.count.{outcome}": count
                for outcome, count in summary.counts.model_dump().items()
            },
        },
    )


def _resource(view: RunView) -> Attributes:
    config = view.config
    return {
        "service.name": view.runner.NAME,
        "service.version": config.runner_version,
        "vcs.ref.head.revision": config.runner_commit,
        "benchmark_runner.run.id": view.run_id,
        "benchmark_runner.run.model": config.model,
        "benchmark_runner.run.repeats": config.repeats,
        "benchmark_runner.run.tasks": len(config.tasks),
        "benchmark_runner.run.dataset_name": config.dataset_name,
        "benchmark_runner.run.dataset_file": config.dataset_file,
        "benchmark_runner.run.dataset_version": config.dataset_version,
        "benchmark_runner.run.generation_version": config.generation_version,
        "benchmark_runner.run.service_url": config.service_url,
        "benchmark_runner.run.local": view.local,
        "benchmark_runner.run.imported": config.imported is not None,
    }
