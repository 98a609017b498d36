"""A log of events that tests write and read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from benchmark_runner._progress.event_log import EventLog
from benchmark_runner._progress.event_reader import EventReader
from benchmark_runner._progress.events import (
    AnswerMasked,
    EvaluationFinished,
    EvaluationProgress,
    EvaluationResumed,
    EvaluationStarted,
    EvaluationStopped,
    Event,
    GenerationFinished,
    GenerationStarted,
    InvocationEnded,
    LoopBlocked,
    RetryScheduled,
    ScoringStarted,
)
from benchmark_runner.schemas import EvalStatus, GenerationStatus
from tests.unit._progress.sample_events import started

if TYPE_CHECKING:
    from benchmark_runner.artifacts.run_folder import RunArtifacts

EVENTS: list[Event] = [
    GenerationStarted("t1", 2),
    GenerationFinished("t1", GenerationStatus.SUCCESS, None, 1.5, 10, 3, 0.25),
    GenerationFinished("t2", GenerationStatus.ERROR, "ValueError: no", 1.5),
    EvaluationStarted("t1"),
    RetryScheduled("HTTP 503: busy", 2.5, "t1"),
    RetryScheduled("the disk is full", 1),
    EvaluationResumed("t1"),
    EvaluationProgress("t1", "test 3 of 7"),
    EvaluationFinished("t1", EvalStatus.EVALUATED, None, 0.5, 0.1),
    EvaluationFinished("t2", EvalStatus.GENERATION_ERROR, "ValueError: no", None, 0.1),
    EvaluationStopped("t3", "QuotaExceededError: used up"),
    LoopBlocked(None, 5.25),
    AnswerMasked("t1"),
    ScoringStarted(),
]
ENDED = InvocationEnded("complete", None, 0.5, 0.5, 0.1)


def write(artifacts: RunArtifacts, *events: Event, first: Event | None = None) -> EventLog:
    log = EventLog(artifacts, first or started())  # type: ignore[arg-type]
    log.start()
    for event in events:
        log.tell(event)
    log.end(ENDED)
    return log


def lines(artifacts: RunArtifacts) -> list[dict[str, Any]]:
    return [json.loads(line) for line in artifacts.events_path.read_bytes().splitlines()]


def names(artifacts: RunArtifacts) -> list[str]:
    return [line["event"] for line in lines(artifacts)]


def read(artifacts: RunArtifacts) -> list[Event | None]:
    return [logged.event for logged in EventReader(artifacts.events_path).read()]
