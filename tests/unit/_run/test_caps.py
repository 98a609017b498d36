"""When a run is to start no new task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.caps import IDENTICAL_ERRORS, Caps
from benchmark_runner._spend import Spend
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import GenerationResult, GenerationStatus, TokenUsage
from tests.fakes import spend_on_disk

if TYPE_CHECKING:
    from pathlib import Path


def cost(dollars: float | None) -> GenerationResult:
    return GenerationResult(cost=dollars)


def failed(error: str | None = "ValueError: no luck") -> GenerationResult:
    return GenerationResult(status=GenerationStatus.ERROR, error=error)


def count(caps: Caps, *generations: GenerationResult) -> None:
    for number, generation in enumerate(generations):
        caps.count(f"task-{number}", generation)


def said(caps: Caps) -> str:
    reached = caps.reached()
    assert reached is not None
    assert reached.hint
    assert reached.exit_code == 1
    return reached.message


class TestCosts:
    @pytest.mark.parametrize("unknown", [None, math.nan, math.inf, -math.inf, -1.0])
    def test_invalid_cost_is_unknown(self, unknown: float | None) -> None:
        """A cost that is missing, negative or not finite counts as unknown."""
        spend = Spend()
        spend.add_generation(cost(0.5))
        spend.add_generation(cost(unknown))
        spend.add_generation(cost(0))
        assert (spend.dollars, spend.unknown) == (0.5, 1)

    def test_earlier_attempts_count(self, tmp_path: Path) -> None:
        """The costs of earlier attempts count, too."""
        artifacts = RunArtifacts(tmp_path, "r1")
        for dollars in (1.0, 2.0, None):
            artifacts.prepare_task("t1")
            artifacts.save_generation("t1", cost(dollars))
        artifacts.save_generation("t2", cost(4.0))
        artifacts.keep_attempt("t2")
        artifacts.save_generation("t3", cost(8.0))

        spend = spend_on_disk(artifacts, ["t1", "t2", "t4"])

        assert (spend.dollars, spend.unknown) == (7.0, 1)

    def test_interrupted_move_counts_once(self, tmp_path: Path) -> None:
        """An attempt whose move was interrupted counts once."""
        artifacts = RunArtifacts(tmp_path, "r1")
        artifacts.save_generation("t1", cost(1.0))
        artifacts.keep_attempt("t1")
        (tmp_path / "r1" / "t1" / "attempts" / "1").rename(
            tmp_path / "r1" / "t1" / "attempts" / ".moving"
        )
        assert spend_on_disk(artifacts, ["t1"]).dollars == 1.0
        artifacts.keep_attempt("t1")
        assert spend_on_disk(artifacts, ["t1"]).dollars == 1.0

    def test_unreadable_attempt_is_left_out(self, tmp_path: Path) -> None:
        """An earlier attempt that can't be read is left out."""
        artifacts = RunArtifacts(tmp_path, "r1")
        artifacts.save_generation("t1", cost(1.0))
        artifacts.keep_attempt("t1")
        (tmp_path / "r1" / "t1" / "attempts" / "1" / "generation.json").write_text("{")
        assert spend_on_disk(artifacts, ["t1"]).dollars == 0.0
        assert artifacts.set_aside == []


class TestMaxCost:
    def test_max_cost_is_reached_by_recorded_costs(self) -> None:
        """--max-cost is reached by the sum of the recorded costs."""
        caps = Caps(max_cost=1.0)
        count(caps, cost(0.5), cost(0.25))
        assert caps.reached() is None
        count(caps, cost(0.25))
        assert said(caps) == "paused at a cost of $1.00: --max-cost is 1"

    def test_earlier_cost_counts(self) -> None:
        """Costs of earlier invocations count."""
        caps = Caps(max_cost=1.0, spend=Spend(dollars=1.5))
        assert "$1.50" in said(caps)

    def test_unknown_costs_are_reported(self) -> None:
        """Unknown costs do not count, and the message gives their number."""
        caps = Caps(max_cost=1.0)
        count(caps, cost(None), cost(None))
        assert caps.reached() is None
        count(caps, cost(1.0))
        assert "(2 generations without a recorded cost not counted)" in said(caps)

    def test_failed_generations_cost_too(self) -> None:
        """Failed generations cost, too."""
        caps = Caps(max_cost=1.0)
        count(caps, failed().model_copy(update={"cost": 2.0}))
        assert "--max-cost" in said(caps)

    def test_max_cost_of_zero_allows_nothing(self) -> None:
        """A --max-cost of 0 allows no generation."""
        assert "--max-cost is 0" in said(Caps(max_cost=0.0))

    def test_no_max_cost_allows_everything(self) -> None:
        """Without --max-cost no cost is too much."""
        caps = Caps()
        count(caps, cost(1e9))
        assert caps.reached() is None


class TestMaxErrors:
    def test_max_errors_counts_any_error(self) -> None:
        """--max-errors is reached by errors of any kind."""
        caps = Caps(max_errors=2)
        count(caps, failed("ValueError: a"), cost(1.0))
        assert caps.reached() is None
        count(caps, failed("KeyError: b"))
        assert said(caps) == "paused after 2 generation errors: --max-errors is 2"

    @pytest.mark.parametrize("status", [s for s in GenerationStatus if s != "error"])
    def test_outcomes_are_no_errors(self, status: GenerationStatus) -> None:
        """Outcomes such as a timeout are no errors."""
        caps = Caps(max_errors=1)
        count(caps, GenerationResult(status=status))
        assert caps.reached() is None


class TestIdenticalErrors:
    def test_ten_identical_errors_pause_the_run(self) -> None:
        """Ten identical errors in a row pause the run."""
        assert IDENTICAL_ERRORS == 10
        caps = Caps()
        count(caps, *[failed()] * 9)
        assert caps.reached() is None
        count(caps, failed())
        assert said(caps) == (
            "paused after 10 generations in a row failed in the same way: ValueError: no luck"
        )

    def test_repeats_of_a_task_count_once(self) -> None:
        """Errors of the repeats of one task count as one, as another task may do well."""
        caps = Caps()
        for number in range(10):
            assert caps.reached() is None
            for _ in range(10):
                caps.count(f"t{number}", failed())
        assert "paused after 10 generations" in said(caps)

    def test_task_id_in_an_error_is_ignored(self) -> None:
        """Errors that differ only in the task's id are identical."""
        caps = Caps()
        for number in range(10):
            caps.count(f"t{number}", failed(f"KeyError: 't{number}' is not there (t{number})"))
        assert "KeyError: … is not there (…)" in said(caps)

    @pytest.mark.parametrize(
        "between",
        [
            GenerationResult(),
            GenerationResult(status=GenerationStatus.MAX_TIME),
            GenerationResult(status=GenerationStatus.MAX_TURNS),
            failed("KeyError: other"),
        ],
    )
    def test_other_outcome_resets_the_count(self, between: GenerationResult) -> None:
        """Any other outcome in between resets the count."""
        caps = Caps()
        count(caps, *[failed()] * 9, between, *[failed()] * 9)
        assert caps.reached() is None
        count(caps, failed())
        assert caps.reached() is not None

    def test_errors_without_a_reason_are_identical(self) -> None:
        """Errors without a reason are identical."""
        caps = Caps()
        count(caps, *[failed(None)] * 9)
        assert caps.reached() is None
        count(caps, failed(None))
        assert "no reason given" in said(caps)


def timed_out(**signs: object) -> GenerationResult:
    return GenerationResult(status=GenerationStatus.MAX_TIME, error="no answer within 1 s", **signs)


class TestSilentTimeouts:
    def test_ten_timeouts_without_a_sign_pause_the_run(self) -> None:
        """Ten timeouts in a row without a sign of an answer pause the run."""
        caps = Caps()
        count(caps, GenerationResult(), *[timed_out()] * 9)
        assert caps.reached() is None
        count(caps, timed_out(usage=TokenUsage(input=0, output=None), cost=0.0))
        reached = caps.reached()
        assert reached is not None
        assert reached.resume_with == ("--retry-timeouts",)
        assert said(caps) == (
            "paused after 10 generations ran out of time, without a success and without any sign "
            "of an answer in between: no answer within 1 s"
        )

    @pytest.mark.parametrize(
        "between",
        [
            GenerationResult(answer="42"),
            GenerationResult(status=GenerationStatus.MAX_TURNS),
            timed_out(usage=TokenUsage(output=1)),
            timed_out(total_turns=1),
            timed_out(answer="half an ans"),
            timed_out(cost=0.01),
            failed().model_copy(update={"total_turns": 3}),
        ],
    )
    def test_sign_of_an_answer_resets_the_count(self, between: GenerationResult) -> None:
        """Any sign that a model answered in between resets the count."""
        caps = Caps()
        count(caps, *[timed_out()] * 9, between, *[timed_out()] * 9)
        assert caps.reached() is None
        assert caps.reached_at_end() is None

    def test_errors_in_between_are_no_sign(self) -> None:
        """Errors in between, such as those of the same outage, are no sign of an answer."""
        caps = Caps()
        count(caps, *[timed_out(), failed()] * 10)
        assert "ran out of time" in said(caps)

    def test_last_tasks_count_if_none_was_answered(self) -> None:
        """At the end of a run, ten timeouts count only if no task was answered."""
        caps = Caps()
        count(caps, *[timed_out()] * 10)
        assert caps.reached_at_end() is not None
        caps = Caps()
        count(caps, GenerationResult(), *[timed_out()] * 20)
        assert caps.reached_at_end() is None
