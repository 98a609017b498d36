from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.scoring import default_task_score, mean, standard_error

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


@pytest.mark.parametrize(
    "scores",
    [
        [0.0, 1.0],
        [1.0, 0.0, 0.0, 1.0, 1.0, 0.5],
        [0.1] * 10,
        [1e9 + 1, 1e9 + 2, 1e9 + 4],
        [index / 97 for index in range(500)],
    ],
)
def test_mean_and_standard_error_agree_with_an_independent_computation(
    scores: list[float],
) -> None:
    error = statistics.stdev(scores) / math.sqrt(len(scores))

    assert mean(scores) == pytest.approx(statistics.fmean(scores), rel=1e-12)
    assert standard_error(scores) == pytest.approx(error, rel=1e-9, abs=1e-15)


def test_without_scores_there_is_neither_mean_nor_standard_error() -> None:
    assert mean([]) is None
    assert standard_error([]) is None


def test_one_score_has_a_mean_and_no_standard_error() -> None:
    assert mean([0.5]) == 0.5
    assert standard_error([0.5]) is None
