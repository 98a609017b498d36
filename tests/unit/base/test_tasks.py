"""Copies for the author's code, and what a run keeps whatever that code sets."""

from __future__ import annotations

import threading

import pytest
from pydantic import PrivateAttr, SecretStr

from benchmark_runner.base.tasks import own_copy
from benchmark_runner.llm import LLMConfig
from benchmark_runner.schemas import Task
from tests.fakes import FakeRunner


class Own(Task):
    image: dict[str, list[int]]
    _state: list[int] = PrivateAttr(default_factory=list[int])


def test_copy_shares_nothing_that_can_change() -> None:
    """A copy shares no value that its owner could change."""
    made = Own.model_validate({"id": "t1", "question": "q", "image": {"a": [1]}, "tags": ["x"]})
    copied = own_copy(made)
    assert copied == made
    copied.id, copied.question = "t2", "other"
    copied.image["a"].append(2)
    assert copied.model_extra is not None
    copied.model_extra["tags"].append("y")
    copied._state.append(1)
    assert made.model_dump() == {
        "id": "t1",
        "question": "q",
        "timeout": None,
        "image": {"a": [1]},
        "tags": ["x"],
    }
    assert made._state == []


def test_value_that_can_not_be_copied_is_shared() -> None:
    """A value that can't be copied is shared; the others are not."""
    lock = threading.Lock()
    made = Task.model_validate({"id": "t1", "question": "q", "lock": lock, "tags": ["x"]})
    extra = own_copy(made).model_extra
    assert extra is not None
    assert extra["lock"] is lock
    extra["tags"].append("y")
    assert made.model_extra == {"lock": lock, "tags": ["x"]}


def test_copy_of_settings_has_the_key() -> None:
    """A copy of the model's settings has the same key."""
    made = LLMConfig(temperature=0.5, custom_api_key=SecretStr("k"), provider_config={"a": 1})
    copied = own_copy(made)
    copied.temperature = 1.0
    assert copied.provider_config is not None
    copied.provider_config["a"] = 2
    assert copied.custom_api_key is not None
    assert copied.custom_api_key.get_secret_value() == "k"
    assert (made.temperature, made.provider_config) == (0.5, {"a": 1})
    assert copied.model_fields_set == made.model_fields_set


class TestARunner:
    @pytest.fixture
    def runner(self) -> FakeRunner:
        runner = FakeRunner(dataset_name="planned")
        runner.run_id = "r1"
        runner.register_tasks([Task(id="t1", question="q1"), Task(id="t2", question="q2")])
        return runner

    def test_tasks_are_copies(self, runner: FakeRunner) -> None:
        """The tasks that an author's code gets are copies."""
        for task in (*runner.get_tasks(), runner.registered_task("t1")):
            task.id = task.question = "changed"
        assert [task.id for task in runner.registered_tasks()] == ["t1", "t2"]
        assert runner.registered_task("t1").question == "q1"

    def test_pinned_run_stays_as_planned(self, runner: FakeRunner) -> None:
        """The dataset and the tasks of a run that has begun stay as planned."""
        runner.pin_run()
        runner._dataset, runner.run_id = "other", "r2"
        runner.dataset_name = "another"
        runner.register_tasks([])
        assert runner.dataset_name == "planned"
        assert runner.registered_task("t2").question == "q2"

    def test_dataset_is_settable_until_then(self, runner: FakeRunner) -> None:
        """Until the run begins, the dataset can be set."""
        runner.dataset_name = "other"
        assert (runner.dataset_name, runner._dataset) == ("other", "other")
