from __future__ import annotations

import random
import statistics

import pytest

from benchmark_runner._stats.means import standard_error
from benchmark_runner._stats.running_mean import RunningMean


class TestRunningMean:
    def test_mean_and_error_of_what_comes_one_by_one_are_those_of_all(self) -> None:
        chance = random.Random(1)
        numbers = [1e9 + chance.random() for _ in range(1000)]
        running = RunningMean()
        for number in numbers:
            running.add(number)
        assert running.mean == pytest.approx(statistics.fmean(numbers), rel=1e-14)
        assert running.stderr == pytest.approx(standard_error(numbers), rel=1e-6)

    def test_it_goes_on_from_what_stood_before(self) -> None:
        before, after = [0.0, 1.0, 1.0], [0.5, 0.25]
        running = RunningMean.of(3, statistics.fmean(before), standard_error(before))
        for number in after:
            running.add(number)
        assert running.count == 5
        assert running.mean == pytest.approx(statistics.fmean(before + after))
        assert running.stderr == pytest.approx(standard_error(before + after))

    def test_below_two_scores_there_is_no_error(self) -> None:
        running = RunningMean.of(0, None, None)
        assert (running.count, running.stderr) == (0, None)
        running.add(0.25)
        assert (running.mean, running.stderr) == (0.25, None)
        assert RunningMean.of(1, 0.25, None) == running
