"""What a run is, as it is frozen on disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError
from typer.main import get_command

from benchmark_runner import make_cli
from benchmark_runner._run.flags import flags_of
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
from benchmark_runner.schemas import GenerationResult
from tests.unit.frozen_tasks import frozen, task

if TYPE_CHECKING:
    from pydantic import JsonValue


class TestTheFile:
    def test_missing_config_is_none(self, artifacts: RunArtifacts) -> None:
        """A run that has no config loads as None."""
        assert load_run_config(artifacts) is None

    def test_config_round_trips(self, artifacts: RunArtifacts) -> None:
        """A config that was saved loads as it was."""
        config = frozen(task("z"), task("a"), sampling={"temperature": 0.5}, options={"d": "1"})
        artifacts.save(artifacts.run_config_path, config)

        assert load_run_config(artifacts) == config

    @pytest.mark.parametrize("count", [0, 1, 2, 3000])
    def test_pieces_equal_the_whole(self, artifacts: RunArtifacts, count: int) -> None:
        """Writing the task hashes one by one gives the same bytes as writing all at once."""
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

    def test_setting_that_is_not_unicode_is_written(self, artifacts: RunArtifacts) -> None:
        """A setting that is not valid Unicode is written with a replacement character."""
        config = frozen(task("t1"), dataset_file="/data/\udcff.json")
        save_run_config(artifacts, config, config.task_hashes.items())

        read = load_run_config(artifacts)
        assert read is not None
        assert (read.dataset_file, read.tasks) == ("/data/\ufffd.json", ["t1"])
        assert read.task_hashes == config.task_hashes

    def test_file_has_the_promised_fields(self, artifacts: RunArtifacts) -> None:
        """The file has the fields that other programs rely on."""
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
    def test_damaged_config_of_generations_stays(
        self, artifacts: RunArtifacts, content: bytes
    ) -> None:
        """A damaged config beside generations is an error, and the file stays."""
        artifacts.save_generation("t1", GenerationResult())
        artifacts.run_config_path.write_bytes(content)

        with pytest.raises(ArtifactError, match=r"run_config\.json: can't be read") as caught:
            load_run_config(artifacts)

        assert "--run-id" in str(caught.value.hint)
        assert artifacts.run_config_path.read_bytes() == content

    @pytest.mark.parametrize(
        "edited",
        [
            {"repeats": 10**9},
            {"until": {"alpha": 0.05, "seed": 1}},
            {"until": {"against": "r0", "alpha": 0.05, "seed": 1, "baseline": [0.5]}},
            {"until": {"against": "r0", "alpha": 0.05, "seed": 1, "baseline": [5, 5]}},
        ],
    )
    def test_nonsense_in_a_config_is_damage(self, edited: dict[str, object]) -> None:
        """A number of repeats or a question that can't be is refused when it is read."""
        with pytest.raises(ValidationError):
            RunConfig.model_validate({"run_id": "r", "model": "m", "tasks": ["a", "b"], **edited})

    def test_damaged_config_alone_is_set_aside(self, artifacts: RunArtifacts) -> None:
        """A damaged config of a run without generations is set aside."""
        artifacts.run_dir.mkdir(parents=True)
        artifacts.run_config_path.write_bytes(b"{")

        assert load_run_config(artifacts) is None

        (aside,) = artifacts.set_aside
        assert (aside.name, aside.read_bytes()) == ("run_config.json.corrupt-1", b"{")
        assert not artifacts.run_config_path.exists()

    def test_run_id_that_differs_in_case_is_refused(self, artifacts: RunArtifacts) -> None:
        """A config whose run id differs only in case is refused."""
        # On a disk that does not tell the two apart, their folder is the same.
        artifacts.save(artifacts.run_config_path, frozen(task("t1"), run_id="Run-1"))

        with pytest.raises(RunIdentityError, match="the folder of run 'Run-1'"):
            load_run_config(artifacts)

    def test_renamed_folder_is_read(self, artifacts: RunArtifacts) -> None:
        """A run whose folder was renamed is read."""
        artifacts.save(artifacts.run_config_path, frozen(task("t1"), run_id="another"))

        assert load_run_config(artifacts) is not None

    def test_folder_in_place_of_the_config_is_an_error(self, artifacts: RunArtifacts) -> None:
        """A folder in the place of the config is an ArtifactError."""
        artifacts.run_config_path.mkdir(parents=True)

        with pytest.raises(ArtifactError, match="can't be read"):
            load_run_config(artifacts)

    def test_unknown_fields_are_kept(self, artifacts: RunArtifacts) -> None:
        """Fields of a later version survive loading and saving."""
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
        """Each field of RunConfig has exactly one part."""
        metadata = RunConfig.model_fields[field].metadata
        assert [found for found in metadata if isinstance(found, Part)] == [part_of(field)]

    def test_every_option_of_run_has_a_part(self) -> None:
        """Each option of the run command has a part, and nothing else has one."""
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
        """A field is listed under its own part and under no other."""
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

    def test_first_invocation_has_no_change(self) -> None:
        """The first invocation records the facts of the run and no change."""
        config = frozen(task("t1")).invoked("run", self.FACTS)

        assert config.generation_version == "v1"
        assert config.operational == {"parallelism": 10, "max_cost": None}
        (first,) = config.history
        assert (first.command, first.changed) == ("run", {})
        assert first.at.tzinfo is not None

    def test_later_invocation_records_changes(self) -> None:
        """A later invocation records each change with the old and the new value."""
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

    def test_removed_setting_is_a_change(self) -> None:
        """A setting that goes back to none is recorded as a change."""
        config = frozen(task("t1")).invoked("run", {"operational": {"max_cost": 5.0}})

        config = config.invoked("run", {"operational": {"max_cost": None}})

        assert config.history[1].changed == {"max_cost": (5.0, None)}
        assert config.operational == {"max_cost": None}

    def test_unknown_fact_is_no_change(self) -> None:
        """A fact that is not known this time keeps its value and is no change."""
        config = frozen(task("t1")).invoked("run", {"service_version": "1.0"})

        config = config.invoked("evaluate", {"service_version": None})

        assert config.service_version == "1.0"
        assert config.history[1].changed == {}

    def test_settings_of_other_commands_are_kept(self) -> None:
        """Settings that a command does not have keep their values."""
        config = frozen(task("t1")).invoked("run", self.FACTS)

        config = config.invoked("evaluate", {"operational": {"eval_timeout": 9.0}})
        config = config.invoked("run", {"operational": {"parallelism": 10, "eval_timeout": 9.0}})

        assert config.operational == {"parallelism": 10, "max_cost": None, "eval_timeout": 9.0}
        assert config.history[1].changed == {"eval_timeout": (None, 9.0)}
        assert config.history[2].changed == {}

    def test_earlier_config_is_unchanged(self) -> None:
        """Recording an invocation leaves the earlier config as it was."""
        config = frozen(task("t1"))

        config.invoked("run", self.FACTS)

        assert (config.history, config.operational) == ([], {})
