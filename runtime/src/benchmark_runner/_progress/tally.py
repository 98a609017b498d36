"""The counts of a run, from its events: nothing here is drawn, read or written."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, Protocol

from benchmark_runner._progress import events
from benchmark_runner._progress.run_forecast import RunForecast
from benchmark_runner._spend import Spend
from benchmark_runner._stats.forecast import Forecast
from benchmark_runner._stats.means import RunningMean
from benchmark_runner.schemas import EvalStatus, GenerationStatus, TaskRepeat

#: Seconds between two samples of how many are done, and how many of these make the rate.
_SAMPLE_EVERY = 1.0
_SAMPLES = 300
#: Seconds for which a note about something that is over is shown.
_SHOWN_FOR = 10.0


@dataclass(slots=True)
class ActiveTask:
    """A repeat of a task that is generated or evaluated since a time, or waits for a retry.

    ``name`` is the task's id, with the number of the repeat; ``progress`` the newest text in
    which a service told how far its evaluation is.
    """

    name: str
    since: float
    is_evaluation: bool = False
    progress: str | None = None
    told_at: float = 0.0
    reason: str | None = None
    until: float = 0.0


class Tally:
    """The counts of a run, for a display to show, used by one thread at a time.

    Counted are generations: each repeat of each task. All times are seconds of one clock,
    whichever it is. What has failed is done, too.
    ``to_evaluate`` are the generations whose evaluation has not begun; ``without_score`` is the
    number of evaluated tasks without a task score, with which there is no mean.
    """

    def __init__(self) -> None:
        self._invocations = 0
        self._handlers: dict[type[events.Event], Callable[[Any, float], None]] = {
            events.InvocationStarted: self._invocation_started,
            events.InvocationEnded: self._invocation_ended,
            events.GenerationStarted: self._generation_started,
            events.GenerationFinished: self._generation_finished,
            events.AnswerMasked: self._answer_masked,
            events.EvaluationStarted: self._evaluation_started,
            events.EvaluationResumed: self._evaluation_resumed,
            events.EvaluationProgress: self._evaluation_progress,
            events.EvaluationFinished: self._evaluation_finished,
            events.EvaluationStopped: self._evaluation_stopped,
            events.RetryScheduled: self._retry_scheduled,
            events.LoopBlocked: self._loop_blocked,
            events.ScoringStarted: self._scoring_started,
        }
        self._begin(0.0)

    def _begin(self, at: float) -> None:
        self.total = self.done = self.to_evaluate = self.failed = self.timed_out = 0
        self.scores, self.spend = RunningMean(), Spend()
        self.without_score = 0
        self.active: dict[TaskRepeat, ActiveTask] = {}
        self.repeats = 1
        self.asks = False
        self.started_at = at
        self.is_scoring = False
        self._skip_eval = False
        self._forecast = RunForecast()
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._stopped: str | None = None
        self._note: tuple[str, float] | None = None

    def count(self, event: events.Event, at: float) -> None:
        """Count one event that happened at that time."""
        if self._note is not None and self._note[1] == math.inf:
            self._note = None  # the loop runs again
        self._handlers[type(event)](event, at)

    def note(self, now: float) -> str | None:
        """Return what is unusual just now; ``None`` if nothing is."""
        if self._note is not None and now <= self._note[1]:
            return self._note[0]
        if self._stopped is not None:
            return f"no new task starts: {self._stopped}"
        return "scoring" if self.is_scoring else None

    @property
    def generating(self) -> int:
        """The number of tasks that are generated now."""
        return sum(not task.is_evaluation for task in self.active.values())

    @property
    def evaluating(self) -> int:
        """The number of tasks that are evaluated now."""
        return len(self.active) - self.generating - self.waiting

    @property
    def waiting(self) -> int:
        """The number of evaluations that wait for a retry."""
        return sum(task.reason is not None for task in self.active.values())

    @property
    def next_retry(self) -> ActiveTask | None:
        """The evaluation whose retry is due first; ``None`` if none waits for one."""
        waiting = (task for task in self.active.values() if task.reason is not None)
        return min(waiting, key=lambda task: task.until, default=None)

    @property
    def last_told(self) -> ActiveTask | None:
        """The evaluation whose progress is the newest; ``None`` if none has told of any."""
        told = (task for task in self.active.values() if task.progress is not None)
        return max(told, key=lambda task: task.told_at, default=None)

    def oldest(self, most: int) -> list[ActiveTask]:
        """Return the tasks that have been active for the longest time, the oldest first."""
        return nsmallest(most, self.active.values(), key=lambda task: task.since)

    def rate(self, now: float) -> float | None:
        """Return the tasks done per second of late; ``None`` while that can't be told."""
        if not self._samples:
            return None
        since, done = self._samples[0]
        if self.done == done or now - since < _SAMPLE_EVERY:
            return None
        return (self.done - done) / (now - since)

    def remaining(self, now: float) -> float | None:
        """Return the seconds until all is done at this rate; ``None`` while that can't be told."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate and self._stopped is None else None

    @property
    def max_cost(self) -> float | None:
        """The cost in US dollars at which no new task starts, if there is one."""
        return self._forecast.max_cost

    def forecast(self, now: float) -> Forecast | None:
        """Return the forecast of cost and end; ``None`` while, or where, there is none."""
        if self._stopped is not None or not self._invocations:
            return None

        def elapsed() -> list[float]:
            active = self.active.values()
            return [max(now - task.since, 0.0) for task in active if not task.is_evaluation]

        to_evaluate = 0 if self._skip_eval else self.total - self.done
        return self._forecast.forecast(now, self.spend, elapsed, to_evaluate)

    def _invocation_started(self, started: events.InvocationStarted, at: float) -> None:
        # Only beside others of --problem is it not the only one.
        if not (started.problem and self._invocations > 0):
            self._begin(at)
        self._invocations += 1
        self._skip_eval = started.skip_eval
        self._forecast.begin(started, at)
        self.repeats = max(self.repeats, started.repeats)
        self.asks = started.asks
        self.total += started.total
        self.done += started.done
        self.to_evaluate += started.to_evaluate
        self.timed_out += started.timed_out
        self.scores = RunningMean.of(started.scored, started.mean, started.stderr)
        self.without_score = started.without_score
        tokens = {"input": started.input_tokens, "output": started.output_tokens}
        self.spend = Spend(started.cost, started.cost_unknown, tokens)
        self._samples.append((at, self.done))

    def _invocation_ended(self, _event: events.InvocationEnded, _at: float) -> None:
        self._invocations -= 1
        self.is_scoring = False

    def _generation_started(self, event: events.GenerationStarted, at: float) -> None:
        key = _key_of(event)
        self.active[key] = ActiveTask(str(key), at)
        self._forecast.start_generation()

    def _generation_finished(self, event: events.GenerationFinished, at: float) -> None:
        self.active.pop(_key_of(event), None)
        self.failed += event.status is GenerationStatus.ERROR
        self.timed_out += event.status is GenerationStatus.MAX_TIME
        self._forecast.finish_generation(event)
        self.spend.add(event.cost, input=event.input_tokens, output=event.output_tokens)
        if self._skip_eval:
            self._count_done(at)
        else:
            self.to_evaluate += 1

    def _answer_masked(self, event: events.AnswerMasked, at: float) -> None:
        self._note = (f"the answer of task {_key_of(event)} held a key, masked", at + _SHOWN_FOR)

    def _evaluation_started(self, event: events.EvaluationStarted, at: float) -> None:
        self.to_evaluate -= self.to_evaluate > 0
        key = _key_of(event)
        self.active[key] = ActiveTask(str(key), at, is_evaluation=True)

    def _evaluation_resumed(self, event: events.EvaluationResumed, _at: float) -> None:
        if (task := self.active.get(_key_of(event))) is not None:
            task.reason = None

    def _evaluation_progress(self, event: events.EvaluationProgress, at: float) -> None:
        if (task := self.active.get(_key_of(event))) is not None:
            task.progress, task.told_at = event.text, at

    def _evaluation_finished(self, event: events.EvaluationFinished, at: float) -> None:
        self.active.pop(_key_of(event), None)
        self._forecast.finish_evaluation(event.duration)
        self.failed += event.status is EvalStatus.ERROR
        if event.score is not None:
            self.scores.add(event.score)
        self.without_score += event.score is None and event.status is EvalStatus.EVALUATED
        self._count_done(at)

    def _evaluation_stopped(self, event: events.EvaluationStopped, _at: float) -> None:
        self.active.pop(_key_of(event), None)
        self._stopped = event.error

    def _retry_scheduled(self, event: events.RetryScheduled, at: float) -> None:
        until = at + event.wait
        waits = self.active.get(_key_of(event))
        if waits is None or not waits.is_evaluation:
            self._note = (f"a retry follows: {event.reason}", until)
            return
        waits.reason, waits.until = event.reason, until

    def _loop_blocked(self, event: events.LoopBlocked, _at: float) -> None:
        whose = f"task {_key_of(event)}" if event.task_id else "some code"
        self._note = (f"{whose} has not yielded for {event.seconds:.0f} s", math.inf)

    def _scoring_started(self, _event: events.ScoringStarted, _at: float) -> None:
        self.is_scoring = True

    def _count_done(self, at: float) -> None:
        self.done += 1
        if not self._samples or at - self._samples[-1][0] >= _SAMPLE_EVERY:
            self._samples.append((at, self.done))


class _OfRepeat(Protocol):
    @property
    def task_id(self) -> str | None: ...
    @property
    def repeat(self) -> int: ...


def _key_of(event: _OfRepeat) -> TaskRepeat:
    return TaskRepeat(event.task_id or "", event.repeat)
