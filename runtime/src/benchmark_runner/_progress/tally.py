"""How a run is going, counted from its events: nothing here is drawn, read or written."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationResumed,
    EvaluationStarted,
    EvaluationStopped,
    GenerationFinished,
    GenerationStarted,
    InvocationEnded,
    InvocationStarted,
    LoopBlocked,
    RetryScheduled,
    ScoringStarted,
)
from benchmark_runner.schemas import EvalStatus, GenerationStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmark_runner._progress.events import Event

#: Seconds between two samples of how many are done, and how many of these make the rate.
_SAMPLE_EVERY = 1.0
_SAMPLES = 300


@dataclass(slots=True)
class RunningMean:
    """The mean of numbers that come one by one, and its standard error (Welford's method).

    Attributes:
        count: How many there were.
        mean: Their mean.
    """

    count: int = 0
    mean: float = 0.0
    _squares: float = 0.0

    @classmethod
    def of(cls, count: int, mean: float | None, stderr: float | None) -> RunningMean:
        """Go on from ``count`` numbers of which only these are known."""
        if not count or mean is None:
            return cls()
        return cls(count, mean, (stderr or 0.0) ** 2 * count * (count - 1))

    def add(self, number: float) -> None:
        """Take one more into account."""
        self.count += 1
        off = number - self.mean
        self.mean += off / self.count
        self._squares += off * (number - self.mean)

    @property
    def stderr(self) -> float | None:
        """The standard error of the mean; ``None`` below two numbers."""
        if self.count < 2:  # noqa: PLR2004 (a spread needs two)
            return None
        return math.sqrt(max(self._squares, 0.0) / (self.count - 1) / self.count)


@dataclass(slots=True)
class Spent:
    """What generations took.

    Attributes:
        dollars: The sum of what is recorded.
        unknown: How many generations have no cost recorded.
        input_tokens: As far as they are recorded; likewise.
        output_tokens: Likewise.
    """

    dollars: float = 0.0
    unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, cost: float | None, input_tokens: int | None, output_tokens: int | None) -> None:
        """Count one generation."""
        if cost is None:
            self.unknown += 1
        else:
            self.dollars += cost
        self.input_tokens += input_tokens or 0
        self.output_tokens += output_tokens or 0


@dataclass(slots=True)
class Running:
    """A task that is being worked on.

    Attributes:
        task_id: The task.
        since: When that began.
        grading: Whether it is graded; else it is generated.
        reason: Why it waits for another try; ``None`` while it does not.
        until: When that one is due.
    """

    task_id: str
    since: float
    grading: bool = False
    reason: str | None = None
    until: float = 0.0


class Tally:
    """Counts what happens, for a display to show.

    All times are seconds of one clock, whichever it is. It is used by one thread at a time.

    Attributes:
        total: The chosen tasks.
        done: Those that need nothing more in this invocation, failed ones included.
        generating: How many are generated now.
        grading: How many are graded now.
        waiting: How many gradings wait for another try.
        to_grade: How many generations wait for their grading to begin.
        failed: How many have failed in this invocation.
        timed_out: How many ran out of time.
        scores: The mean of the chosen tasks' scores.
        spent: What the run's generations took.
        running: What is worked on now, by task.
        started_at: When the invocation began.
        is_scoring: Whether the score is being made.
        is_over: Whether the invocation has ended.
    """

    def __init__(self) -> None:
        self._invocations = 0
        self._count_as: dict[type[Event], Callable[[Any, float], None]] = {
            InvocationStarted: self._invocation_started,
            InvocationEnded: self._invocation_ended,
            GenerationStarted: self._generation_started,
            GenerationFinished: self._generation_finished,
            EvaluationStarted: self._evaluation_started,
            EvaluationResumed: self._evaluation_resumed,
            EvaluationFinished: self._evaluation_finished,
            EvaluationStopped: self._evaluation_stopped,
            RetryScheduled: self._retry_scheduled,
            LoopBlocked: self._loop_blocked,
            ScoringStarted: self._scoring_started,
        }
        self._begin(0.0)

    def _begin(self, at: float) -> None:
        self.total = self.done = 0
        self.generating = self.grading = self.waiting = self.to_grade = 0
        self.failed = self.timed_out = 0
        self.scores, self.spent = RunningMean(), Spent()
        self.running: dict[str, Running] = {}
        self.started_at = at
        self.is_scoring = self.is_over = False
        self._skip_eval = False
        self._done_before = 0
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._stopped: str | None = None
        self._note: tuple[str, float] | None = None

    def count(self, event: Event, at: float) -> None:
        """Take one event into account, and when it was."""
        if self._note is not None and self._note[1] == math.inf:
            self._note = None  # the loop runs again
        self._count_as[type(event)](event, at)

    def note(self, now: float) -> str | None:
        """What an operator has to know just now; ``None`` if nothing is unusual."""
        if self._note is not None and now <= self._note[1]:
            return self._note[0]
        if self._stopped is not None:
            return f"no new task starts: {self._stopped}"
        return "making the score" if self.is_scoring else None

    @property
    def next_try(self) -> Running | None:
        """The grading whose next try is due first; ``None`` if none waits for one."""
        if not self.waiting:
            return None
        waiting = (each for each in self.running.values() if each.reason is not None)
        return min(waiting, key=lambda each: each.until)

    def longest(self, most: int) -> list[Running]:
        """What has been worked on for the longest time, the oldest first."""
        return nsmallest(most, self.running.values(), key=lambda each: each.since)

    def rate(self, now: float) -> float | None:
        """Tasks done a second of late; ``None`` while that can't be told."""
        if not self._samples:
            return None
        since, done = self._samples[0]
        if self.done == done or now - since < _SAMPLE_EVERY:
            return None
        return (self.done - done) / (now - since)

    def remaining(self, now: float) -> float | None:
        """Seconds until all is done if it goes on like that; ``None`` while that can't be told."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate and self._stopped is None else None

    def _invocation_started(self, started: InvocationStarted, at: float) -> None:
        # Only beside others of --problem is it not the only one.
        if not (started.problem and self._invocations > 0):
            self._begin(at)
        self._invocations += 1
        self.is_over = False
        self._skip_eval = started.skip_eval
        self.total += started.total
        self.done += started.done
        self.to_grade += started.to_evaluate
        self.timed_out += started.timed_out
        self.scores = RunningMean.of(started.scored, started.mean, started.stderr)
        self.spent = Spent(
            started.cost, started.cost_unknown, started.input_tokens, started.output_tokens
        )
        self._samples.append((at, self.done))

    def _invocation_ended(self, _event: InvocationEnded, _at: float) -> None:
        self._invocations -= 1
        self.is_over = self._invocations <= 0
        self.is_scoring = False

    def _generation_started(self, event: GenerationStarted, at: float) -> None:
        self.generating += 1
        self.running[event.task_id] = Running(event.task_id, at)

    def _generation_finished(self, event: GenerationFinished, at: float) -> None:
        self._leave(event.task_id)
        self.failed += event.status is GenerationStatus.ERROR
        self.timed_out += event.status is GenerationStatus.MAX_TIME
        self.spent.add(event.cost, event.input_tokens, event.output_tokens)
        if self._skip_eval:
            self._one_done(at)
        else:
            self.to_grade += 1

    def _evaluation_started(self, event: EvaluationStarted, at: float) -> None:
        self.to_grade -= self.to_grade > 0
        self.grading += 1
        self.running[event.task_id] = Running(event.task_id, at, grading=True)

    def _evaluation_resumed(self, event: EvaluationResumed, _at: float) -> None:
        self._resume(event.task_id)

    def _evaluation_finished(self, event: EvaluationFinished, at: float) -> None:
        self._leave(event.task_id)
        self.failed += event.status is EvalStatus.ERROR
        if event.score is not None:
            self.scores.add(event.score)
        self._one_done(at)

    def _evaluation_stopped(self, event: EvaluationStopped, _at: float) -> None:
        self._leave(event.task_id)
        self._stopped = str(event.error)

    def _retry_scheduled(self, event: RetryScheduled, at: float) -> None:
        until = at + event.wait
        waits = self.running.get(event.task_id) if event.task_id is not None else None
        if waits is None or not waits.grading:
            self._note = (f"another try follows: {event.reason}", until)
            return
        self.waiting += waits.reason is None
        self.grading -= waits.reason is None
        waits.reason = event.reason
        waits.until = until

    def _loop_blocked(self, event: LoopBlocked, _at: float) -> None:
        whose = f"task {event.task_id}" if event.task_id else "some code"
        self._note = (f"{whose} has not yielded for {event.seconds:.0f} s", math.inf)

    def _scoring_started(self, _event: ScoringStarted, _at: float) -> None:
        self.is_scoring = True

    def _one_done(self, at: float) -> None:
        self.done += 1
        if not self._samples or at - self._samples[-1][0] >= _SAMPLE_EVERY:
            self._samples.append((at, self.done))

    def _leave(self, task_id: str) -> None:
        """Count a task as not being worked on any more."""
        self._resume(task_id)
        left = self.running.pop(task_id, None)
        if left is not None:
            self.grading -= left.grading
            self.generating -= not left.grading

    def _resume(self, task_id: str) -> None:
        waits = self.running.get(task_id)
        if waits is not None and waits.reason is not None:
            self.waiting -= 1
            self.grading += 1
            waits.reason = None
