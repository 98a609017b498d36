"""What a run is, as it is frozen on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts import RunArtifacts
from benchmark_runner.checkpoint import RunConfig, load_run_config
from benchmark_runner.errors import ArtifactError, RunIdentityError
from benchmark_runner.identity import (
    task_hash,
)
from benchmark_runner.schemas import (
    GenerationResult,
    Task,
)

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = "my-bench.text.v1"


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    return RunArtifacts(tmp_path / "results", "run-1")


def task(task_id: str, **fields: object) -> Task:
    return Task.model_validate({"id": task_id, "question": f"{task_id}?", **fields})


def frozen(*tasks: Task, **fields: object) -> RunConfig:
    return RunConfig.model_validate(
        {
            "run_id": "run-1",
            "model": "model-a",
            "tasks": [one.id for one in tasks],
            "task_hashes": {one.id: task_hash(one) for one in tasks},
            "payload_schema": SCHEMA,
            **fields,
        }
    )


class TestTheFile:
    def test_a_run_that_is_not_there_is_none(self, artifacts: RunArtifacts) -> None:
        assert load_run_config(artifacts) is None

    def test_it_comes_back_as_it_was_frozen(self, artifacts: RunArtifacts) -> None:
        config = frozen(task("z"), task("a"), sampling={"temperature": 0.5}, options={"d": "1"})
        artifacts.save(artifacts.run_config_path, config)

        assert load_run_config(artifacts) == config

    def test_it_has_the_fields_that_others_rely_on(self, artifacts: RunArtifacts) -> None:
        artifacts.save(artifacts.run_config_path, frozen(task("t1"), dataset_name="validation"))

        written = json.loads(artifacts.run_config_path.read_text())

        assert written["tasks"] == ["t1"]
        assert written["dataset_name"] == "validation"
        assert written["task_source"] == "file"
        assert {
            "run_id",
            "model",
            "dataset_file",
            "payload_schema",
            "payload_type",
            "runner_version",
            "generation_version",
        } <= written.keys()

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"null", b"\xff", b'{"run_id": "run-1"}', b'{"tasks": "t1"}']
    )
    def test_a_damaged_one_of_generations_is_an_error_and_stays_where_it_is(
        self, artifacts: RunArtifacts, content: bytes
    ) -> None:
        artifacts.save_generation("t1", GenerationResult())
        artifacts.run_config_path.write_bytes(content)

        with pytest.raises(ArtifactError, match=r"run_config\.json: can't be read") as caught:
            load_run_config(artifacts)

        assert "--run-id" in str(caught.value.hint)
        assert artifacts.run_config_path.read_bytes() == content

    def test_a_damaged_one_of_a_run_that_generated_nothing_is_set_aside(
        self, artifacts: RunArtifacts
    ) -> None:
        artifacts.run_dir.mkdir(parents=True)
        artifacts.run_config_path.write_bytes(b"{")

        assert load_run_config(artifacts) is None

        (aside,) = artifacts.set_aside
        assert (aside.name, aside.read_bytes()) == ("run_config.json.corrupt-1", b"{")
        assert not artifacts.run_config_path.exists()

    def test_one_of_a_run_whose_id_differs_in_case_only_is_refused(
        self, artifacts: RunArtifacts
    ) -> None:
        # On a disk that does not tell the two apart, their folder is the same.
        artifacts.save(artifacts.run_config_path, frozen(task("t1"), run_id="Run-1"))

        with pytest.raises(RunIdentityError, match="the folder of run 'Run-1'"):
            load_run_config(artifacts)

    def test_one_whose_folder_was_renamed_is_read(self, artifacts: RunArtifacts) -> None:
        artifacts.save(artifacts.run_config_path, frozen(task("t1"), run_id="another"))

        assert load_run_config(artifacts) is not None

    def test_a_folder_in_its_place_is_an_error(self, artifacts: RunArtifacts) -> None:
        artifacts.run_config_path.mkdir(parents=True)

        with pytest.raises(ArtifactError, match="can't be read"):
            load_run_config(artifacts)

    def test_what_a_later_version_wrote_is_kept(self, artifacts: RunArtifacts) -> None:
        artifacts.run_dir.mkdir(parents=True)
        content = {"run_id": "run-1", "model": "m", "tasks": ["t1"], "new_field": [1]}
        artifacts.run_config_path.write_text(json.dumps(content))

        config = load_run_config(artifacts)
        assert config is not None
        artifacts.save(artifacts.run_config_path, config)

        assert json.loads(artifacts.run_config_path.read_text())["new_field"] == [1]
