"""The costs and times of a run that is compared."""

from __future__ import annotations

from benchmark_runner.results.compare.side import Total, mean_of_known
from benchmark_runner.schemas import GenerationResult
from tests.unit.results.compare.two_runs import MISSING, TwoRuns


class TestWhatWasSpent:
    def test_costs_and_times_are_of_the_whole_run(self, runs: TwoRuns) -> None:
        """Costs and times are summed over the whole run."""
        runs.write("a", {"x": 1.0, "y": 1.0}, generation={"cost": 0.25, "duration": 2.0})

        side = runs.side("a")

        assert (side.cost, side.seconds) == (Total(0.5, 0), Total(4.0, 0))
        assert (side.tasks["x"].cost, side.tasks["x"].seconds) == (0.25, 2.0)

    def test_unrecorded_spend_is_not_0(self, runs: TwoRuns) -> None:
        """A cost or time that is not recorded is counted as unknown, not as 0."""
        runs.write("a", {"x": 1.0, "y": 1.0, "z": MISSING})
        runs.write("b", {"x": 1.0, "y": 1.0, "z": MISSING})
        paid = GenerationResult(task_id="x", cost=0.0, duration=1.5)
        runs.artifacts["b"].save_generation("x", paid)

        a, b = runs.side("a"), runs.side("b")

        assert (a.cost, a.seconds) == (Total(None, 2), Total(None, 2))
        assert (b.cost, b.seconds) == (Total(0.0, 1), Total(1.5, 1))

    def test_earlier_attempts_count(self, runs: TwoRuns) -> None:
        """The cost of an earlier attempt counts."""
        runs.write("a", {"x": 1.0}, generation={"cost": 0.25})
        made = runs.artifacts["a"]
        made.keep_attempt("x")
        made.save_generation("x", GenerationResult(task_id="x"))

        assert runs.side("a").cost == Total(0.25, 1)


def test_mean_is_of_known_values() -> None:
    """A mean is of the values that are known, with their number."""
    assert mean_of_known([1.0, None, 2.0]) == (1.5, 2)
    assert mean_of_known([None]) == (None, 0)
