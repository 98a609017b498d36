"""The figures that a service says beside the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner.results.service_figures import service_figures, weighted_score
from benchmark_runner.schemas import EvalResult, EvalStatus, ScoreResult

if TYPE_CHECKING:
    from pydantic import JsonValue

WHOLE: dict[str, JsonValue] = {
    "score_types": ["accuracy", "f1"],
    "primary_population": "overall",
    "results": {
        "math": {"scores": {"accuracy": {"value": 0.5, "stderr": 0.125}, "f1": {"value": 1}}},
        "overall": {
            "scores": {"accuracy": {"value": 0.25, "stderr": None, "extra": {"n": 4}}},
            "counts": {"total": 4},
        },
    },
    "tasks": [
        {"task_id": "t1", "category": "math", "tags": []},
        {"task_id": "t2", "category": "code"},
        {"task_id": "t3", "category": "math"},
    ],
}


def figures(said: Any, **metadata: Any) -> Any:
    metadata = {"vals_format.v1": said, **metadata}
    return service_figures(
        ScoreResult.model_validate(
            {"tasks_evaluated": [], "final_score": 0.5, "metadata": metadata}
        )
    )


def test_figures_are_read() -> None:
    """The scores of each category are read, the main one first, and the tasks are counted."""
    found = figures(WHOLE, mean_weighted_pass_percentage=0.75)
    assert [(each.name, each.text) for each in found.populations] == [
        ("overall", "accuracy 0.25"),
        ("math", "accuracy 0.5 ± 0.12, f1 1"),
    ]
    assert found.categories == {"math": 2, "code": 1}
    assert found.weighted_mean == 0.75
    assert found.facts()["populations"][0]["scores"][0]["stderr"] is None


def test_nothing_is_said() -> None:
    """A score without them has no figures."""
    assert not service_figures(None)
    assert service_figures(ScoreResult(tasks_evaluated=[], final_score=0)).facts() is None


@pytest.mark.parametrize(
    "said",
    [
        None,
        7,
        "text",
        [],
        [{}],
        {"results": None, "tasks": None},
        {"results": [], "tasks": {}},
        {"results": {"a": None, "b": 7, "c": {"scores": []}, "d": {"scores": {"x": 7}}}},
        {"results": {"a": {"scores": {"x": {"value": "0.5"}, "y": {"value": None}}}}},
        {"results": {"a": {"scores": {"x": {"value": 1e300}}}}},
        {"tasks": [None, 7, {}, {"category": 7}, {"category": " "}, {"category": ["a"]}]},
        {"primary_population": {"a": 1}},
    ],
)
def test_malformed_figures_are_left_out(said: Any) -> None:
    """Figures that are not well formed are left out."""
    assert not figures(said, mean_weighted_pass_percentage="much")


def test_many_figures_are_cut() -> None:
    """Of many categories and long names only a part is kept, without control characters."""
    scores = {f"s{number}": {"value": number} for number in range(100)}
    found = figures(
        {
            "results": {f"{number}\x1b[31m{'x' * 500}": {"scores": scores} for number in range(99)},
            "tasks": [{"category": f"c{number}"} for number in range(1000)],
        }
    )
    assert len(found.populations) == 40
    assert found.left_out_text == "… and 59 more populations"
    assert len(found.categories) == 40
    assert all(len(each.name) <= 60 and each.name.isprintable() for each in found.populations)
    assert len(found.populations[0].scores) == 8


@pytest.mark.parametrize(
    ("result", "weighted"),
    [
        ({"weighted_pass_percentage": 0.5}, 0.5),
        ({"pass_percentage_with_weight": 0.25}, 0.25),
        ({"weighted_pass_percentage": 0.5, "pass_percentage_with_weight": 1}, 0.5),
        ({"weighted_pass_percentage": "half"}, None),
        ({"weighted_pass_percentage": 1e300}, None),
        ({}, None),
        (0.5, None),
        ([0.5], None),
        (None, None),
    ],
)
def test_weighted_score_of_a_task(result: Any, weighted: float | None) -> None:
    """The weighted score is read under either name, if it is a number."""
    evaluation = EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result=result)
    assert weighted_score(evaluation) == weighted
    assert weighted_score(None) is None
