"""The forecast of a run's cost and end, from its events."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmark_runner._progress.events import GenerationFinished, InvocationStarted
from benchmark_runner._spend import Spend
from benchmark_runner._stats.forecast import Forecast, Range, forecast
from benchmark_runner._stats.means import RunningMean
from benchmark_runner._stats.survival import Bin, History

#: Seconds for which a forecast is shown before the next is made.
_EVERY = 1.0


class RunForecast:
    """The forecast of a run in progress, from the generations that have finished and what is left.

    The time between generations counts as it was so far: of very short ones it is most of all.
    Evaluations run beside. Where they take longer, as many at a time as may, the end is theirs.

    Attributes:
        max_cost: The cost in US dollars at which no new task starts, if there is one.
    """

    def __init__(self) -> None:
        self.max_cost: float | None = None
        self._history = History()
        self._waiting = self._parallelism = self._eval_parallelism = 0
        self._limit: float | None = None
        self._began_at = self._busy = 0.0
        self._finished = 0
        self._evaluations = RunningMean()
        self._made_at: float | None = None
        self._made: Forecast | None = None

    def begin(self, started: InvocationStarted, at: float) -> None:
        """Take a command into account, beside others that go on."""
        if not self._parallelism:
            self._began_at = at
        self.max_cost = started.max_cost
        self._limit = started.timeout
        self._waiting += started.to_generate
        self._parallelism += started.parallelism
        self._eval_parallelism += started.eval_parallelism
        if not self._history.count:
            for jobs in started.finished:
                self._history.add_bin(Bin(*jobs))

    def start_generation(self) -> None:
        """Take into account that a generation has started."""
        self._waiting -= self._waiting > 0

    def finish_generation(self, event: GenerationFinished) -> None:
        """Take the duration and the cost of a generation into account."""
        self._history.add(event.duration, event.cost)
        self._finished += 1
        self._busy += event.duration

    def finish_evaluation(self, seconds: float | None) -> None:
        """Take the duration of an evaluation into account."""
        if seconds is not None:
            self._evaluations.add(seconds)

    def forecast(
        self, now: float, spend: Spend, elapsed: Callable[[], Sequence[float]], to_evaluate: int
    ) -> Forecast | None:
        """Return the forecast; ``None`` with nothing left to generate, or too little to say.

        Args:
            now: The time.
            spend: The cost so far.
            elapsed: Returns the seconds that each running generation has taken.
            to_evaluate: Number of generations, present and future, that are to be evaluated.
        """
        if self._made_at is None or not 0 <= now - self._made_at < _EVERY:
            self._made_at, self._made = now, self._make(now, spend, elapsed(), to_evaluate)
        return self._made

    def _make(
        self, now: float, spend: Spend, elapsed: Sequence[float], to_evaluate: int
    ) -> Forecast | None:
        capped = self.max_cost is not None and spend.dollars >= self.max_cost
        waiting = 0 if capped else self._waiting
        if not elapsed and not waiting:
            return None
        found = forecast(
            self._history,
            elapsed=elapsed,
            waiting=waiting,
            parallelism=self._parallelism,
            spent=spend.dollars,
            limit=self._limit,
        )
        if found is None:
            return None
        idle = self._parallelism * (now - self._began_at) - self._busy - sum(elapsed)
        between = max(idle, 0.0) / max(self._finished, 1) * waiting / max(self._parallelism, 1)
        each = self._evaluations.mean
        least = each * to_evaluate / max(self._eval_parallelism, 1)
        middle, low, high = (
            max(seconds + between + each, least)
            for seconds in (found.seconds.middle, found.seconds.low, found.seconds.high)
        )
        return replace(found, seconds=Range(middle, low, high))
