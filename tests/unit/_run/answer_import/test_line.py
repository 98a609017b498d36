"""One line of a file of answers: what is read of it, and what is refused."""

from __future__ import annotations

import pytest

from benchmark_runner._run.answer_import.line import LineError, parse_line
from benchmark_runner.schemas import GenerationStatus

DEEP = f'{{"task_id": "t2", "answer": {"[" * 100_000}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"task_id": "t2", "answer": "cut', "not JSON: "),
        (DEEP, "not JSON: "),
        ('["t2", "two"]', "must be an object, not a list"),
        ("null", "must be an object, not null"),
        ('{"task_id": "t2", "answer": "a", "answer": "b"}', "an object has the key 'answer' twice"),
        ('{"answer": "two"}', "field task_id: missing"),
        ('{"task_id": null, "answer": "two"}', "field task_id: "),
        ('{"task_id": ["t2"], "answer": "two"}', "field task_id: must be a text, not a list"),
        ('{"task_id": "t2", "repeat": 0, "answer": "two"}', "field repeat: "),
        ('{"task_id": "t2", "repeat": 1.5, "answer": "two"}', "field repeat: "),
        ('{"task_id": "t2", "repeat": true, "answer": "two"}', "field repeat: must be a number"),
        ('{"task_id": "t2", "repeat": 10001, "answer": "two"}', "field repeat: "),
        ('{"task_id": "t2", "answer": 42}', "field answer: must be a text, not a number"),
        ('{"task_id": "t2", "answer": {}}', "field answer: must be a text, not an object"),
        ('{"task_id": "t2", "answer": "", "status": "ok"}', "field status: Input should be "),
        ('{"task_id": "t2", "answer": "", "error": 5}', "field error: must be a text"),
        ('{"task_id": "t2", "answer": "", "cost": 1e999}', "field cost: must be a finite number"),
        ('{"task_id": "t2", "answer": "", "cost": 1e13}', "field cost: Input should be less"),
        ('{"task_id": "t2", "answer": "", "cost": "0.5"}', "field cost: must be a number, not a"),
        (f'{{"task_id": "t2", "answer": "", "cost": {"9" * 400}}}', "field cost: "),
        ('{"task_id": "t2", "answer": "", "input_tokens": 1.5}', "field input_tokens: "),
        (f'{{"task_id": "t2", "answer": "", "input_tokens": {"9" * 400}}}', "field input_tokens: "),
        ('{"task_id": "t2", "answer": "", "started_at": "noon"}', "field started_at: "),
        ('{"task_id": "t2", "answer": "", "started_at": 5}', "field started_at: must be a time"),
        (
            '{"task_id": "t2", "answer": "", "ended_at": "0001-01-01T00:00:00Z"}',
            "field ended_at: in the year 1",
        ),
    ],
)
def test_unusable_value_is_named(line: str, problem: str) -> None:
    """A value that can't be used is named by its field."""
    with pytest.raises(LineError) as caught:
        parse_line(line.encode())

    assert str(caught.value).startswith(problem), str(caught.value)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ('{"task_id": "t", "answer": ""}', "success"),
        ('{"task_id": "t", "status": null, "generation_status": "max_time"}', "max_time"),
        ('{"task_id": "t", "status": "error", "generation_status": "error"}', "error"),
        ('{"task_id": "t", "error": ""}', "success"),
        # The error of an export may be that of its evaluation.
        ('{"task_id": "t", "error": "KeyError: x", "phase": "evaluate"}', "success"),
    ],
)
def test_status_is_a_success_by_default(line: str, status: str) -> None:
    """Without a status, an answer is a success."""
    assert parse_line(line.encode()).outcome is GenerationStatus(status)


def test_numbers_may_be_written_as_others_write_them() -> None:
    """An id may be a number, and a count may be written as a float; null is not known."""
    line = b'{"task_id": 7, "repeat": 2.0, "input_tokens": 12.0, "cost": null, "other": [NaN]}'

    found = parse_line(line)

    assert (found.task_id, found.repeat, found.input_tokens, found.cost) == ("7", 2, 12, None)
