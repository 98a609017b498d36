"""Figures in numbers and words that are short and not misread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.results.phrases import amount, bounds_text, number
from tests.fakes import FakeRunner, RunFolder, summarise

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "s", "0 s"),
        (0.000206, "s", "0.206 ms"),
        (5.25, "s", "5.25 s"),
        (59.99, "s", "60 s"),
        (125, "s", "2 min 5 s"),
        (7_260, "s", "2 h 1 min"),
        (0, "$", "$0.00"),
        (0.00171, "$", "$0.00171"),
        (0.5, "$", "$0.50"),
        (1234.5, "$", "$1,234.50"),
        (1234567, "tokens", "1,234,567"),
        (1 / 3, "", "0.3333"),
    ],
)
def test_a_quantity_has_its_unit(value: float, unit: str, said: str) -> None:
    """A quantity is shown with its unit."""
    assert amount(value, unit) == said


def test_scores_have_four_digits() -> None:
    """Scores are shown with four digits."""
    assert [number(value) for value in (1.0, 2 / 3, 66.666_66)] == ["1", "0.6667", "66.67"]


@pytest.mark.parametrize(
    ("owed", "said"),
    [
        ([], "Bounds: none, as every task counts; there is no error that could be 0 or 1."),
        (["t2"], "0.5 to 1: the mean of all 2 tasks with the one without a score as 0, and as 1."),
        (
            ["t2", "t3"],
            "0.3333 to 1: the mean of all 3 tasks with the 2 without a score as 0, and as 1.",
        ),
    ],
)
def test_bounds_name_the_tasks_without_a_score(tmp_path: Path, owed: list[str], said: str) -> None:
    """The bounds of a mean name how many tasks could be 0 or 1."""
    run = RunFolder(tmp_path, durable=False)
    run.add_evaluation("t1", 1.0)
    text = bounds_text(summarise(FakeRunner(), run.artifacts, ["t1", *owed]))
    assert text.removeprefix("Bounds ") == said
