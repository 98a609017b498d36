"""Tests of the grader."""

import pytest

from runner.grader import grade


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        ("Paris", " paris. "),
        ("Eiffel Tower", "The  Eiffel\nTower"),
        ("1000", "1,000"),
        ("2.5", "2.50"),
        (42, "42"),
        (["UK", "United Kingdom"], "united kingdom"),
    ],
)
def test_the_same_answer_written_otherwise_passes(answer: object, response: str) -> None:
    assert grade({"id": "t", "answer": answer}, response)["score"] == 1.0


@pytest.mark.parametrize(
    ("answer", "response"),
    [("Paris", "London"), ("5", "-5"), ("1000", "1,00"), ("Paris", ""), ("2.5", "25")],
)
def test_another_answer_fails(answer: object, response: str) -> None:
    assert grade({"id": "t", "answer": answer}, response)["score"] == 0.0


def test_a_result_does_not_tell_the_reference() -> None:
    result = grade({"id": "t", "answer": "cat-on-the-roof"}, "dog")
    assert "cat-on-the-roof" not in str(result)


def test_a_task_without_a_reference_is_an_error() -> None:
    with pytest.raises(ValueError, match="'t' has no answer"):
        grade({"id": "t"}, "dog")
