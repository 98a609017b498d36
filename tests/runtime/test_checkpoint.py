from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import benchmark_runner
from benchmark_runner.artifacts import RunArtifacts
from benchmark_runner.checkpoint import (
    GradedBy,
    RunConfig,
    check_same_grader,
    check_same_limit,
    check_same_settings,
    check_same_source,
    check_same_tasks,
    load_run_config,
    make_plan,
    task_hash,
)
from benchmark_runner.errors import ArtifactError, RunIdentityError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

    from benchmark_runner.checkpoint import TaskSourceKind

SCHEMA = "my-bench.text.v1"
REMOTE = GradedBy("https://one.example.com", "legacy", "1.0")


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


def check_settings(
    config: RunConfig,
    *,
    model: str | None = None,
    sampling: dict[str, JsonValue] | None = None,
    options: dict[str, str] | None = None,
    payload_schema: str = SCHEMA,
) -> None:
    check_same_settings(
        config,
        model=model,
        sampling=sampling or {},
        options=options or {},
        payload_schema=payload_schema,
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
    def test_a_damaged_one_is_an_error_and_stays_where_it_is(
        self, artifacts: RunArtifacts, content: bytes
    ) -> None:
        artifacts.run_dir.mkdir(parents=True)
        artifacts.run_config_path.write_bytes(content)

        with pytest.raises(ArtifactError, match=r"run_config\.json: can't be read") as caught:
            load_run_config(artifacts)

        assert "--run-id" in str(caught.value.hint)
        assert artifacts.run_config_path.read_bytes() == content

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


class TestSettings:
    def test_what_is_left_out_is_not_compared(self) -> None:
        check_settings(
            frozen(sampling={"temperature": 0.5, "max_tokens": 9}, options={"depth": "3"})
        )

    def test_the_same_values_again_are_the_same_run(self) -> None:
        check_settings(
            frozen(sampling={"temperature": 0.5}, options={"depth": "3"}),
            model="model-a",
            sampling={"temperature": 0.5},
            options={"depth": "3"},
        )

    def test_another_model_is_refused_with_both_and_the_way_out(self) -> None:
        with pytest.raises(RunIdentityError) as caught:
            check_settings(frozen(), model="model-b")

        assert "run 'run-1'" in caught.value.message
        assert "model was 'model-a', now 'model-b'" in caught.value.message
        assert "Leave out --model" in str(caught.value.hint)
        assert "--run-id" in str(caught.value.hint)

    @pytest.mark.parametrize(
        ("name", "before", "now", "flag"),
        [
            ("temperature", 0.5, 0.7, "--temperature"),
            ("temperature", 0.5, 0.0, "--temperature"),
            ("max_tokens", 100, 200, "--max-tokens"),
            ("top_p", 0.5, 0.9, "--top-p"),
            ("top_k", 1, 2, "--top-k"),
            ("reasoning_effort", "low", "high", "--reasoning-effort"),
            ("custom_endpoint", "http://a", "http://b", "--custom-endpoint"),
        ],
    )
    def test_another_sampling_setting_is_refused_with_both_and_its_flag(
        self, name: str, before: JsonValue, now: JsonValue, flag: str
    ) -> None:
        with pytest.raises(RunIdentityError) as caught:
            check_settings(frozen(sampling={name: before}), sampling={name: now})

        assert f"{name} was {before!r}, now {now!r}" in caught.value.message
        assert flag in str(caught.value.hint)

    @pytest.mark.parametrize(
        ("name", "value", "flag"),
        [
            ("temperature", 0.0, "--temperature"),
            ("native", False, "--chat-completions"),
            ("provider_config", {"stream_completions": False}, "--disable-streaming"),
        ],
    )
    def test_a_setting_that_was_not_set_before_is_refused(
        self, name: str, value: JsonValue, flag: str
    ) -> None:
        with pytest.raises(RunIdentityError, match=f"{name} was not set, now ") as caught:
            check_settings(frozen(), sampling={name: value})

        assert flag in str(caught.value.hint)

    @pytest.mark.parametrize("before", [{}, {"depth": "3"}])
    def test_another_option_of_the_author_is_refused(self, before: dict[str, str]) -> None:
        with pytest.raises(RunIdentityError, match=r"depth was .*, now '5'") as caught:
            check_settings(frozen(options=before), options={"depth": "5"})

        assert "--option depth" in str(caught.value.hint)

    def test_another_payload_schema_is_refused(self) -> None:
        with pytest.raises(RunIdentityError) as caught:
            check_settings(frozen(), payload_schema="my-bench.text.v2")

        assert SCHEMA in caught.value.message
        assert "my-bench.text.v2" in caught.value.message
        assert "--run-id" in str(caught.value.hint)

    def test_every_difference_is_told_at_once(self) -> None:
        with pytest.raises(RunIdentityError) as caught:
            check_settings(
                frozen(sampling={"top_p": 0.5}),
                model="model-b",
                sampling={"top_p": 0.9},
                options={"depth": "5"},
            )

        for name in ("model", "top_p", "depth"):
            assert f"{name} was " in caught.value.message


class TestLimit:
    @pytest.mark.parametrize(("before", "now"), [(5, None), (5, 5), (None, None)])
    def test_the_same_limit_or_none_given_goes_on(
        self, before: int | None, now: int | None
    ) -> None:
        check_same_limit(frozen(limit=before), now)

    @pytest.mark.parametrize(
        ("before", "now", "text"), [(5, 6, "--limit 5"), (None, 6, "all tasks")]
    )
    def test_another_limit_is_refused_with_both(
        self, before: int | None, now: int, text: str
    ) -> None:
        with pytest.raises(RunIdentityError, match=f"{text}, not with --limit {now}"):
            check_same_limit(frozen(limit=before), now)


class TestSource:
    @pytest.mark.parametrize(
        ("source", "kind", "name"),
        [
            ("file", "file", None),
            ("problem", "problem", None),
            ("service", "service", "validation"),
        ],
    )
    def test_the_same_source_goes_on(
        self, source: TaskSourceKind, kind: TaskSourceKind, name: str | None
    ) -> None:
        check_same_source(frozen(task_source=source, dataset_name=name), kind, name)

    @pytest.mark.parametrize(
        ("source", "kind", "name", "texts"),
        [
            ("file", "service", "validation", ["a file", "dataset 'validation'"]),
            ("file", "problem", None, ["a file", "--problem"]),
            ("problem", "file", None, ["--problem", "a file"]),
            ("service", "file", None, ["dataset 'public'", "a file"]),
            ("service", "service", "validation", ["dataset 'public'", "dataset 'validation'"]),
        ],
    )
    def test_another_source_is_refused_with_both(
        self, source: TaskSourceKind, kind: TaskSourceKind, name: str | None, texts: list[str]
    ) -> None:
        with pytest.raises(RunIdentityError) as caught:
            check_same_source(frozen(task_source=source, dataset_name="public"), kind, name)

        assert all(text in caught.value.message for text in texts)
        assert "--run-id" in str(caught.value.hint)


class TestTasks:
    tasks = (task("z", level=1), task("a"), task("m"))

    def test_the_same_tasks_go_on(self) -> None:
        check_same_tasks(frozen(*self.tasks), self.tasks)

    @pytest.mark.parametrize(
        ("now", "text"),
        [
            ([task("z", level=2), task("a"), task("m")], "1 changed (z)"),
            ([task("z", level=1), task("a", question="other?"), task("m")], "1 changed (a)"),
            ([task("z", level=1), task("a", new=1), task("m")], "1 changed (a)"),
            ([task("z", level=1), task("a"), task("m"), task("b")], "1 added (b)"),
            ([task("z", level=1), task("m")], "1 removed (a)"),
        ],
    )
    def test_a_changed_added_or_removed_task_is_refused_by_its_id(
        self, now: list[Task], text: str
    ) -> None:
        with pytest.raises(RunIdentityError) as caught:
            check_same_tasks(frozen(*self.tasks), now)

        assert text in caught.value.message
        assert "--run-id" in str(caught.value.hint)

    def test_all_three_are_told_at_once(self) -> None:
        with pytest.raises(RunIdentityError) as caught:
            check_same_tasks(frozen(*self.tasks), [task("z"), task("m"), task("b"), task("c")])

        assert "1 changed (z); 2 added (b, c); 1 removed (a)" in caught.value.message

    def test_of_many_tasks_a_few_are_named_and_all_counted(self) -> None:
        added = [task(f"t{index}") for index in range(100)]

        with pytest.raises(RunIdentityError) as caught:
            check_same_tasks(frozen(*self.tasks), [*self.tasks, *added])

        assert "100 added (t0, t1, " in caught.value.message
        assert "t50" not in caught.value.message

    @pytest.mark.parametrize(("before", "now"), [(None, 5), (5, None), (5, 50)])
    def test_the_time_limit_of_a_task_is_not_part_of_the_run(
        self, before: float | None, now: float | None
    ) -> None:
        check_same_tasks(frozen(task("t1", timeout=before)), [task("t1", timeout=now)])

    def test_one_problem_of_many_is_compared_alone(self) -> None:
        config = frozen(task("t1"), task("t2"), task_source="problem")

        check_same_tasks(config, [task("t1")], complete=False)
        check_same_tasks(config, [task("t3")], complete=False)
        with pytest.raises(RunIdentityError, match=r"1 changed \(t2\)"):
            check_same_tasks(config, [task("t2", question="other?")], complete=False)

    def test_a_run_without_hashes_is_compared_by_its_ids(self) -> None:
        config = frozen(task("t1"), task_hashes={})

        check_same_tasks(config, [task("t1", question="other?")])
        with pytest.raises(RunIdentityError, match="1 removed"):
            check_same_tasks(config, [])

    def test_the_hash_knows_types_but_no_task_class(self) -> None:
        class Levelled(Task):
            level: int

        fields = {"id": "t1", "question": "q"}

        assert task_hash(task("t1", level=1)) != task_hash(task("t1", level="1"))
        assert task_hash(Levelled.model_validate({**fields, "level": 1})) == task_hash(
            Task.model_validate({**fields, "level": 1})
        )

    def test_a_question_that_is_no_valid_unicode_has_a_hash(self) -> None:
        assert len(task_hash(Task(id="t1", question="half a pair: \ud83d"))) == 64


class TestPlan:
    def generate(
        self, artifacts: RunArtifacts, task_id: str, status: GenerationStatus, data: str = "42"
    ) -> str:
        return artifacts.save_generation(task_id, GenerationResult(status=status, data=data))

    def grade(
        self,
        artifacts: RunArtifacts,
        task_id: str,
        status: EvalStatus,
        generation_hash: str | None,
        by: GradedBy = REMOTE,
    ) -> None:
        result = EvalResult(
            task_id=task_id,
            status=status,
            generation_hash=generation_hash,
            service_url=by.service_url,
            evaluation_api=by.evaluation_api,
            service_version=by.service_version,
        )
        artifacts.save_eval(task_id, result)

    def test_of_a_new_run_everything_is_generated_in_order(self, artifacts: RunArtifacts) -> None:
        plan = make_plan(artifacts, ["z", "a", "m"])

        assert (plan.generate, plan.evaluate, plan.done) == (["z", "a", "m"], [], 0)
        assert plan

    def test_a_generation_that_failed_is_redone_even_where_it_has_an_eval(
        self, artifacts: RunArtifacts
    ) -> None:
        content_hash = self.generate(artifacts, "t1", GenerationStatus.ERROR)
        self.grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)

        assert make_plan(artifacts, ["t1"]).generate == ["t1"]

    def test_a_generation_that_can_not_be_read_is_redone(self, artifacts: RunArtifacts) -> None:
        self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        artifacts.generation_path("t1").write_text('{"status": "succ')

        assert make_plan(artifacts, ["t1"]).generate == ["t1"]
        assert [path.name for path in artifacts.set_aside] == ["generation.json.corrupt-1"]

    @pytest.mark.parametrize(
        ("generated", "graded"),
        [
            (GenerationStatus.SUCCESS, EvalStatus.EVALUATED),
            (GenerationStatus.MAX_TIME, EvalStatus.DID_NOT_COMPLETE),
            (GenerationStatus.MAX_TURNS, EvalStatus.DID_NOT_COMPLETE),
            (GenerationStatus.SUCCESS, EvalStatus.DID_NOT_COMPLETE),
        ],
    )
    def test_what_is_finished_is_left_alone(
        self, artifacts: RunArtifacts, generated: GenerationStatus, graded: EvalStatus
    ) -> None:
        content_hash = self.generate(artifacts, "t1", generated)
        self.grade(artifacts, "t1", graded, content_hash)

        plan = make_plan(artifacts, ["t1"])

        assert not plan
        assert plan.done == 1

    @pytest.mark.parametrize(
        "generated",
        [GenerationStatus.SUCCESS, GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS],
    )
    def test_a_missing_eval_is_made(
        self, artifacts: RunArtifacts, generated: GenerationStatus
    ) -> None:
        self.generate(artifacts, "t1", generated)

        plan = make_plan(artifacts, ["t1"])

        assert (plan.generate, plan.evaluate, plan.done) == ([], ["t1"], 0)

    @pytest.mark.parametrize("graded", [EvalStatus.ERROR, EvalStatus.GENERATION_ERROR])
    def test_an_eval_that_failed_is_redone(
        self, artifacts: RunArtifacts, graded: EvalStatus
    ) -> None:
        content_hash = self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        self.grade(artifacts, "t1", graded, content_hash)

        assert make_plan(artifacts, ["t1"]).evaluate == ["t1"]

    def test_an_eval_that_can_not_be_read_is_redone(self, artifacts: RunArtifacts) -> None:
        self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        artifacts.eval_path("t1").write_text("{")

        assert make_plan(artifacts, ["t1"]).evaluate == ["t1"]

    @pytest.mark.parametrize("graded", [EvalStatus.EVALUATED, EvalStatus.DID_NOT_COMPLETE])
    def test_an_eval_of_another_generation_is_redone(
        self, artifacts: RunArtifacts, graded: EvalStatus
    ) -> None:
        before = self.generate(artifacts, "t1", GenerationStatus.SUCCESS, "old")
        self.generate(artifacts, "t1", GenerationStatus.SUCCESS, "new")
        self.grade(artifacts, "t1", graded, before)

        assert make_plan(artifacts, ["t1"]).evaluate == ["t1"]

    def test_an_eval_of_an_earlier_framework_names_no_generation_and_is_kept(
        self, artifacts: RunArtifacts
    ) -> None:
        self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        self.grade(artifacts, "t1", EvalStatus.EVALUATED, None)

        assert not make_plan(artifacts, ["t1"])

    def test_an_eval_without_its_generation_does_not_count(self, artifacts: RunArtifacts) -> None:
        self.grade(artifacts, "t1", EvalStatus.EVALUATED, "a hash")

        assert make_plan(artifacts, ["t1"]).generate == ["t1"]

    def test_only_the_chosen_tasks_are_planned(self, artifacts: RunArtifacts) -> None:
        self.generate(artifacts, "t1", GenerationStatus.SUCCESS)

        assert make_plan(artifacts, ["t2"]).generate == ["t2"]
        assert make_plan(artifacts, ["t2"]).evaluate == []

    def test_without_grading_a_generation_is_all_that_is_owed(
        self, artifacts: RunArtifacts
    ) -> None:
        self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        self.generate(artifacts, "t2", GenerationStatus.ERROR)

        plan = make_plan(artifacts, ["t1", "t2", "t3"], skip_eval=True)

        assert (plan.generate, plan.evaluate, plan.done) == (["t2", "t3"], [], 1)

    def test_grading_again_redoes_evals_and_no_generations(self, artifacts: RunArtifacts) -> None:
        content_hash = self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        self.grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)

        plan = make_plan(artifacts, ["t1"], regrade=True)

        assert (plan.generate, plan.evaluate) == ([], ["t1"])

    @pytest.mark.parametrize(
        "now",
        [
            GradedBy("https://two.example.com", "legacy", "1.0"),
            GradedBy("https://one.example.com", "v1", "1.0"),
            GradedBy("https://one.example.com", "legacy", "2.0"),
        ],
    )
    def test_the_grades_of_another_grader_are_not_mixed(
        self, artifacts: RunArtifacts, now: GradedBy
    ) -> None:
        content_hash = self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        self.grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)
        plan = make_plan(artifacts, ["t1", "t2"])

        with pytest.raises(RunIdentityError) as caught:
            check_same_grader("run-1", plan.graded, now)

        if now.service_url == REMOTE.service_url and now.evaluation_api == REMOTE.evaluation_api:
            assert "before the grader or its references changed" in caught.value.message
        else:
            assert str(REMOTE) in caught.value.message
            assert str(now) in caught.value.message
        assert "t1" in caught.value.message
        assert "--regrade" in str(caught.value.hint)

    @pytest.mark.parametrize("now", [REMOTE, GradedBy("https://one.example.com", "legacy", None)])
    def test_the_same_grader_goes_on(self, artifacts: RunArtifacts, now: GradedBy) -> None:
        content_hash = self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        self.grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)

        check_same_grader("run-1", make_plan(artifacts, ["t1"]).graded, now)

    def test_who_graded_the_rest_of_the_run_counts_for_a_part_of_it(
        self, artifacts: RunArtifacts
    ) -> None:
        content_hash = self.generate(artifacts, "t1", GenerationStatus.SUCCESS)
        self.grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)
        part = make_plan(artifacts, ["t1", "t2"]).only({"t2"})

        assert (part.generate, part.evaluate, part.done) == (["t2"], [], 0)
        with pytest.raises(RunIdentityError):
            check_same_grader("run-1", part.graded, GradedBy("local", "legacy", "1.0"))

    def test_grades_of_one_service_by_two_versions_of_its_grader_are_not_mixed(self) -> None:
        first, second = (
            GradedBy("https://one.example.com", "v1", "1.0", version) for version in ("a", "b")
        )
        with pytest.raises(RunIdentityError) as caught:
            check_same_grader("run-1", {first: ["t1"], second: ["t2"]})

        assert "before the grader or its references changed" in caught.value.message
        assert "--regrade" in str(caught.value.hint)
        check_same_grader("run-1", {first: ["t1"]}, GradedBy(first.service_url, "v1", "1.0"))

    def test_what_no_service_graded_binds_to_no_grader(self, artifacts: RunArtifacts) -> None:
        content_hash = self.generate(artifacts, "t1", GenerationStatus.MAX_TIME)
        self.grade(artifacts, "t1", EvalStatus.DID_NOT_COMPLETE, content_hash)

        graded = make_plan(artifacts, ["t1"]).graded
        check_same_grader("run-1", graded, GradedBy("https://two.example.com", "v1", None))


INNER_SETS = """\
from benchmark_runner.checkpoint import task_hash
from benchmark_runner.schemas import Task


class Grouped(Task):
    groups: dict[str, set[str]]


print(task_hash(Grouped(id="t1", question="?", groups={"x": {"alpha", "beta", "gamma"}})))
"""

SETS = """\
from benchmark_runner.checkpoint import task_hash
from benchmark_runner.schemas import Task


class Tagged(Task):
    tags: set[str]
    more: dict[str, frozenset[str]] = {}
    kept: list[str] = []


tags = {"alpha", "beta", "gamma", "delta"}
print(task_hash(Tagged(id="t1", question="?", tags=tags)))
print(task_hash(Tagged(id="t1", question="?", tags=tags, more={"x": frozenset(tags)})))
print(task_hash(Tagged(id="t1", question="?", tags=tags - {"beta"})))
print(task_hash(Tagged(id="t1", question="?", tags=tags, kept=["a", "b"])))
print(task_hash(Tagged(id="t1", question="?", tags=tags, kept=["b", "a"])))
"""


class TestHashes:
    def printed(self, code: str, seed: str) -> list[str]:
        source = str(Path(benchmark_runner.__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": source, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    def test_a_set_in_a_task_has_the_same_hash_in_every_process(self) -> None:
        hashes = self.printed(SETS, "0")
        assert hashes == self.printed(SETS, "1")
        assert len({*hashes}) == 5

    def test_a_set_inside_another_field_has_the_same_hash_in_every_process(self) -> None:
        assert self.printed(INNER_SETS, "0") == self.printed(INNER_SETS, "1")

    def test_a_time_limit_is_no_part_of_it(self) -> None:
        assert task_hash(task("t1", timeout=5)) == task_hash(task("t1"))
        assert task_hash(task("t1", level=5)) != task_hash(task("t1"))
