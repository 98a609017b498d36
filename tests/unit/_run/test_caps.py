"""When a run is to start no new task."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._run.caps import IDENTICAL_ERRORS, Caps
from benchmark_runner._spend import Spend
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.schemas import GenerationResult, GenerationStatus
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
    def test_what_is_no_amount_is_not_known(self, unknown: float | None) -> None:
        spend = Spend()
        spend.add_generation(cost(0.5))
        spend.add_generation(cost(unknown))
        spend.add_generation(cost(0))
        assert (spend.dollars, spend.unknown) == (0.5, 1)

    def test_earlier_attempts_were_paid_for_too(self, tmp_path: Path) -> None:
        artifacts = RunArtifacts(tmp_path, "r1")
        for dollars in (1.0, 2.0, None):
            artifacts.prepare_task("t1")
            artifacts.save_generation("t1", cost(dollars))
        artifacts.save_generation("t2", cost(4.0))
        artifacts.keep_attempt("t2")
        artifacts.save_generation("t3", cost(8.0))

        spend = spend_on_disk(artifacts, ["t1", "t2", "t4"])

        assert (spend.dollars, spend.unknown) == (7.0, 1)

    def test_an_attempt_that_was_being_put_away_counts_once(self, tmp_path: Path) -> None:
        artifacts = RunArtifacts(tmp_path, "r1")
        artifacts.save_generation("t1", cost(1.0))
        artifacts.keep_attempt("t1")
        (tmp_path / "r1" / "t1" / "attempts" / "1").rename(
            tmp_path / "r1" / "t1" / "attempts" / ".moving"
        )
        assert spend_on_disk(artifacts, ["t1"]).dollars == 1.0
        artifacts.keep_attempt("t1")
        assert spend_on_disk(artifacts, ["t1"]).dollars == 1.0

    def test_an_earlier_attempt_that_can_not_be_read_is_left_out(self, tmp_path: Path) -> None:
        artifacts = RunArtifacts(tmp_path, "r1")
        artifacts.save_generation("t1", cost(1.0))
        artifacts.keep_attempt("t1")
        (tmp_path / "r1" / "t1" / "attempts" / "1" / "generation.json").write_text("{")
        assert spend_on_disk(artifacts, ["t1"]).dollars == 0.0
        assert artifacts.set_aside == []


class TestMaxCost:
    def test_it_is_reached_by_what_is_recorded(self) -> None:
        caps = Caps(max_cost=1.0)
        count(caps, cost(0.5), cost(0.25))
        assert caps.reached() is None
        count(caps, cost(0.25))
        assert said(caps) == "paused at a cost of $1.00: --max-cost is 1"

    def test_what_was_paid_before_counts(self) -> None:
        caps = Caps(max_cost=1.0, spend=Spend(dollars=1.5))
        assert "$1.50" in said(caps)

    def test_unknown_costs_are_said_and_do_not_count(self) -> None:
        caps = Caps(max_cost=1.0)
        count(caps, cost(None), cost(None))
        assert caps.reached() is None
        count(caps, cost(1.0))
        assert "(2 generation(s) without a recorded cost not counted)" in said(caps)

    def test_failed_generations_cost_too(self) -> None:
        caps = Caps(max_cost=1.0)
        count(caps, failed().model_copy(update={"cost": 2.0}))
        assert "--max-cost" in said(caps)

    def test_zero_allows_nothing(self) -> None:
        assert "--max-cost is 0" in said(Caps(max_cost=0.0))

    def test_without_it_no_cost_is_too_much(self) -> None:
        caps = Caps()
        count(caps, cost(1e9))
        assert caps.reached() is None


class TestMaxErrors:
    def test_it_is_reached_by_errors_of_any_kind(self) -> None:
        caps = Caps(max_errors=2)
        count(caps, failed("ValueError: a"), cost(1.0))
        assert caps.reached() is None
        count(caps, failed("KeyError: b"))
        assert said(caps) == "paused after 2 generation error(s): --max-errors is 2"

    @pytest.mark.parametrize("status", [s for s in GenerationStatus if s != "error"])
    def test_outcomes_are_no_errors(self, status: GenerationStatus) -> None:
        caps = Caps(max_errors=1)
        count(caps, GenerationResult(status=status))
        assert caps.reached() is None


class TestIdenticalErrors:
    def test_ten_in_a_row_are_enough(self) -> None:
        assert IDENTICAL_ERRORS == 10
        caps = Caps()
        count(caps, *[failed()] * 9)
        assert caps.reached() is None
        count(caps, failed())
        assert said(caps) == (
            "paused after 10 generations in a row failed in the same way: ValueError: no luck"
        )

    def test_the_tasks_own_name_makes_no_difference(self) -> None:
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
    def test_anything_else_in_between_starts_the_count_anew(
        self, between: GenerationResult
    ) -> None:
        caps = Caps()
        count(caps, *[failed()] * 9, between, *[failed()] * 9)
        assert caps.reached() is None
        count(caps, failed())
        assert caps.reached() is not None

    def test_errors_without_a_reason_are_identical(self) -> None:
        caps = Caps()
        count(caps, *[failed(None)] * 9)
        assert caps.reached() is None
        count(caps, failed(None))
        assert "no reason given" in said(caps)
