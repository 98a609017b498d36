"""What a run is, as it is frozen on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from benchmark_runner import make_cli
from benchmark_runner._run.flags import flags_of
from benchmark_runner._run.identity import task_hash
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.checkpoint import (
    Part,
    RunConfig,
    fields_with,
    load_run_config,
    part_of,
    save_run_config,
)
from benchmark_runner.errors import ArtifactError, RunIdentityError
from benchmark_runner.schemas import GenerationResult, Task

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

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

    @pytest.mark.parametrize("count", [0, 1, 2, 3000])
    def test_it_is_written_in_pieces_as_it_would_be_at_once(
        self, artifacts: RunArtifacts, count: int
    ) -> None:
        odd = ['quote"d', "ü, [] and {}", "task_hashes"]
        names = [*odd, *(f"task-{number}" for number in range(count))][:count]
        config = frozen(
            *map(task, names),
            model='a "tasks": [], "task_hashes": {}',
            sampling={"tasks": [], "task_hashes": {}},
            of_a_later_version={"tasks": []},
        )
        save_run_config(artifacts, config.without_hashes(), config.task_hashes.items())

        written = artifacts.run_config_path.read_bytes()
        assert written == config.model_dump_json(indent=2).encode() + b"\n"

    def test_a_setting_that_is_not_unicode_is_written_all_the_same(
        self, artifacts: RunArtifacts
    ) -> None:
        config = frozen(task("t1"), dataset_file="/data/\udcff.json")
        save_run_config(artifacts, config, config.task_hashes.items())

        read = load_run_config(artifacts)
        assert read is not None
        assert (read.dataset_file, read.tasks) == ("/data/?.json", ["t1"])
        assert read.task_hashes == config.task_hashes

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


class TestParts:
    @pytest.mark.parametrize("field", [*RunConfig.model_fields])
    def test_every_field_of_the_file_has_exactly_one(self, field: str) -> None:
        metadata = RunConfig.model_fields[field].metadata
        assert [found for found in metadata if isinstance(found, Part)] == [part_of(field)]

    def test_every_option_of_run_has_one_and_nothing_else_has(self) -> None:
        command = get_command(make_cli("runner.benchmark:SampleRunner"))
        options = [
            param.opts[0] if param.param_type_name == "option" else param.metavar
            for param in command.commands["run"].params  # pyright: ignore[reportAttributeAccessIssue]
        ]
        assert "--model" in options
        assert "TASK_IDS" in options
        flags = flags_of("run", RunRequest, ServiceSettings)
        declared = {flag.name: flag.part for _, flag in flags}
        assert sorted(declared) == sorted(options)
        assert all(isinstance(part, Part) for part in declared.values())

    @pytest.mark.parametrize(
        ("field", "part"),
        [
            ("model", Part.IDENTITY),
            ("task_hashes", Part.IDENTITY),
            ("generation_version", Part.CODE),
            ("runner_commit", Part.CODE),
            ("service_version", Part.GRADER),
            ("runner_dirty", Part.PROVENANCE),
            ("operational", Part.OPERATIONAL),
            ("history", Part.RECORD),
        ],
    )
    def test_a_field_is_found_by_its_part(self, field: str, part: Part) -> None:
        assert part_of(field) is part
        assert field in fields_with(part)
        assert field not in fields_with(*(other for other in Part if other is not part))


class TestHistory:
    FACTS: dict[str, JsonValue] = {  # noqa: RUF012 (only read)
        "generation_version": "v1",
        "service_url": "local",
        "runner_dirty": None,
        "operational": {"parallelism": 10, "max_cost": None},
    }

    def test_the_first_invocation_notes_what_holds_and_no_change(self) -> None:
        config = frozen(task("t1")).invoked("run", self.FACTS)

        assert config.generation_version == "v1"
        assert config.operational == {"parallelism": 10, "max_cost": None}
        (first,) = config.history
        assert (first.command, first.changed) == ("run", {})
        assert first.at.tzinfo is not None

    def test_a_later_one_notes_what_differs_with_both_values(self) -> None:
        config = frozen(task("t1")).invoked("run", self.FACTS)
        now: dict[str, JsonValue] = {
            **self.FACTS,
            "generation_version": "v2",
            "operational": {"parallelism": 3, "max_cost": 5.0},
        }

        config = config.invoked("run", now)

        assert config.history[1].changed == {
            "generation_version": ("v1", "v2"),
            "parallelism": (10, 3),
            "max_cost": (None, 5.0),
        }
        assert config.history[0].changed == {}

    def test_a_setting_that_is_taken_back_is_a_change_too(self) -> None:
        config = frozen(task("t1")).invoked("run", {"operational": {"max_cost": 5.0}})

        config = config.invoked("run", {"operational": {"max_cost": None}})

        assert config.history[1].changed == {"max_cost": (5.0, None)}
        assert config.operational == {"max_cost": None}

    def test_what_is_not_known_this_time_is_no_change(self) -> None:
        config = frozen(task("t1")).invoked("run", {"service_version": "1.0"})

        config = config.invoked("evaluate", {"service_version": None})

        assert config.service_version == "1.0"
        assert config.history[1].changed == {}

    def test_what_another_command_does_not_have_stays_as_it_was(self) -> None:
        config = frozen(task("t1")).invoked("run", self.FACTS)

        config = config.invoked("evaluate", {"operational": {"eval_timeout": 9.0}})
        config = config.invoked("run", {"operational": {"parallelism": 10, "eval_timeout": 9.0}})

        assert config.operational == {"parallelism": 10, "max_cost": None, "eval_timeout": 9.0}
        assert config.history[1].changed == {"eval_timeout": (None, 9.0)}
        assert config.history[2].changed == {}

    def test_it_leaves_the_earlier_config_as_it_was(self) -> None:
        config = frozen(task("t1"))

        config.invoked("run", self.FACTS)

        assert (config.history, config.operational) == ([], {})
