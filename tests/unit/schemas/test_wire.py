"""The shapes on the wire: what a service may answer, and what it is asked."""

from __future__ import annotations

import json

import pytest

from benchmark_runner.schemas import (
    Payload,
    TaskListResponse,
    V1EvaluateRequest,
    V1EvaluateResponse,
    V1ScoreResponse,
    VersionResponse,
)


class TestWire:
    def test_the_payload_names_its_schema_on_the_wire(self) -> None:
        """The field schema of the payload has that name in the request."""
        payload = Payload(type="text", schema="my-bench.text.v1", data="42")
        request = V1EvaluateRequest(run_id="r", task_id="t1", payload=payload)

        assert json.loads(request.model_dump_json(by_alias=True))["payload"] == {
            "type": "text",
            "schema": "my-bench.text.v1",
            "data": "42",
        }

    def test_reduced_answer_is_accepted(self) -> None:
        """The reduced answer to a trial tenant is accepted."""
        answer = V1EvaluateResponse.model_validate({"status": "error", "errors": "error"})

        assert (answer.status, answer.errors, answer.result) == ("error", ["error"], None)
        assert V1ScoreResponse.model_validate({"final_score": 0.5}).metadata == {}

    def test_any_field_of_the_version_may_be_null(self) -> None:
        """A field of the version answer may be null."""
        assert VersionResponse.model_validate({"service_version": None}).service_version is None

    @pytest.mark.parametrize(
        ("value", "text"),
        [("1.2", "1.2"), (1.2, "1.2"), ({"id": 2}, '{"id": 2}'), ([True], "[true]")],
    )
    def test_version_of_any_type_is_text(self, value: object, text: str) -> None:
        """A version that is no text is kept as one: neither it nor the grade beside it is lost."""
        listed = TaskListResponse.model_validate({"dataset_version": value, "tasks": []})
        answer = {"status": "evaluated", "evaluator_version": value, "errors": [value]}
        grade = V1EvaluateResponse.model_validate(answer)

        version = {"dataset_version": value, "dataset_version_selection": "perhaps"}
        assert VersionResponse.model_validate(version).dataset_version == text
        assert listed.dataset_version == text
        assert (grade.evaluator_version, grade.errors) == (text, [text])

    @pytest.mark.parametrize(
        ("errors", "texts"),
        [
            (["judge 2", None], ["judge 2"]),
            ({"judge": 2}, ['{"judge": 2}']),
            (5, ["5"]),
            (None, []),
        ],
    )
    def test_odd_errors_lose_no_grade(self, errors: object, texts: list[str]) -> None:
        """Errors beside a grade may be anything: the grade is paid for."""
        answer = {"status": "evaluated", "result": 1.0, "errors": errors}
        grade = V1EvaluateResponse.model_validate(answer)

        assert (grade.result, grade.errors) == (1.0, texts)

    def test_ids_may_be_numbers(self) -> None:
        """An id that a service sends as a number is the same in text."""
        grade = V1EvaluateResponse.model_validate({"status": "error", "run_id": 7, "task_id": 5})
        score = V1ScoreResponse.model_validate(
            {"run_id": 7, "tasks_evaluated": [5], "final_score": 1}
        )

        assert (grade.run_id, grade.task_id) == (score.run_id, *score.tasks_evaluated) == ("7", "5")

    def test_unknown_fields_of_an_answer_are_accepted(self) -> None:
        """Unknown fields of an answer are accepted."""
        answer = TaskListResponse.model_validate({"tasks": [{"id": "t1"}], "next_page": None})

        assert answer.tasks == [{"id": "t1"}]
