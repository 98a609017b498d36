"""Results that an author changed after they were made are plain data, or name the field."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ConfigDict

from benchmark_runner._run.plain_data import FieldError, plain
from benchmark_runner.schemas import (
    EvalResult,
    EvalResultData,
    EvalStatus,
    Failure,
    FailureKind,
    GenerationResult,
    GenerationStatus,
    Phase,
    ScoreResult,
    TokenUsage,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

CIRCULAR: dict[str, object] = {}
CIRCULAR["me"] = CIRCULAR
DEEP: list[object] = []
for _ in range(2000):
    DEEP = [DEEP]
#: Deeper than JSON that is read may be, but not too deep to be written.
NESTED: list[object] = []
for _ in range(220):
    NESTED = [NESTED]
LONG = 10**5000


def changed(result: BaseModel, field: str, value: object) -> Any:
    """Set a field, also of a model in a field, as an author can."""
    *outer, last = field.split(".")
    target: Any = result
    for name in outer:
        target = getattr(target, name)
    setattr(target, last, value)
    return result


def generation() -> GenerationResult:
    return GenerationResult(answer="paid for", cost=0.01, usage=TokenUsage(input=1))


WRONG: list[Any] = [
    ("data", None),
    ("data", 42),
    ("data", ["a"]),
    ("status", "done"),
    ("status", None),
    ("status", EvalStatus.EVALUATED),
    ("error", ValueError("x")),
    ("question", {"a": 1}),
    ("model", object()),
    ("metadata", CIRCULAR),
    ("metadata", {"deep": DEEP}),
    ("metadata", {"nested": NESTED}),
    pytest.param("metadata", {"number": LONG}, id="metadata-long"),
    ("metadata", {"a": {1, 2}}),
    ("metadata", {1: 2}),
    ("metadata", None),
    ("cost", "0.01"),
    ("cost", object()),
    ("cost", -1),
    ("cost", math.nan),
    ("cost", math.inf),
    ("cost", 1e308),
    pytest.param("cost", 10**5000, id="cost-long"),
    ("cost", Decimal("NaN")),
    ("total_turns", object()),
    ("total_turns", "3"),
    ("total_turns", 2.5),
    ("total_turns", -1),
    ("total_turns", 10**400),
    ("usage.input", "many"),
    ("usage.output", -5),
    ("usage", {"input": "1"}),
    ("usage", 5),
    ("failure", "broken"),
    ("duration", "1 s"),
    ("started_at", "yesterday"),
    ("ended_at", datetime(1, 1, 1, tzinfo=UTC)),
    ("log_dir", b"\xff"),
    ("task_id", None),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_unusable_field_is_named(field: str, value: object) -> None:
    """A field that can't be plain data is named, and the others are kept."""
    name = field.partition(".")[0]
    with pytest.raises(FieldError, match=rf"generate\(\) .* fields: {name}: ") as caught:
        plain(changed(generation(), field, value), GenerationResult, "generate()")
    kept = GenerationResult.model_validate(caught.value.usable)
    assert kept.data == ("" if name == "data" else "paid for")
    assert kept.cost == (None if name == "cost" else 0.01)


@pytest.mark.parametrize(
    ("field", "value", "as_plain"),
    [
        ("status", "max_turns", GenerationStatus.MAX_TURNS),
        ("cost", Decimal("0.02"), 0.02),
        ("cost", Fraction(1, 4), 0.25),
        ("usage", {"input": 1}, TokenUsage(input=1)),
        ("usage", None, None),
        ("total_turns", 3.0, 3),
        ("metadata", {"a": [1, None]}, {"a": [1, None]}),
    ],
)
def test_usable_value_becomes_plain(field: str, value: object, as_plain: object) -> None:
    """A value that can be a field without loss becomes plain data."""
    found = plain(changed(generation(), field, value), GenerationResult, "generate()")
    assert getattr(found, field) == as_plain
    assert type(getattr(found, field)) is type(as_plain)


def test_every_unusable_field_is_named() -> None:
    """All unusable fields are named at once."""
    result = changed(changed(generation(), "cost", "1"), "model", 5)
    with pytest.raises(FieldError, match=r"cost: not a number \(str\); model: ") as caught:
        plain(result, GenerationResult, "generate()")
    assert caught.value.usable["data"] == "paid for"


def test_plain_result_is_a_copy() -> None:
    """A later change of an agent is not in the result."""
    result = generation()
    found = plain(result, GenerationResult, "generate()")
    assert found == result
    assert found is not result
    assert result.usage is not None
    result.usage.input = 5
    result.metadata["later"] = 1
    assert found == generation()


def test_deleted_field_has_its_default() -> None:
    """A field that an agent deleted has its default."""
    result = generation()
    del result.cost
    assert plain(result, GenerationResult, "generate()").cost is None


class Own(GenerationResult):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    tool: Any = None


def test_own_class_is_kept() -> None:
    """A result of the author's own class keeps its class and its fields."""
    found = plain(Own(answer="a", tool={"x": 1}), GenerationResult, "generate()")
    assert isinstance(found, Own)
    assert found.tool == {"x": 1}


class Leaves(Own):
    def model_dump(self, **_: Any) -> Any:
        raise SystemExit


@pytest.mark.parametrize(
    "result", [Own(answer="paid for", tool=CIRCULAR), Leaves(answer="paid for", tool=object())]
)
def test_own_class_that_is_no_json_is_named(result: GenerationResult) -> None:
    """An own field that can't be written is an error, and the answer is kept."""
    with pytest.raises(FieldError, match=f"in {type(result).__name__}") as caught:
        plain(result, GenerationResult, "generate()")
    assert caught.value.usable["data"] == "paid for"


class TestEvaluations:
    def made(self, result: object = None) -> EvalResult:
        return EvalResult.model_validate(
            {"task_id": "t1", "status": "evaluated", "result": result or {"score": 1}}
        )

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("result", CIRCULAR),
            ("result", object()),
            ("result", {1, 2}),
            ("result", {"nested": NESTED}),
            pytest.param("result", LONG, id="result-long"),
            ("result", EvalResultData.model_construct(score=object())),
            ("result.score", object()),
            ("result.score", CIRCULAR),
            ("status", "right"),
            ("status", None),
            ("error", 42),
            ("errors", "one"),
            ("errors", [None]),
            ("evaluator_version", 2),
        ],
    )
    def test_unusable_field_is_named(self, field: str, value: object) -> None:
        """A field of an evaluation that can't be plain data is named."""
        name = field.partition(".")[0]
        with pytest.raises(FieldError, match=f"fields: {name}: "):
            plain(changed(self.made(), field, value), EvalResult, "evaluate()")

    def test_result_stays_as_it_is(self) -> None:
        """A grade that is JSON stays as it is, in its order."""
        for result in ({"b": 1, "a": [None]}, [1], 0.5, "right", True):
            found = plain(self.made(result), EvalResult, "evaluate()")
            assert found.result_json() == result
            assert [*map(str, found.result_json() or [])] if isinstance(result, dict) else True

    def test_failure_stays(self) -> None:
        """The kind of a failure stays."""
        failure = Failure(phase=Phase.EVALUATE, kind=FailureKind.QUOTA, retryable=True)
        made = EvalResult(task_id="t1", status=EvalStatus.ERROR, error="E: no", failure=failure)
        assert plain(made, EvalResult, "evaluate()") == made


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("final_score", "1"),
        ("final_score", math.nan),
        ("final_score", None),
        ("final_score", 10**400),
        ("tasks_evaluated", None),
        ("tasks_evaluated", [1]),
        ("metadata", CIRCULAR),
    ],
)
def test_unusable_field_of_a_score_is_named(field: str, value: object) -> None:
    """A field of a score that can't be plain data is named."""
    score = changed(ScoreResult(tasks_evaluated=["t1"], final_score=-0.5), field, value)
    with pytest.raises(FieldError, match=f"fields: {field}: "):
        plain(score, ScoreResult, "score()")
