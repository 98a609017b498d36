from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from benchmark_runner.schemas import (
    EvalResult,
    EvalResultData,
    EvalStatus,
    FinalScoreRequest,
    FinalScoreResponse,
    GenerationResult,
    GenerationStatus,
    ScoreResult,
    Task,
    TokenUsage,
    safe_path_segment,
)

if TYPE_CHECKING:
    from pydantic import JsonValue


class TestIds:
    @pytest.mark.parametrize(
        "value", ["t1", "task-1.2_x", "frage-ü", "日本語", ".hidden", "with space", "x" * 200]
    )
    def test_safe_folder_name_is_an_id(self, value: str) -> None:
        """A text that can name a folder is an id."""
        assert safe_path_segment(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            ".",
            "..",
            "a/b",
            "/etc",
            "../up",
            "a\\b",
            "a\nb",
            "a\0b",
            "a\x1b[31m",
            "a\u202eb",
            " a",
            "a ",
            "\ud800",
            "x" * 201,
            "é" * 101,
        ],
    )
    def test_unsafe_folder_name_is_no_id(self, value: str) -> None:
        """A text that can't name a folder is no id."""
        with pytest.raises(ValueError, match="id"):
            safe_path_segment(value)

    def test_name_outside_the_encoding_is_no_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name that the locale's encoding has no bytes for is no id."""
        monkeypatch.setattr(os, "fsencode", lambda name: name.encode("ascii"))
        with pytest.raises(ValueError, match="PYTHONUTF8=1"):
            safe_path_segment("frage-ü")

    @pytest.mark.parametrize("value", ["run_config.json", "final_score.json", "Final_Score.JSON"])
    def test_own_file_names_are_no_ids(self, value: str) -> None:
        """The name of a file of the framework is no id, in any case."""
        with pytest.raises(ValueError, match="framework uses itself"):
            safe_path_segment(value)


class TestTask:
    def test_task_needs_id_and_question_only(self) -> None:
        """A task needs only an id and a question."""
        task = Task(id="t1", question="2+2?")

        assert (task.id, task.question, task.timeout) == ("t1", "2+2?", None)

    def test_extra_fields_of_the_dataset_are_kept(self) -> None:
        """Extra fields of the dataset are kept in the task."""
        task = Task.model_validate({"id": "t1", "question": "q", "category": {"level": [1, 2]}})

        assert task.model_extra == {"category": {"level": [1, 2]}}

    def test_a_whole_number_as_id_becomes_its_digits(self) -> None:
        """A whole number as id becomes its digits."""
        assert Task.model_validate({"id": 7, "question": "q"}).id == "7"

    @pytest.mark.parametrize("value", [True, None, 1.0, ["t1"], "a/b", ""])
    def test_unsafe_task_id_is_refused(self, value: object) -> None:
        """A task id of another type, or one that is not safe, is refused."""
        with pytest.raises(ValidationError, match="id"):
            Task.model_validate({"id": value, "question": "q"})

    @pytest.mark.parametrize(("given", "seconds"), [(30, 30.0), (0.5, 0.5), (0, 0.0), (-1, -1.0)])
    def test_the_time_limit_is_kept_as_given(self, given: float, seconds: float) -> None:
        """The time limit of a task is kept as it was given."""
        assert Task(id="t1", question="q", timeout=given).timeout == seconds

    def test_declared_field_is_validated(self) -> None:
        """A field that the author's task class declares is validated."""

        class DockerTask(Task):
            docker_image: str

        with pytest.raises(ValidationError, match="docker_image"):
            DockerTask.model_validate({"id": "t1", "question": "q"})


class TestGenerationResult:
    def test_answer_is_another_name_for_data_on_input(self) -> None:
        """Input may name the data answer."""
        assert GenerationResult.model_validate({"answer": "42"}).data == "42"
        assert GenerationResult(answer="42").data == "42"  # pyright: ignore[reportCallIssue]

    def test_data_wins_over_answer(self) -> None:
        """If both are given, data wins over answer."""
        assert GenerationResult.model_validate({"answer": "old", "data": "new"}).data == "new"

    def test_answer_is_written_beside_data(self) -> None:
        """The file has both data and answer, with the same value."""
        written = json.loads(GenerationResult(data="42").model_dump_json())

        assert written["data"] == written["answer"] == "42"

    def test_answer_follows_data(self) -> None:
        """A copy with other data has the answer that belongs to it."""
        result = GenerationResult(data="old").model_copy(update={"data": "new"})

        assert result.answer == "new"
        assert result.model_dump()["answer"] == "new"

    def test_the_input_of_the_caller_is_left_as_it_was(self) -> None:
        """Validation does not change the caller's input."""
        given = {"answer": "42"}
        GenerationResult.model_validate(given)

        assert given == {"answer": "42"}

    def test_every_field_is_optional(self) -> None:
        """A generation without arguments is a success with empty fields."""
        result = GenerationResult()

        assert (result.status, result.data, result.metadata) == ("success", "", {})
        assert result.usage is None
        assert result.cost is None

    def test_generation_round_trips(self) -> None:
        """A generation that is written reads as it was."""
        result = GenerationResult(
            task_id="t1",
            status=GenerationStatus.MAX_TURNS,
            data="half\nan answer ü \u2028",
            question="q",
            model="m",
            total_turns=3,
            error="none",
            log_dir="logs",
            generation_version="v7",
            started_at=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
            ended_at=datetime(2026, 1, 2, 3, 5, tzinfo=UTC),
            duration=54.25,
            attempts=2,
            usage=TokenUsage(input=10, output=0, reasoning=None, cache_read=4, cache_write=1),
            cost=0.0,
            stop_reason="max_turns",
            metadata={"steps": [1, None, {"x": "y"}]},
        )

        assert GenerationResult.model_validate_json(result.model_dump_json()) == result

    def test_unknown_tokens_and_cost_are_null(self) -> None:
        """Unknown numbers of tokens and an unknown cost are null, not 0."""
        written = json.loads(GenerationResult(usage=TokenUsage(input=0)).model_dump_json())

        assert written["usage"]["input"] == 0
        assert written["usage"]["output"] is None
        assert written["cost"] is None

    def test_earlier_generation_file_is_read(self) -> None:
        """A generation of an earlier framework is read; unknown fields do no harm."""
        result = GenerationResult.model_validate_json(
            '{"task_id": "t1", "status": "success", "answer": "42", "unheard_of": 1}'
        )

        assert (result.task_id, result.data) == ("t1", "42")

    def test_generation_statuses(self) -> None:
        """A generation has one of four statuses."""
        assert {status.value for status in GenerationStatus} == {
            "success",
            "max_time",
            "max_turns",
            "error",
        }


class TestEvalResult:
    @pytest.mark.parametrize(
        "result",
        [
            "null",
            "true",
            "0",
            "1",
            "1.0",
            "0.1",
            "123456789012345678901234567890",
            '""',
            '"good"',
            '"ü and \u2028"',
            "[]",
            '[1,1.0,"a",null,{"b":[]}]',
            "{}",
            '{"pass_percentage":0.5}',
            '{"pass_percentage":null}',
            '{"pass_percentage":1}',
            '{"pass_percentage":100}',
            '{"pass_percentage":true}',
            '{"pass_percentage":"0.5"}',
            '{"pass_percentage":"n/a"}',
            '{"pass_percentage":[1]}',
            '{"eval_version":3}',
            '{"score":1,"judge":{"reason":"x","votes":[true,false,null]}}',
            '{"rationale":"first","pass_percentage":0.5}',
            '{"model_config":1,"model_fields_set":2,"self":3,"":4}',
        ],
    )
    def test_graders_json_round_trips_exactly(self, result: str) -> None:
        """A grader's JSON of any type comes back byte for byte."""
        given = f'{{"task_id":"t1","status":"evaluated","result":{result}}}'

        once = EvalResult.model_validate_json(given)
        again = EvalResult.model_validate_json(once.model_dump_json())

        for copy in (once, again):
            said = json.dumps(copy.result_json(), ensure_ascii=False, separators=(",", ":"))
            assert said == result

    @pytest.mark.parametrize(
        "result", [None, True, 0, 0.5, "good", [1, {"a": None}], {"score": 1, "x": [2]}]
    )
    def test_authors_result_is_written_as_it_is(self, result: JsonValue) -> None:
        """A result that an author returns is written with its value and type."""
        written = json.loads(
            EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result=result).model_dump_json()
        )

        assert written["result"] == result
        assert type(written["result"]) is type(result)

    def test_author_may_return_a_data_object(self) -> None:
        """A result may be an EvalResultData with fields of its own."""

        class Rubric(EvalResultData):
            criteria: int

        data = Rubric.model_validate({"pass_percentage": 0.5, "criteria": 4, "notes": ["x"]})
        result = EvalResult(task_id="t1", status=EvalStatus.EVALUATED, result=data)

        assert json.loads(result.model_dump_json())["result"] == {
            "pass_percentage": 0.5,
            "criteria": 4,
            "notes": ["x"],
        }

    @pytest.mark.parametrize(
        ("fields", "weighted"),
        [
            ({"weighted_pass_percentage": 0.25}, 0.25),
            ({"pass_percentage_with_weight": 0.5}, 0.5),
            ({"weighted_pass_percentage": 0.25, "pass_percentage_with_weight": 0.5}, 0.25),
            ({"pass_percentage": 1.0}, None),
        ],
    )
    def test_weighted_percentage_has_two_names(
        self, fields: dict[str, float], weighted: float | None
    ) -> None:
        """The weighted percentage is found under its older name, too, and changes no field."""
        data = EvalResultData.model_validate(fields)

        assert data.weighted_pass_percentage == weighted
        assert data.model_dump() == fields
        assert (data.pass_percentage, data.eval_version) == (fields.get("pass_percentage"), None)

    def test_omitted_fields_of_a_result_stay_omitted(self) -> None:
        """Fields that the grader left out are not written."""
        assert EvalResultData(pass_percentage=1.0).model_dump() == {"pass_percentage": 1.0}

    def test_unknown_status_is_refused(self) -> None:
        """An unknown status of an evaluation is refused."""
        with pytest.raises(ValidationError, match="status"):
            EvalResult.model_validate({"task_id": "t1", "status": "passed"})

    def test_earlier_evaluation_file_is_read(self) -> None:
        """An evaluation of an earlier framework is read with defaults."""
        result = EvalResult.model_validate_json(
            '{"task_id": "t1", "status": "evaluated", "result": 1.0, "error": null}'
        )

        assert (result.errors, result.generation_hash, result.local) == ([], None, None)


class TestScore:
    def test_score_needs_tasks_and_number_only(self) -> None:
        """A score needs only its tasks and its number."""
        score = ScoreResult(tasks_evaluated=["t1"], final_score=0.5)

        assert (score.metadata, score.complete, score.stderr) == ({}, False, None)

    @pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
    def test_a_service_score_that_is_not_finite_is_refused(self, number: str) -> None:
        """A score of the service that is not finite is refused."""
        with pytest.raises(ValidationError, match="not a finite number"):
            FinalScoreResponse(final_score=float(number))

    def test_task_without_evaluation_is_sent_as_null(self) -> None:
        """A task without an evaluation is sent as null."""
        request = FinalScoreRequest(evaluation_results={"t1": None, "t2": {"result": 1}})

        assert json.loads(request.model_dump_json())["evaluation_results"] == {
            "t1": None,
            "t2": {"result": 1},
        }
