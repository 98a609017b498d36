from __future__ import annotations

import inspect
import json
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

import pytest

from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.errors import BenchmarkRunnerError, DatasetError
from benchmark_runner.schemas import (
    GenerationResult,
    Task,
)
from tests.fakes import FakeRunner

if TYPE_CHECKING:
    from pathlib import Path


CANARY = "the-reference-answer"


class Runner(FakeRunner):
    GENERATION_VERSION_ENV = "MY_BENCH_GENERATION_VERSION"


class V1Runner(Runner):
    EVALUATION_API = "v1"
    PAYLOAD_SCHEMA_VERSION = 3


def task(task_id: str, **extra: object) -> Task:
    return Task.model_validate({"id": task_id, "question": "q", **extra})


class TestTheAuthorsNames:
    def test_constructor_parameters(self) -> None:
        """The constructor takes a URL, a dataset name and a limit of evaluations."""
        parameters = inspect.signature(BenchmarkRunner).parameters

        assert list(parameters) == ["service_url", "dataset_name", "eval_concurrency"]
        assert parameters["dataset_name"].default is None
        assert parameters["eval_concurrency"].default == 10

    def test_name_and_generate_are_enough(self) -> None:
        """An author must write only NAME and generate(); the rest has defaults."""

        class Least(BenchmarkRunner):
            NAME = "least"

            async def generate(  # pyright: ignore[reportIncompatibleMethodOverride]
                self, task: Task, model: str, **settings: object
            ) -> GenerationResult:
                return GenerationResult()

        runner = Least("local")

        assert runner.payload_schema == "least.text.v1"
        assert runner.generation_version == "dev"
        assert (Task, "legacy") == (runner.TASK_MODEL, runner.EVALUATION_API)
        assert {"answer"} == runner.EVALUATOR_FIELDS

    @pytest.mark.parametrize(
        ("kind", "schema"), [(Runner, "my-bench.text.v1"), (V1Runner, "my-bench.text.v3")]
    )
    def test_the_payload_schema_is_name_type_and_version(
        self, kind: type[Runner], schema: str
    ) -> None:
        """The payload schema is made of the name, the type and the version."""
        assert kind("local").payload_schema == schema

    def test_environment_sets_generation_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The variable that the author names sets the generation version."""
        monkeypatch.setenv("MY_BENCH_GENERATION_VERSION", "abc123")

        assert Runner().generation_version == "abc123"

    @pytest.mark.parametrize("value", [None, ""])
    def test_generation_version_defaults_to_dev(
        self, monkeypatch: pytest.MonkeyPatch, value: str | None
    ) -> None:
        """Without the variable, or if it is empty, the generation version is dev."""
        monkeypatch.delenv("MY_BENCH_GENERATION_VERSION", raising=False)
        if value is not None:
            monkeypatch.setenv("MY_BENCH_GENERATION_VERSION", value)

        assert Runner().generation_version == "dev"

    def test_author_overrides_task_score(self) -> None:
        """A task counts the score in its result unless the author overrides task_score()."""

        class Percent(Runner):
            def task_score(self, result: object) -> float | None:
                return 0.5

        assert Runner().task_score({"pass_percentage": 80}) == 80.0
        assert Percent().task_score({"pass_percentage": 80}) == 0.5


class TestLoadingTasks:
    def test_the_file_names_the_dataset(self, tmp_path: Path) -> None:
        """The name of the dataset comes from its file; tasks keep the file's order."""
        file = tmp_path / "data.json"
        tests = [{"id": "b", "question": "q", "timeout": 5}, {"id": "a", "question": "q"}]
        file.write_text(json.dumps({"dataset_name": "validation", "tests": tests}))
        runner = Runner()

        tasks = runner.load_tasks(str(file))

        assert [(one.id, one.timeout) for one in tasks] == [("b", 5.0), ("a", None)]
        assert runner.dataset_name == "validation"

    def test_the_reference_answer_reaches_no_task(self, tmp_path: Path) -> None:
        """The field answer of the dataset is dropped before a task exists."""
        file = tmp_path / "data.jsonl"
        file.write_text(json.dumps({"id": "t1", "question": "q", "answer": CANARY, "level": 1}))

        (one,) = Runner().load_tasks(str(file))

        assert CANARY not in repr(one)
        assert CANARY not in one.model_dump_json()
        assert one.model_extra == {"level": 1}

    def test_runner_names_the_hidden_fields(self, tmp_path: Path) -> None:
        """EVALUATOR_FIELDS replaces the list of fields that tasks do not get."""

        class Rubric(Runner):
            EVALUATOR_FIELDS: ClassVar[frozenset[str]] = frozenset({"rubric"})

        file = tmp_path / "data.jsonl"
        row = {"id": "t1", "question": "q", "answer": "shown", "rubric": CANARY}
        file.write_text(json.dumps(row))

        (one,) = Rubric().load_tasks(str(file))

        assert one.model_extra == {"answer": "shown"}

    def test_tasks_are_validated_with_the_runners_model(self, tmp_path: Path) -> None:
        """Tasks are validated with TASK_MODEL, and an error names task and field."""

        class DockerTask(Task):
            docker_image: str

        class Docker(Runner):
            TASK_MODEL: ClassVar[type[Task]] = DockerTask

        file = tmp_path / "data.csv"
        file.write_text("id,question,docker_image\nt1,q,img\nt2,q,\n")

        with pytest.raises(DatasetError, match="task 't2', field docker_image"):
            Docker().load_tasks(str(file))

        file.write_text("id,question,docker_image\nt1,q,img\n")
        (one,) = Docker().load_tasks(str(file))
        assert isinstance(one, DockerTask)
        assert one.docker_image == "img"

    def test_missing_dataset_is_an_error_with_a_hint(self) -> None:
        """Loading without a file is a DatasetError whose hint names --dataset-file."""
        with pytest.raises(DatasetError, match="no dataset was given") as caught:
            Runner().load_tasks(None)

        assert "--dataset-file" in str(caught.value.hint)


class TestRegisteringTasks:
    def test_tasks_are_kept_in_order(self) -> None:
        """Tasks come back in the order in which they were added."""
        runner = Runner()
        for name in ("z", "a", "10", "9"):
            runner.add_task(task(name))

        assert [one.id for one in runner.get_tasks()] == ["z", "a", "10", "9"]

    def test_a_repeated_id_is_refused(self) -> None:
        """Adding or registering an id twice is a DatasetError that names it."""
        runner = Runner()
        runner.add_task(task("t1"))

        with pytest.raises(DatasetError, match="'t1' occurs twice"):
            runner.add_task(task("t1"))
        with pytest.raises(DatasetError, match="'t2' occurs twice"):
            runner.register_tasks([task("t2"), task("t2")])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Task-1", "task-1"),
            ("task-1", "Task-1"),
            ("TASK-1", "Task-1"),
            ("caf\u00e9", "cafe\u0301"),
            ("cafe\u0301", "caf\u00e9"),
        ],
    )
    def test_ids_of_the_same_folder_are_refused(self, one: str, other: str) -> None:
        """Ids that some disks take for the same folder are refused, and both are named."""
        with pytest.raises(DatasetError) as caught:
            Runner().register_tasks([task(one), task("t2"), task(other)])

        assert repr(one) in caught.value.message
        assert repr(other) in caught.value.message

    def test_task_is_found_by_its_id(self) -> None:
        """A registered task is found by its id; an unknown id is a KeyError."""
        runner = Runner()
        runner.register_tasks([task("t1"), task("t2")])

        assert runner.registered_task("t2").id == "t2"
        with pytest.raises(KeyError):
            runner.registered_task("t3")

    def test_registering_replaces_the_tasks(self) -> None:
        """Registering tasks replaces those that were registered before."""
        runner = Runner()
        runner.add_task(task("old"))
        runner.register_tasks([task("new")])

        assert [one.id for one in runner.get_tasks()] == ["new"]

    def test_registering_drops_the_reference(self) -> None:
        """A reference that an author's loader left in a task is dropped."""
        runner = Runner()
        runner.register_tasks([task("t1", answer=CANARY, level=2, timeout=5)])

        (one,) = runner.get_tasks()

        assert CANARY not in repr(one)
        assert (one.id, one.question, one.timeout) == ("t1", "q", 5.0)
        assert one.model_extra == {"level": 2}

    def test_dropping_fields_keeps_the_class(self) -> None:
        """A task from which a field was dropped is still of its own class."""

        class DockerTask(Task):
            docker_image: str

        runner = Runner()
        fields = {"id": "t1", "question": "q", "docker_image": "img", "answer": CANARY}
        runner.register_tasks([DockerTask.model_validate(fields)])

        (one,) = runner.get_tasks()
        assert isinstance(one, DockerTask)
        assert one.docker_image == "img"
        assert CANARY not in repr(one)

    def test_declared_reference_does_not_pass(self) -> None:
        """A reference that the task class declares reaches no registered task."""

        class Answered(Task):
            answer: str

        runner = Runner()
        with suppress(BenchmarkRunnerError):
            runner.register_tasks([Answered(id="t1", question="q", answer=CANARY)])

        assert CANARY not in repr(runner.get_tasks())
