"""Own fields of a task: checked, hashed the same in every process, and JSON for the grader."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import benchmark_runner
from benchmark_runner._run.task_content import json_row, own_tasks, task_hash
from benchmark_runner.errors import RunnerDefinitionError
from benchmark_runner.schemas import Task

#: Values in an own field, as code, that are no JSON and are the same in every process.
STABLE = {
    "bytes": r"b'\xff\x00'",
    "set": "{'a', 'b', 'c', 'd', 'e'}",
    "nested set": "[{'in': {'a', 'b', 'c', 'd', 'e'}}]",
    "set of sets": "{frozenset({'a', 'b', 'c'}), frozenset({'d', 'e'})}",
    "set of tuples": "{('a', frozenset({'b', 'c', 'd'}))}",
    "complex": "3+4j",
    "path": "__import__('pathlib').Path('x')",
    "date": "__import__('datetime').date(2026, 1, 2)",
    "half a pair": r"'\ud800'",
    "number keys": "{1: 2}",
}
SCRIPT = """
from benchmark_runner._run.task_content import json_row, task_hash
from benchmark_runner.schemas import Task

task = Task(id="t1", question="q", image={value})
print(task_hash(task), ascii(json_row(task)))
"""


def made(value: object) -> Task:
    return Task.model_validate({"id": "t1", "question": "q", "image": value})


@pytest.mark.sampled(1)
@pytest.mark.parametrize("value", STABLE.values(), ids=STABLE)
def test_hash_is_the_same_in_every_process(value: str) -> None:
    """The hash and the JSON of a value that is no JSON are the same in every process."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT.format(value=value)],
            env={
                "PYTHONHASHSEED": str(seed),
                "PYTHONPATH": str(Path(benchmark_runner.__file__).parents[1]),
            },
            check=True,
            capture_output=True,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(printed) == 1


@dataclass
class Point:
    x: int


class Plain:
    pass


LOOP: list[object] = []
LOOP.append(LOOP)
WITHOUT_VALUE: list[Any] = [object(), Plain(), [Plain()], LOOP, lambda: 0]


@pytest.mark.parametrize("value", WITHOUT_VALUE)
def test_object_without_a_value_is_refused(value: object) -> None:
    """A field that is another value in each process is refused by task and field."""
    for function in (task_hash, json_row):
        with pytest.raises(RunnerDefinitionError, match=r"task 't1' .* field image") as caught:
            function(made(value))
        assert caught.value.hint


def test_hash_tells_values_apart() -> None:
    """Other content has another hash, whatever its type."""
    values = [{"a"}, {"b"}, b"\xff", b"\xfe", "a", ["a"], Point(1), Point(2), None]
    assert len({task_hash(made(value)) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("value", "row"),
    [
        ({"b", "a"}, ["a", "b"]),
        (b"text", "text"),
        (b"\xff\x00", "/wA="),
        ({"in": [{"b", "a"}, b"\xff"]}, {"in": [["a", "b"], "/w=="]}),
        (Point(1), {"x": 1}),
        ([1, None, "é"], [1, None, "é"]),
    ],
)
def test_grader_gets_json(value: object, row: object) -> None:
    """A grader gets the fields of a task as JSON."""
    assert json_row(made(value)) == {"id": "t1", "question": "q", "timeout": None, "image": row}


class TestTasksOfALoader:
    def test_tasks_are_copied(self) -> None:
        """Tasks that a loader goes on holding are copied."""
        held = made(["x"])
        (own,) = own_tasks([held])
        assert own == held
        held.id = "other"
        assert held.model_extra is not None
        held.model_extra["image"].append("y")
        assert (own.id, own.model_extra) == ("t1", {"image": ["x"]})

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("id", None),
            ("id", "../up"),
            ("id", 1.5),
            ("question", None),
            ("question", b"\xff"),
            ("timeout", "soon"),
            ("timeout", math.nan),
        ],
    )
    def test_unusable_field_is_named(self, field: str, value: object) -> None:
        """A field that was set to something else is named with the task's number."""
        task = made(1)
        setattr(task, field, value)
        with pytest.raises(RunnerDefinitionError, match=rf"\(number 2\) .* field {field}: "):
            own_tasks([made(2), task])

    def test_number_as_an_id_becomes_its_digits(self) -> None:
        """An id that was set to a number becomes its digits."""
        task = made(1)
        vars(task)["id"] = 7
        assert [own.id for own in own_tasks([task])] == ["7"]

    def test_deleted_field_is_named(self) -> None:
        """A field that was deleted is named."""
        task = made(1)
        del task.question
        with pytest.raises(RunnerDefinitionError, match="field question: "):
            own_tasks([task])
