"""A run is opened: a new one, or the same one again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr

from benchmark_runner._run.task_content import task_hash
from benchmark_runner.checkpoint import load_run_config
from benchmark_runner.errors import DatasetError, RunIdentityError, UsageError
from benchmark_runner.schemas import GenerationResult, Task
from tests.unit._run.sessions import CANARY, ROWS, Bench, Keyed, Options, SampleRunner, Spelling

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.anyio


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestStarting:
    async def test_new_run_is_written_when_frozen(self, bench: Bench) -> None:
        """A new run is on disk when it is frozen, and not before."""
        session = await bench.open()
        assert not bench.results.exists()
        session.freeze("run", {})
        config = load_run_config(session.artifacts)
        assert config is not None
        assert config.without_hashes(history=[]) == session.config.model_copy(
            update=dict(session.facts)
        )
        assert config.task_hashes == {
            task.id: task_hash(task) for task in session.runner.get_tasks()
        }
        assert (config.run_id, config.model) == ("r1", "default-model")
        assert (config.task_source, config.dataset_name) == ("file", "letters")
        assert config.dataset_file == str(bench.file)
        assert (config.payload_schema, config.payload_type) == ("sample.text.v1", "text")
        assert config.evaluation_api == "legacy"
        assert config.generation_version == "dev"
        assert config.created_at is not None

    async def test_tasks_keep_the_datasets_order(self, bench: Bench) -> None:
        """Tasks keep the order of the dataset."""
        session = await bench.open()
        assert session.config.tasks == session.chosen == ["b", "a", "c"]
        assert [task.id for task in session.runner.get_tasks()] == ["b", "a", "c"]

    async def test_named_tasks_keep_the_runs_order(self, bench: Bench) -> None:
        """Named tasks are chosen in the order of the run."""
        session = await bench.open(task_ids=["c", "b"])
        assert session.chosen == ["b", "c"]
        assert session.config.tasks == ["b", "a", "c"]

    async def test_an_unknown_task_is_refused_by_name(self, bench: Bench) -> None:
        """An unknown task is refused by name, and nothing is written."""
        with pytest.raises(UsageError) as caught:
            await bench.open(task_ids=["a", "x", "y"])
        assert "x, y" in caught.value.message
        assert "b, a, c" in (caught.value.hint or "")
        assert not bench.results.exists()

    async def test_limit_takes_the_first_tasks(self, bench: Bench) -> None:
        """A limit takes the first tasks and records the size of the dataset."""
        session = await bench.open(limit=2)
        assert session.config.tasks == ["b", "a"]
        assert (session.config.limit, session.config.dataset_size) == (2, 3)
        assert [task.id for task in session.runner.get_tasks()] == ["b", "a"]

    async def test_a_task_beyond_the_limit_is_unknown(self, bench: Bench) -> None:
        """A task beyond the limit is unknown."""
        with pytest.raises(UsageError, match="unknown task"):
            await bench.open(limit=2, task_ids=["c"])

    async def test_generations_without_config_are_refused(self, bench: Bench) -> None:
        """Generations without their run_config.json are refused."""
        session = await bench.start()
        session.artifacts.save_generation("a", GenerationResult(answer="paid for"))
        session.artifacts.run_config_path.unlink()
        with pytest.raises(RunIdentityError) as caught:
            await bench.open()
        assert str(session.artifacts.run_dir) in caught.value.message
        assert "run_config.json" in caught.value.message
        assert "--run-id" in (caught.value.hint or "")

    async def test_a_folder_without_generations_is_a_new_run(self, bench: Bench) -> None:
        """A folder without generations is a new run."""
        (bench.results / "r1" / "a").mkdir(parents=True)
        assert not (await bench.start()).resumed

    async def test_ids_of_the_same_folder_are_refused(self, bench: Bench) -> None:
        """Task ids that name the same folder are refused."""
        bench.write([*ROWS, {"id": "B", "question": "second?"}])
        with pytest.raises(DatasetError) as caught:
            await bench.open()
        assert "'b'" in caught.value.message
        assert "'B'" in caught.value.message
        assert not bench.results.exists()

    async def test_missing_model_has_a_hint(self, bench: Bench) -> None:
        """Without any model the error names --model."""
        with pytest.raises(UsageError) as caught:
            await bench.open(default_model=None)
        assert "--model" in (caught.value.hint or "")

    async def test_references_are_dropped(self, bench: Bench) -> None:
        """Reference answers are in no task and not in the config."""
        session = await bench.start()
        shown = [task.model_dump_json() for task in session.runner.get_tasks()]
        assert CANARY not in "".join(shown)
        assert CANARY not in session.artifacts.run_config_path.read_text()
        assert session.runner.get_tasks()[0].model_extra == {"category": "letters"}

    async def test_references_of_a_loader_are_dropped(self, bench: Bench) -> None:
        """Reference answers of an author's own loader are dropped."""

        class Loading(SampleRunner):
            def load_tasks(self, dataset_file: str | None) -> list[Task]:
                return [Task.model_validate(row) for row in ROWS]

        bench.runner_class = Loading
        session = await bench.start()
        shown = [task.model_dump_json() for task in session.runner.get_tasks()]
        assert CANARY not in "".join(shown)

    async def test_service_lists_its_tasks(self, bench: Bench) -> None:
        """Tasks of a service are listed by it."""
        session = await bench.open(dataset_name="letters")
        assert [source.dataset_name for source in bench.connected] == ["letters"]
        assert session.config.task_source == "service"
        assert session.config.dataset_name == session.runner.dataset_name == "letters"
        assert session.config.dataset_file is None
        assert session.config.tasks == ["b", "a", "c"]

    async def test_tasks_of_a_file_need_no_connection(self, bench: Bench) -> None:
        """Tasks of a file need no connection."""
        await bench.open()
        assert bench.connected == []

    async def test_problem_is_one_task(self, bench: Bench, tmp_path: Path) -> None:
        """A problem is one task and needs neither dataset nor connection."""
        problem = tmp_path / "problem.txt"
        problem.write_text("\n  What now?\n\n")
        bench.file.unlink()
        session = await bench.open(problem=problem, task_ids=["t1"])
        assert session.runner.get_tasks() == [Task(id="t1", question="What now?")]
        assert (session.config.task_source, session.chosen) == ("problem", ["t1"])
        assert bench.connected == []


class TestSecrets:
    async def test_no_key_is_frozen(self, bench: Bench) -> None:
        """No key is written to the config."""
        bench.service_url = "https://someone:hidden-1@example.com"
        session = await bench.start(
            sampling={
                "custom_api_key": "hidden-2",
                "custom_endpoint": "https://me:hidden-3@model.example.com/v1",
                "temperature": 0.5,
            },
            options=["token=hidden-4", "depth=3"],
        )
        written = session.artifacts.run_config_path.read_text()
        assert "hidden" not in written
        config = json.loads(written)
        assert config["sampling"]["custom_endpoint"] == "https://model.example.com/v1"
        assert config["service_url"] == "https://example.com"
        assert config["options"] == {"depth": "3"}

    async def test_keys_reach_the_agent(self, bench: Bench) -> None:
        """Keys reach the agent."""
        session = await bench.start(
            sampling={"custom_api_key": "hidden-2"}, options=["token=hidden-4"]
        )
        assert session.llm_config.custom_api_key == SecretStr("hidden-2")
        assert session.runner.options == Options(token=SecretStr("hidden-4"))

    async def test_other_key_is_the_same_run(self, bench: Bench) -> None:
        """Another key is still the same run."""
        await bench.start(sampling={"custom_api_key": "hidden-2"}, options=["token=hidden-4"])
        session = await bench.open(
            sampling={"custom_api_key": "hidden-5"}, options=["token=hidden-6"]
        )
        assert session.llm_config.custom_api_key == SecretStr("hidden-5")
        await bench.start("without")
        session = await bench.open("without", sampling={"custom_api_key": "hidden-7"})
        assert session.llm_config.custom_api_key == SecretStr("hidden-7")


class TestGoingOn:
    SETTINGS: dict[str, Any] = {  # noqa: RUF012 (only read)
        "model": "m1",
        "sampling": {"temperature": 0.5, "custom_endpoint": "https://model.example.com/v1"},
        "options": ["depth=3"],
    }

    async def test_omitted_settings_are_taken_from_the_run(self, bench: Bench) -> None:
        """Settings that are left out are those of the run."""
        started = await bench.start(**self.SETTINGS, limit=2)
        session = await bench.open()
        assert session.resumed
        assert session.config.sampling == started.config.sampling
        assert dict(session.task_hashes()) == dict(started.task_hashes())
        assert session.config.model == "m1"
        assert session.llm_config.temperature == 0.5
        assert session.llm_config.custom_endpoint == "https://model.example.com/v1"
        assert session.runner.options == Options(depth=3)
        assert session.chosen == ["b", "a"]

    async def test_same_settings_are_the_same_run(self, bench: Bench) -> None:
        """The same settings given again are the same run."""
        await bench.start(**self.SETTINGS, limit=2, task_ids=["a"])
        session = await bench.open(**self.SETTINGS, limit=2)
        assert session.chosen == ["b", "a"]

    @pytest.mark.parametrize(
        ("changed", "named", "before", "now"),
        [
            ({"model": "m2"}, "--model", "'m1'", "'m2'"),
            ({"sampling": {"temperature": 0.7}}, "--temperature", "0.5", "0.7"),
            ({"sampling": {"max_tokens": 10}}, "--max-tokens", "not set", "10"),
            ({"sampling": {"top_k": 3}}, "--top-k", "not set", "3"),
            ({"sampling": {"top_p": 0.1}}, "--top-p", "not set", "0.1"),
            ({"sampling": {"reasoning_effort": "low"}}, "--reasoning-effort", "not set", "'low'"),
            ({"sampling": {"chat_completions": True}}, "--chat-completions", "not set", "True"),
            (
                {"sampling": {"custom_endpoint": "https://other.example.com"}},
                "--custom-endpoint",
                "'https://model.example.com/v1'",
                "'https://other.example.com'",
            ),
            ({"options": ["depth=4"]}, "--option depth", "'3'", "'4'"),
        ],
    )
    async def test_other_setting_is_refused(
        self, bench: Bench, changed: dict[str, Any], named: str, before: str, now: str
    ) -> None:
        """Another setting is refused with both values."""
        await bench.start(**self.SETTINGS)
        with pytest.raises(RunIdentityError) as caught:
            await bench.open(**changed)
        assert f"was {before}, now {now}" in caught.value.message
        assert named in (caught.value.hint or "")

    async def test_another_limit_is_refused(self, bench: Bench) -> None:
        """Another limit is refused."""
        await bench.start(limit=2)
        with pytest.raises(RunIdentityError) as caught:
            await bench.open(limit=3)
        assert "--limit 2" in caught.value.message
        await bench.start("whole")
        with pytest.raises(RunIdentityError, match="all tasks"):
            await bench.open("whole", limit=2)

    async def test_another_payload_schema_is_refused(self, bench: Bench) -> None:
        """Another payload schema is refused."""
        await bench.start()

        class Second(SampleRunner):
            PAYLOAD_SCHEMA_VERSION = 2

        bench.runner_class = Second
        with pytest.raises(RunIdentityError) as caught:
            await bench.open()
        assert "sample.text.v1" in caught.value.message
        assert "sample.text.v2" in caught.value.message

    @pytest.mark.parametrize(
        ("rows", "said"),
        [
            ([{**ROWS[0], "question": "another?"}, *ROWS[1:]], "1 changed (b)"),
            ([{**ROWS[0], "category": "signs"}, *ROWS[1:]], "1 changed (b)"),
            ([*ROWS, {"id": "d", "question": "fourth?"}], "1 added (d)"),
            (ROWS[:2], "1 removed (c)"),
        ],
    )
    async def test_changed_tasks_are_refused(
        self, bench: Bench, rows: list[dict[str, object]], said: str
    ) -> None:
        """Changed, added or removed tasks are refused."""
        await bench.start()
        bench.write(rows)
        with pytest.raises(RunIdentityError) as caught:
            await bench.open()
        assert said in caught.value.message

    @pytest.mark.parametrize(
        "rows",
        [
            [{**row, "timeout": 99} for row in ROWS],
            [{**row, "answer": "corrected"} for row in ROWS],
            ROWS[::-1],
        ],
    )
    async def test_time_limit_reference_and_order_may_change(
        self, bench: Bench, rows: list[dict[str, object]]
    ) -> None:
        """Other time limits, references or orders are the same tasks."""
        await bench.start()
        bench.write(rows)
        session = await bench.open()
        assert session.config.tasks == session.chosen == ["b", "a", "c"]
        assert [task.id for task in session.runner.get_tasks()] == ["b", "a", "c"]

    async def test_run_reads_its_own_file_again(self, bench: Bench, tmp_path: Path) -> None:
        """A run reads its own file again and never the default."""
        own = tmp_path / "own.jsonl"
        own.write_text('{"id": "x", "question": "?"}\n')
        await bench.start(dataset_file=own)
        session = await bench.open()
        assert session.chosen == ["x"]
        own.unlink()
        with pytest.raises(DatasetError, match=r"own\.jsonl"):
            await bench.open()

    async def test_moved_file_is_used_from_then_on(self, bench: Bench, tmp_path: Path) -> None:
        """The same tasks in another file are read from there from then on."""
        await bench.start()
        moved = bench.file.rename(tmp_path / "moved.json")
        with pytest.raises(DatasetError, match=r"letters\.json"):
            await bench.open()
        session = await bench.open(dataset_file=moved)
        assert not session.changes
        session.freeze("run", {})
        assert (await bench.open()).source.file == moved

    async def test_run_of_a_service_lists_tasks_again(self, bench: Bench) -> None:
        """A run of a service lists its dataset again."""
        await bench.start(dataset_name="letters")
        session = await bench.open()
        assert len(bench.connected) == 2
        assert session.source.dataset_name == "letters"

    async def test_other_source_is_refused(self, bench: Bench, tmp_path: Path) -> None:
        """Tasks from another source are refused."""
        problem = tmp_path / "problem.txt"
        problem.write_text("?")
        await bench.start()
        for elsewhere in ({"dataset_name": "letters"}, {"problem": problem, "task_ids": ["b"]}):
            with pytest.raises(RunIdentityError, match="takes its tasks from a file"):
                await bench.open(**elsewhere)

    async def test_required_option_is_remembered(self, bench: Bench) -> None:
        """A required option need not be given again."""

        class Required(BaseModel):
            split: str

        class Asking(SampleRunner):
            OPTIONS_MODEL = Required

        bench.runner_class = Asking
        await bench.start(options=["split=test"])
        session = await bench.open()
        assert session.runner.options == Required(split="test")

    @pytest.mark.parametrize(
        ("before", "same", "other"),
        [
            ("ratio=0.1", "ratio=0.10", "ratio=0.2"),
            ("flag=true", "flag=True", "flag=false"),
            ("depth=3", "depth=03", "depth=4"),
        ],
    )
    async def test_options_are_compared_by_value(
        self, bench: Bench, before: str, same: str, other: str
    ) -> None:
        """Options are compared by value and not by spelling."""
        bench.runner_class = Spelling
        await bench.start(options=[before])
        session = await bench.open(options=[same])
        assert session.resumed
        with pytest.raises(RunIdentityError):
            await bench.open(options=[other])

    async def test_options_beside_a_secret_are_compared(self, bench: Bench) -> None:
        """Options beside a secret one are compared by value, too."""
        bench.runner_class = Keyed
        await bench.start(options=["token=hidden-1", "depth=3"])
        session = await bench.open(options=["token=hidden-2", "depth=03"])
        assert session.runner.options.depth == 3
