"""The question of a run: the order of its tasks, and the verdict so far."""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner._stats.threshold_test import ThresholdSide, ThresholdTest
from benchmark_runner.errors import RunPausedError
from benchmark_runner.schemas import TaskRepeat

if TYPE_CHECKING:
    from benchmark_runner.checkpoint import RunConfig, Until


@dataclass(frozen=True, slots=True)
class QuestionVerdict:
    """The answer that the scores of a run give to its question so far.

    Attributes:
        side: The side that the mean score, or the mean difference, of all tasks is on; ``None`` if
            that is not settled.
        certain: True if no unknown score can change that.
        low: The lower bound of the mean, or of the mean difference.
        high: The upper bound.
        unusable: The reason why the scores can't answer it, if they can't; nor has it bounds then.
    """

    until: Until
    side: ThresholdSide | None
    certain: bool
    low: float
    high: float
    unusable: str | None = None


class Question:
    """The question of a run, to which scores are added in any order.

    Attributes:
        until: The question as it was asked.
        unusable: The error that ends the run, once a result has no score from 0 to 1; from then on
            nothing is settled.
    """

    def __init__(self, config: RunConfig, until: Until) -> None:
        chance = random.Random(until.seed)  # noqa: S311 (an order, no secret)
        # Only random() gives the same numbers in each version of Python.
        order = sorted(range(len(config.tasks)), key=lambda _: chance.random())
        self.until = until
        self.unusable: RunPausedError | None = None
        self._place = {config.tasks[at]: place for place, at in enumerate(order)}
        self._repeats = config.repeats
        self._verdict: QuestionVerdict | None = None
        self._sums = array("d", bytes(8 * len(order)))
        self._known = array("L", bytes(array("L").itemsize * len(order)))
        if until.baseline is not None:
            scores = [until.baseline[at] for at in order]
            self._test = ThresholdTest.of_difference(scores, until.alpha)
        else:
            self._test = ThresholdTest.of_mean(until.score or 0.0, len(order), until.alpha)

    def place(self, key: TaskRepeat) -> tuple[int, int]:
        """Return the sort key of a repeat in the order: those of a task are in succession."""
        return self._place[key.task_id], key.repeat

    def add(self, key: TaskRepeat, score: float | None, *, graded: bool) -> None:
        """Add the result of a repeat, which is ``graded`` if a grader has evaluated it."""
        self._verdict = None
        if score is None:
            if graded:
                self._refuse(key, "no numeric score")
            return
        if not 0 <= score <= 1:
            self._refuse(key, f"the score {score:g}")
            return
        place, repeats = self._place[key.task_id], self._repeats
        self._sums[place] += score
        self._known[place] += 1
        low, unknown = self._sums[place] / repeats, repeats - self._known[place]
        self._test.narrow(place, low, low + unknown / repeats)

    @property
    def side(self) -> ThresholdSide | None:
        """The side that is settled, if one is."""
        return None if self.unusable else self._test.side

    def verdict(self) -> QuestionVerdict:
        """Return the verdict, with the interval: that takes a while for many tasks."""
        if self._verdict is None:
            low, high = self._test.interval()
            why = self.unusable.message if self.unusable else None
            self._verdict = QuestionVerdict(
                self.until, self.side, self._test.certain, low, high, why
            )
        return self._verdict

    def _refuse(self, key: TaskRepeat, what: str) -> None:
        self.unusable = self.unusable or RunPausedError(
            f"task {str(key)!r} has {what}: the question needs scores from 0 to 1",
            hint="Resume the run without its question to complete it, or return such scores from "
            "task_score() in runner/benchmark.py.",
        )
