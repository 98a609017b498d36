from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from benchmark_runner._scores import default_task_score

if TYPE_CHECKING:
    from pydantic import JsonValue


@pytest.mark.parametrize(
    ("result", "score"),
    [
        (0.25, 0.25),
        (1, 1.0),
        (0, 0.0),
        (True, 1.0),
        (False, 0.0),
        ({"pass_percentage": 0.5}, 0.5),
        ({"score": 0.75}, 0.75),
        ({"pass_percentage": True}, 1.0),
        ({"pass_percentage": 0.5, "score": 0.75}, 0.5),
        ({"pass_percentage": 0, "score": 0.75}, 0.0),
        ({"pass_percentage": None, "score": 0.75}, 0.75),
    ],
)
def test_a_number_counts_itself_and_an_object_its_pass_percentage_or_its_score(
    result: JsonValue, score: float
) -> None:
    assert default_task_score(result) == score


@pytest.mark.parametrize("result", [100, 87.5, -3, {"pass_percentage": 87.5}, {"score": -3}])
def test_a_score_is_never_rescaled(result: JsonValue) -> None:
    number = next(iter(result.values())) if isinstance(result, dict) else result

    assert default_task_score(result) == number


@pytest.mark.parametrize(
    "result", [None, "0.5", "", [], [1.0], {}, {"passed": True}, {"score": "high"}, {"score": [1]}]
)
def test_a_result_without_a_number_counts_as_unknown(result: JsonValue) -> None:
    assert default_task_score(result) is None


@pytest.mark.parametrize(
    "result", [math.nan, math.inf, -math.inf, {"pass_percentage": math.nan}, {"score": math.inf}]
)
def test_a_number_that_is_not_finite_counts_as_unknown(result: JsonValue) -> None:
    assert default_task_score(result) is None


def test_a_whole_number_too_large_for_a_float_counts_as_unknown() -> None:
    assert default_task_score({"score": 10**400}) is None
