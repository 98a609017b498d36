"""The spend of a run, with what a forecast of the rest is made of."""

from dataclasses import dataclass, field

from benchmark_runner._spend import Spend, known_amount, known_cost
from benchmark_runner._stats.forecast import Forecast, Range, forecast
from benchmark_runner._stats.survival import History
from benchmark_runner.schemas import GenerationResult, ScoreCounts


@dataclass(slots=True)
class RunSpend(Spend):
    """The money and tokens that a run's generations took; ``history`` has their durations."""

    history: History = field(default_factory=History, compare=False)

    def add_generation(self, generation: GenerationResult) -> None:
        """Add what one generation recorded."""
        Spend.add_generation(self, generation)  # super() does not know a class with slots
        if (seconds := known_amount(generation.duration)) is not None:
            self.history.add(seconds, known_cost(generation))

    def forecast(self, waiting: int) -> Forecast | None:
        """Return the forecast of the cost of the whole run; ``None`` while there is too little.

        For a run that nobody works on: nothing of it is running.

        Args:
            waiting: Number of generations that are still to do.
        """
        return forecast(
            self.history, elapsed=(), waiting=waiting, parallelism=1, spent=self.dollars
        )

    def of_all(self, counts: ScoreCounts) -> float | None:
        """Return what all generations would cost, as those so far did; ``None`` if unknown.

        For a run that stops at a question: as its order is random, and what was started has
        ended, those so far are a sample.
        """
        if not self.dollars or not counts.attempted:
            return None
        return self.dollars * counts.total / counts.attempted

    def range_of_all(self, counts: ScoreCounts) -> Range | None:
        """Return that cost with its bounds; ``None`` while too few generations have finished."""
        middle, found = self.of_all(counts), self.forecast(counts.total - counts.attempted)
        if middle is None or found is None or (end := found.dollars) is None:
            return None
        return Range(middle, min(end.low, middle), max(end.high, middle))
