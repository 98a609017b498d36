"""What is left to do, and who has graded the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.artifacts import RunArtifacts
from benchmark_runner.errors import RunIdentityError
from benchmark_runner.planning import GradedBy, Why, check_same_grader, make_plan
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
)

if TYPE_CHECKING:
    from pathlib import Path

REMOTE = GradedBy("https://one.example.com", "legacy", "1.0")


@pytest.fixture
def artifacts(tmp_path: Path) -> RunArtifacts:
    return RunArtifacts(tmp_path / "results", "run-1")


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

        plan = make_plan(artifacts, ["t1"], regrade=Why.REGRADE)

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
