"""Names of the earlier framework, which runners and scripts written for it use."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import pytest

from benchmark_runner import LLMConfig, RunArtifacts, Task, build_llm_config
from benchmark_runner.checkpoint import (
    is_eval_redoable,
    is_generation_redoable,
    load_or_create_run_config,
    load_run_config,
)
from benchmark_runner.client import auth_headers
from benchmark_runner.errors import ArtifactError, InvalidIdError, UsageError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    TaskListResponse,
)
from tests.fakes import FakeRunner

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = {"run_id": "r1", "model": "m", "tasks": ["t1", "t2"], "dataset_file": None, "own": [1]}


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    return RunArtifacts(tmp_path / "deep" / "results", "r1")


class TestRunConfig:
    def test_config_is_read_as_it_was_written(self, artifacts: RunArtifacts) -> None:
        """A config is read as it was written, also by the commands."""
        assert artifacts.load_run_config() is None
        artifacts.save_run_config(CONFIG)
        assert artifacts.load_run_config() == CONFIG
        config = load_run_config(artifacts)
        assert config is not None
        assert (config.model, config.tasks) == ("m", ["t1", "t2"])

    def test_damaged_config_is_an_error(self, artifacts: RunArtifacts) -> None:
        """A config that can't be read is an error, and stays."""
        artifacts.save_run_config(CONFIG)
        artifacts.run_config_path.write_text('{"run_id"')
        with pytest.raises(ArtifactError, match="damaged"):
            created(artifacts)
        assert artifacts.run_config_path.read_text() == '{"run_id"'

    def test_config_is_created_once(self, artifacts: RunArtifacts) -> None:
        """A config is made if there is none, and returned as it is if there is one."""
        config, was_there = created(artifacts)
        assert not was_there
        assert config["task_source"] == "file"
        assert json.loads(artifacts.run_config_path.read_bytes()) == config
        assert created(artifacts, model="another", task_ids=[]) == (config, True)


def created(artifacts: RunArtifacts, **changed: Any) -> tuple[dict[str, Any], bool]:
    given = {
        "model": "m",
        "task_ids": ["t1", "t2"],
        "dataset_file": "/data/x.json",
        "dataset_name": "validation",
        "payload_schema": "my-bench.text.v1",
        "payload_type": "text",
        "runner_version": "0.1.0",
        "generation_version": "abc",
    }
    return load_or_create_run_config(artifacts=artifacts, **given | changed)


class TestRedoable:
    def test_failed_generation_is_redoable(self, artifacts: RunArtifacts) -> None:
        """A task without a generation, or with a failed one, is to be generated again."""
        assert is_generation_redoable(artifacts, "t1")
        for status in GenerationStatus:
            artifacts.save_generation("t1", GenerationResult(task_id="t1", status=status))
            failed = status is GenerationStatus.ERROR
            assert is_generation_redoable(artifacts, "t1") is failed

    def test_failed_eval_is_redoable(self, artifacts: RunArtifacts) -> None:
        """A task without an eval, or with a failed one, is to be evaluated again."""
        assert is_eval_redoable(artifacts, "t1")
        for status in EvalStatus:
            artifacts.save_eval("t1", EvalResult(task_id="t1", status=status))
            failed = status in (EvalStatus.ERROR, EvalStatus.GENERATION_ERROR)
            assert is_eval_redoable(artifacts, "t1") is failed

    def test_eval_of_another_generation_is_redoable(self, artifacts: RunArtifacts) -> None:
        """An eval that belongs to another generation is to be made again."""
        saved = artifacts.save_generation("t1", GenerationResult(task_id="t1", answer="x"))
        for content_hash, redoable in ((saved, False), ("of another", True)):
            evaluation = EvalResult(
                task_id="t1", status=EvalStatus.EVALUATED, generation_hash=content_hash
            )
            artifacts.save_eval("t1", evaluation)
            assert is_eval_redoable(artifacts, "t1") is redoable


class TestRunner:
    def test_tasks_are_registered(self) -> None:
        """Tasks are registered under the earlier names."""
        runner = FakeRunner()
        runner._register_tasks([Task(id="t1", question="q")])
        runner._register_task(Task(id="t2", question="q"))
        assert [task.id for task in runner.get_tasks()] == ["t1", "t2"]

    def test_tasks_of_the_service_are_returned(self) -> None:
        """The service's tasks are returned, and its dataset is that of the runner."""
        runner = FakeRunner()
        rows = [{"id": "t1", "question": "q", "answer": "hidden", "level": 1}]
        runner._client = AsyncMock()
        runner._client.list_tasks.return_value = TaskListResponse(
            dataset="d", dataset_version="2.0.0", tasks=rows
        )
        (task,) = asyncio.run(runner.load_tasks_from_service("d"))
        assert task.model_dump() == {"id": "t1", "question": "q", "timeout": None, "level": 1}
        assert (runner.dataset_name, runner.dataset_version) == ("d", "2.0.0")


class TestValues:
    @pytest.mark.parametrize("task_id", ["../escape", "nested/task", "nested\\task", "", "."])
    def test_invalid_id_is_a_value_error(self, artifacts: RunArtifacts, task_id: str) -> None:
        """An id that can't name a folder is a ValueError, and an error of usage."""
        with pytest.raises(ValueError, match="task id") as caught:
            artifacts.generation_path(task_id)
        assert isinstance(caught.value, InvalidIdError)
        assert (isinstance(caught.value, UsageError), caught.value.kind) == (True, "UsageError")
        with pytest.raises(ValueError, match="run id"):
            RunArtifacts("results", "../escape")

    @pytest.mark.parametrize(
        ("environment", "headers"),
        [
            ({}, {}),
            ({"BENCHMARK_API_KEY": "b"}, {"Authorization": "Bearer b"}),
            ({"BENCHMARK_API_KEY": "b", "VALS_API_KEY": "v"}, {"x-descope-api-key": "v"}),
            ({"VALS_AUTH_KEY": "a", "VALS_API_KEY": "v"}, {"x-descope-api-key": "a"}),
        ],
    )
    def test_headers_hold_the_key(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], headers: dict[str, str]
    ) -> None:
        """The headers for the service hold the key of the environment."""
        for name in ("VALS_AUTH_KEY", "VALS_API_KEY", "BENCHMARK_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, key in environment.items():
            monkeypatch.setenv(name, key)
        assert auth_headers() == headers

    def test_provider_settings_are_attributes(self) -> None:
        """A provider's settings are read as attributes, as items, and from a copy."""
        config = build_llm_config(chat_completions=True, disable_streaming=True)
        for each in (
            config,
            config.model_copy(deep=True),
            copy.deepcopy(config),
            pickle.loads(pickle.dumps(config)),
            LLMConfig.model_validate(config.model_dump()),
        ):
            assert each.provider_config is not None
            assert each.provider_config.stream_completions is False
            assert each.provider_config == {"stream_completions": False}
            assert not hasattr(each.provider_config, "another")
        assert config.model_dump(exclude_unset=True)["provider_config"] == {
            "stream_completions": False
        }
