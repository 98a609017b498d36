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
        ({"instance_id": "t1", "resolved": True}, 1.0),
        ({"resolved": False, "weighted_pass_percentage": 0.5}, 0.0),
        ({"verifier_result": {"rewards": {"score": 0.5}}}, 0.5),
        ({"verifier_result": None, "weighted_pass_percentage": 0.25}, 0.25),
        ({"score": 2, "resolved": False}, 2.0),
    ],
)
def test_number_or_object_has_a_score(result: JsonValue, score: float) -> None:
    """A number is its score; an object's is the first known field that is there."""
    assert default_task_score(result) == score


@pytest.mark.parametrize("result", [100, 87.5, -3, {"pass_percentage": 87.5}, {"score": -3}])
def test_a_score_is_never_rescaled(result: JsonValue) -> None:
    """A score is taken as it is and never rescaled."""
    number = next(iter(result.values())) if isinstance(result, dict) else result

    assert default_task_score(result) == number


@pytest.mark.parametrize(
    "result",
    [
        *(None, "0.5", "", [], [1.0], {}),
        *({"passed": True}, {"score": "high"}, {"score": [1]}, {"resolved": 1}),
        *({"verifier_result": {"rewards": 1.0}}, {"verifier_result": [1.0]}),
    ],
)
def test_result_without_a_number_is_unknown(result: JsonValue) -> None:
    """A result without a number has no score."""
    assert default_task_score(result) is None


@pytest.mark.parametrize(
    "result", [math.nan, math.inf, -math.inf, {"pass_percentage": math.nan}, {"score": math.inf}]
)
def test_number_that_is_not_finite_is_unknown(result: JsonValue) -> None:
    """A number that is not finite is no score."""
    assert default_task_score(result) is None


def test_huge_whole_number_is_unknown() -> None:
    """A number that is too large to count with is no score."""
    for score in (10**400, 1e308, -1e308):
        assert default_task_score({"score": score}) is None
