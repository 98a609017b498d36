from __future__ import annotations

import re

import pytest

from benchmark_runner._progress.events import (
    EvaluationFinished,
    EvaluationStopped,
    GenerationFinished,
    GenerationStarted,
    InvocationEnded,
)
from benchmark_runner._progress.render import (
    LONGEST_LINE,
    WIDEST,
    count_cells,
    render_line,
    render_rows,
)
from benchmark_runner._stats.forecast import FEWEST
from benchmark_runner.schemas import EvalStatus, GenerationStatus
from tests.unit._progress.sample_events import forecasting, generated, graded, started, tally

NOW = 200.0


def rows(**more: object) -> list[str]:
    return render_rows(forecasting(**more), NOW, str, columns=80, lines=20)


class TestForecast:
    def test_running_ones_count_as_longer(self) -> None:
        """The forecast is above the mean of the finished ones, which are the short ones."""
        counted = forecasting()
        found = counted.forecast(NOW)
        assert found is not None
        assert found.finished == 20
        assert found.dollars is not None
        assert found.dollars.low < 100 * counted.spend.dollars / 20 < found.dollars.high
        assert found.dollars.low > counted.spend.dollars
        counted.active.clear()  # as if none were running
        assert counted.forecast(NOW) is found  # for a second
        later = counted.forecast(NOW + 1.5)
        assert later is not None
        assert later is not found

    def test_too_few(self) -> None:
        """There is no forecast before a handful of generations has finished."""
        assert forecasting(FEWEST - 1).forecast(NOW) is None
        assert forecasting(FEWEST).forecast(NOW) is not None

    def test_earlier_commands_count(self) -> None:
        """Generations that earlier commands finished are data, too."""
        counted = forecasting(2, finished=((30, 0, 1500.0, 25.0, 21.0),))
        found = counted.forecast(NOW)
        assert found is not None
        assert found.finished == 32

    @pytest.mark.parametrize(
        "event", [EvaluationStopped("t1", "QuotaExceededError: used up"), InvocationEnded("failed")]
    )
    def test_stopped(self, event: EvaluationStopped | InvocationEnded) -> None:
        """There is no forecast once nothing new starts, or the command has ended."""
        counted = forecasting()
        counted.count(event, NOW)
        assert counted.forecast(NOW) is None

    def test_nothing_to_generate(self) -> None:
        """The rate of the evaluations tells the end of a run whose tasks are all generated."""
        counted = tally(begins=started(total=10, to_generate=0, to_evaluate=10))
        for second in range(1, 6):
            counted.count(graded(f"t{second}"), float(second))
        assert counted.forecast(5.0) is None
        assert "left" in render_line(counted, 5.0, str)

    def test_cap_ends_the_start_of_tasks(self) -> None:
        """Once the cost has reached its limit, only the running ones are still to come."""
        free, capped = (forecasting(max_cost=most).forecast(NOW) for most in (None, 5.0))
        assert free is not None
        assert capped is not None
        assert free.dollars is not None
        assert capped.dollars is not None
        assert capped.dollars.high < free.dollars.low

    def test_slow_evaluations(self) -> None:
        """The end is that of the evaluations if they take longer than the generations."""
        counted = forecasting(eval_parallelism=2)
        finished = EvaluationFinished("t1", EvalStatus.EVALUATED, None, 1.0, duration=600.0)
        counted.count(finished, NOW)
        found = counted.forecast(NOW)
        assert found is not None
        assert found.seconds.low >= 600 * 99 / 2

    def test_time_between_generations(self) -> None:
        """Of generations that take no time, the time between them is the time that is left."""
        counted = tally(begins=started(total=1100, parallelism=10))
        for second in range(1, 101):
            counted.count(GenerationStarted(f"t{second}"), float(second))
            event = GenerationFinished(f"t{second}", GenerationStatus.SUCCESS, None, 0.001)
            counted.count(event, float(second))
        found = counted.forecast(100.0)
        assert found is not None
        assert found.seconds.middle == pytest.approx(1000, rel=0.01)

    def test_timeout_bounds_the_end(self) -> None:
        """No generation is expected to take longer than the time limit."""
        counted = forecasting(timeout=90.0, to_generate=30, parallelism=30)
        found = counted.forecast(NOW)
        assert found is not None
        assert found.seconds.high <= 90


class TestShown:
    def test_cost_and_end(self) -> None:
        """A row shows the cost so far and in the end, and the time that is left, with bounds."""
        money = rows()[1]
        assert money.startswith("$19.50 of about $")
        assert "  ends in " in money
        assert money.count(" to ") == 2
        assert "left" not in "".join(rows())

    @pytest.mark.parametrize(
        ("most", "text"),
        [
            (1000.0, "at most $1,000.00"),
            (60.0, "at most $60.00: reached in about "),
            (10.0, "at most $10.00: reached"),
        ],
    )
    def test_cap_beside_it(self, most: float, text: str) -> None:
        """The limit of the cost stands beside it, with the time at which it is reached."""
        assert any(row.startswith(text) for row in rows(max_cost=most))
        may = rows(max_cost=100.0, cost=0.0)
        assert any("may be reached" in row for row in may)

    def test_cap_before_a_forecast(self) -> None:
        """The limit of the cost is shown from the beginning."""
        counted = tally(generated("t1", cost=2.0), begins=started(max_cost=50.0))
        assert "$2.00, at most $50.00" in render_line(counted, 0.0, str)

    def test_line_leaves_out_bounds(self) -> None:
        """A line that would be too long has the time and the limit before any bounds."""
        assert re.search(r"of about \$\d+ \(\$\d+ to", render_line(forecasting(), NOW, str))
        line = render_line(forecasting(max_cost=60.0), NOW, str)
        fits = r"\$19\.50 of about \$\d+, ends in [\d.]+ min, at most \$60\.00$"
        assert re.search(fits, line)
        assert count_cells(line) <= LONGEST_LINE

    def test_large_numbers_fit(self) -> None:
        """Rows and lines fit, whatever the numbers."""
        counted = forecasting(cost=1e9, cost_unknown=3, max_cost=2e9, input_tokens=10**12)
        found = render_rows(counted, NOW, str, columns=80, lines=20)
        assert max(map(count_cells, found)) < WIDEST
        assert "≥ $1,000,000,019.50 of about" in found[1]
        assert count_cells(render_line(counted, NOW, str)) <= LONGEST_LINE
