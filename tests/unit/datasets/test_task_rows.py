"""Tasks are built from the rows of a dataset, without the fields of the evaluator."""

from __future__ import annotations

import pytest

from benchmark_runner.datasets import build_tasks
from benchmark_runner.errors import DatasetError
from benchmark_runner.schemas import Task

CANARY = "the-reference-answer"


class TestTasks:
    def test_tasks_keep_order_and_extra_fields(self) -> None:
        """Tasks are built in order and keep their extra fields."""
        rows = [{"id": "b", "question": "q", "timeout": 5, "level": 2}, {"id": "a", "question": ""}]

        tasks = build_tasks(rows, Task, frozenset(), "data.json")

        assert [(task.id, task.timeout, task.model_extra) for task in tasks] == [
            ("b", 5.0, {"level": 2}),
            ("a", None, {}),
        ]

    def test_evaluator_fields_never_reach_a_task(self) -> None:
        """Evaluator fields are dropped before a task exists; the row keeps them."""
        seen: list[object] = []

        class Watching(Task):
            def __init__(self, **fields: object) -> None:
                seen.append(fields)
                super().__init__(**fields)  # pyright: ignore[reportArgumentType]

        rows = [{"id": "t1", "question": "q", "answer": CANARY, "rubric": [CANARY], "level": 2}]
        tasks = build_tasks(rows, Watching, frozenset({"answer", "rubric"}), "data.json")

        assert CANARY not in repr(tasks)
        assert CANARY not in repr(seen)
        assert tasks[0].model_extra == {"level": 2}
        assert rows[0]["answer"] == CANARY

    def test_mismatch_names_task_field_and_model(self) -> None:
        """A row that does not fit is refused with its task, its field and the model."""

        class DockerTask(Task):
            docker_image: str
            cpus: int = 1

        rows = [
            {"id": "fine", "question": "q", "docker_image": "x"},
            {"id": "bare", "question": "q"},
            {"id": "odd", "question": "q", "docker_image": "x", "cpus": "many"},
        ]

        with pytest.raises(DatasetError) as caught:
            build_tasks(rows, DockerTask, frozenset(), "data.json")

        message = caught.value.message
        assert message.startswith("data.json does not fit DockerTask in 2 fields:")
        assert "task 'bare', field docker_image: " in message
        assert "task 'odd', field cpus: " in message
        assert "fine" not in message

    def test_a_question_of_another_type_is_refused(self) -> None:
        """A question that is no text is refused with its task."""
        with pytest.raises(DatasetError, match="task 't1', field question"):
            build_tasks([{"id": "t1", "question": 5}], Task, frozenset(), "data.json")

    def test_row_without_an_id_has_its_position(self) -> None:
        """A row without an id is named by its position."""
        with pytest.raises(DatasetError, match="task number 2, field id"):
            build_tasks(
                [{"id": "t1", "question": "q"}, {"question": "q"}], Task, frozenset(), "service"
            )

    def test_unsafe_id_of_a_service_is_refused(self) -> None:
        """An id from a service that can't name a folder is refused."""
        with pytest.raises(DatasetError, match="field id"):
            build_tasks([{"id": "../up", "question": "q"}], Task, frozenset(), "service")

    def test_many_mismatches_are_counted(self) -> None:
        """Many rows that do not fit are counted, and a few are listed."""
        rows = [{"id": f"t{index}"} for index in range(100)]

        with pytest.raises(DatasetError) as caught:
            build_tasks(rows, Task, frozenset(), "data.json")

        assert "100 fields" in caught.value.message
        assert len(caught.value.message.splitlines()) < 10

    def test_mismatch_hides_evaluator_fields(self) -> None:
        """The error of a row that does not fit holds no evaluator field."""
        with pytest.raises(DatasetError) as caught:
            build_tasks([{"id": "t1", "answer": CANARY}], Task, frozenset({"answer"}), "data.json")

        assert CANARY not in caught.value.message
