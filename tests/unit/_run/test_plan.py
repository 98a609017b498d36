"""What is left to do, and who has graded the rest."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark_runner._run.graded_by import GradedBy, check_same_grader
from benchmark_runner._run.plan import Plan, Reason
from benchmark_runner.artifacts.run_folder import RunArtifacts
from benchmark_runner.errors import RunIdentityError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    TaskRepeat,
)
from tests.fakes import first, make_plan

REMOTE = GradedBy("https://one.example.com", "legacy", "1.0")


def generate(
    artifacts: RunArtifacts, task_id: str, status: GenerationStatus, data: str = "42"
) -> str:
    return artifacts.save_generation(task_id, GenerationResult(status=status, data=data))


def grade(
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


class TestPlan:
    def test_new_run_generates_all_in_order(self, artifacts: RunArtifacts) -> None:
        """In a new run all tasks are to be generated, in their order."""
        plan = make_plan(artifacts, ["z", "a", "m"])

        assert (plan.generate, plan.evaluate, plan.done) == (first("z", "a", "m"), [], 0)
        assert plan

    def test_failed_generation_is_redone(self, artifacts: RunArtifacts) -> None:
        """A generation that failed is redone, even if it has an evaluation."""
        content_hash = generate(artifacts, "t1", GenerationStatus.ERROR)
        grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)

        assert make_plan(artifacts, ["t1"]).generate == first("t1")

    def test_unreadable_generation_is_redone(self, artifacts: RunArtifacts) -> None:
        """A generation that can't be read is set aside and redone."""
        generate(artifacts, "t1", GenerationStatus.SUCCESS)
        artifacts.generation_path("t1").write_text('{"status": "succ')

        assert make_plan(artifacts, ["t1"]).generate == first("t1")
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
    def test_finished_task_is_left_alone(
        self, artifacts: RunArtifacts, generated: GenerationStatus, graded: EvalStatus
    ) -> None:
        """A task with a generation and its evaluation is done."""
        content_hash = generate(artifacts, "t1", generated)
        grade(artifacts, "t1", graded, content_hash)

        plan = make_plan(artifacts, ["t1"])

        assert not plan
        assert plan.done == 1

    @pytest.mark.parametrize(
        "generated",
        [GenerationStatus.SUCCESS, GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS],
    )
    def test_missing_evaluation_is_made(
        self, artifacts: RunArtifacts, generated: GenerationStatus
    ) -> None:
        """A missing evaluation is to be made."""
        generate(artifacts, "t1", generated)

        plan = make_plan(artifacts, ["t1"])

        assert (plan.generate, plan.evaluate, plan.done) == ([], first("t1"), 0)

    @pytest.mark.parametrize("graded", [EvalStatus.ERROR, EvalStatus.GENERATION_ERROR])
    def test_failed_evaluation_is_redone(self, artifacts: RunArtifacts, graded: EvalStatus) -> None:
        """An evaluation that failed is redone."""
        content_hash = generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", graded, content_hash)

        assert make_plan(artifacts, ["t1"]).evaluate == first("t1")

    def test_unreadable_evaluation_is_redone(self, artifacts: RunArtifacts) -> None:
        """An evaluation that can't be read is redone."""
        generate(artifacts, "t1", GenerationStatus.SUCCESS)
        artifacts.eval_path("t1").write_text("{")

        assert make_plan(artifacts, ["t1"]).evaluate == first("t1")

    @pytest.mark.parametrize("graded", [EvalStatus.EVALUATED, EvalStatus.DID_NOT_COMPLETE])
    def test_stale_evaluation_is_redone(self, artifacts: RunArtifacts, graded: EvalStatus) -> None:
        """An evaluation of another generation is redone."""
        before = generate(artifacts, "t1", GenerationStatus.SUCCESS, "old")
        generate(artifacts, "t1", GenerationStatus.SUCCESS, "new")
        grade(artifacts, "t1", graded, before)

        assert make_plan(artifacts, ["t1"]).evaluate == first("t1")

    def test_earlier_evaluation_without_hash_is_kept(self, artifacts: RunArtifacts) -> None:
        """An evaluation of an earlier framework, which has no hash, is kept."""
        generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", EvalStatus.EVALUATED, None)

        assert not make_plan(artifacts, ["t1"])

    def test_evaluation_without_generation_is_ignored(self, artifacts: RunArtifacts) -> None:
        """An evaluation without its generation does not count."""
        grade(artifacts, "t1", EvalStatus.EVALUATED, "a hash")

        assert make_plan(artifacts, ["t1"]).generate == first("t1")

    def test_only_the_chosen_tasks_are_planned(self, artifacts: RunArtifacts) -> None:
        """Only the chosen tasks are planned."""
        generate(artifacts, "t1", GenerationStatus.SUCCESS)

        assert make_plan(artifacts, ["t2"]).generate == first("t2")
        assert make_plan(artifacts, ["t2"]).evaluate == []

    def test_skip_eval_needs_generations_only(self, artifacts: RunArtifacts) -> None:
        """With skip_eval only generations are left to do."""
        generate(artifacts, "t1", GenerationStatus.SUCCESS)
        generate(artifacts, "t2", GenerationStatus.ERROR)

        plan = make_plan(artifacts, ["t1", "t2", "t3"], skip_eval=True)

        assert (plan.generate, plan.evaluate, plan.done) == (first("t2", "t3"), [], 1)

    def test_regrade_redoes_evaluations_only(self, artifacts: RunArtifacts) -> None:
        """With regrade evaluations are redone and no generations."""
        content_hash = generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)

        plan = make_plan(artifacts, ["t1"], regrade=Reason.REGRADE)

        assert (plan.generate, plan.evaluate) == ([], first("t1"))

    def test_regrade_includes_timeouts(self, artifacts: RunArtifacts) -> None:
        """With regrade evaluations of timeouts are redone, too."""
        content_hash = generate(artifacts, "t1", GenerationStatus.MAX_TIME)
        grade(artifacts, "t1", EvalStatus.DID_NOT_COMPLETE, content_hash)

        assert make_plan(artifacts, ["t1"], regrade=Reason.REGRADE).evaluate == first("t1")

    @pytest.mark.parametrize("status", [GenerationStatus.MAX_TIME, GenerationStatus.MAX_TURNS])
    def test_retry_timeouts_redoes_them(
        self, artifacts: RunArtifacts, status: GenerationStatus
    ) -> None:
        """With retry_timeouts generations without enough time or turns are redone."""
        generate(artifacts, "t1", status)
        generate(artifacts, "t2", GenerationStatus.SUCCESS)

        plan = make_plan(artifacts, ["t1", "t2"], retry_timeouts=True)

        assert (plan.generate, plan.evaluate) == (first("t1"), first("t2"))
        assert plan.on_purpose == first("t1")

    def test_redo_has_the_given_reason(self, artifacts: RunArtifacts) -> None:
        """A generation that is redone on purpose has the given reason."""
        redo = dict.fromkeys(first("t1", "t3", "t9"), Reason.RERUN)
        redo[TaskRepeat("t2")] = Reason.CHANGED
        content_hash = generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)
        generate(artifacts, "t2", GenerationStatus.ERROR)

        plan = make_plan(artifacts, ["t1", "t2", "t3"], redo=redo)

        assert (plan.generate, plan.evaluate) == (first("t1", "t2", "t3"), [])
        assert plan.why == {
            Reason.RERUN: first("t1"),
            Reason.CHANGED: first("t2"),
            Reason.NOT_GENERATED: first("t3"),
        }
        assert plan.on_purpose == first("t1", "t2")
        assert plan.graded == {}

    def test_plan_without_some_tasks(self, artifacts: RunArtifacts) -> None:
        """Tasks taken out of a plan leave the rest and the graders."""
        content_hash = generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)
        generate(artifacts, "t2", GenerationStatus.SUCCESS)

        plan = make_plan(artifacts, ["t1", "t2", "t3"]).without(first("t1", "t3"))

        assert (plan.generate, plan.evaluate, plan.done) == ([], first("t2"), 0)
        assert plan.why == {Reason.NOT_GRADED: first("t2")}
        assert plan.graded == {REMOTE: first("t1")}

    @pytest.mark.parametrize(
        "now",
        [
            GradedBy("https://two.example.com", "legacy", "1.0"),
            GradedBy("https://one.example.com", "v1", "1.0"),
            GradedBy("https://one.example.com", "legacy", "2.0"),
        ],
    )
    def test_results_of_two_graders_are_not_mixed(
        self, artifacts: RunArtifacts, now: GradedBy
    ) -> None:
        """Evaluations by another grader are refused with both named."""
        content_hash = generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)
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
    def test_same_grader_resumes(self, artifacts: RunArtifacts, now: GradedBy) -> None:
        """The same grader, or one without a version, resumes the run."""
        content_hash = generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)

        check_same_grader("run-1", make_plan(artifacts, ["t1"]).graded, now)

    def test_graders_of_the_whole_run_count(self, artifacts: RunArtifacts) -> None:
        """The graders of the whole run count for a part of it."""
        content_hash = generate(artifacts, "t1", GenerationStatus.SUCCESS)
        grade(artifacts, "t1", EvalStatus.EVALUATED, content_hash)
        part = make_plan(artifacts, ["t1", "t2"]).only({"t2"})

        assert (part.generate, part.evaluate, part.done) == (first("t2"), [], 0)
        with pytest.raises(RunIdentityError):
            check_same_grader("run-1", part.graded, GradedBy("local", "legacy", "1.0"))

    def test_two_evaluator_versions_are_not_mixed(self) -> None:
        """Evaluations of two versions of the evaluator are refused."""
        one, other = (
            GradedBy("https://one.example.com", "v1", "1.0", version) for version in ("a", "b")
        )
        with pytest.raises(RunIdentityError) as caught:
            check_same_grader("run-1", {one: first("t1"), other: first("t2")})

        assert "before the grader or its references changed" in caught.value.message
        assert "--regrade" in str(caught.value.hint)
        check_same_grader("run-1", {one: first("t1")}, GradedBy(one.service_url, "v1", "1.0"))

    def test_unknown_facts_of_a_grader_are_left_out(self) -> None:
        """A grader is named with what is known of it."""
        assert f"{GradedBy('local', None, None)}" == "local"
        assert f"{GradedBy('local', 'v1', None, None, '1.2')}" == (
            "local (v1 API, dataset version 1.2)"
        )

    def test_unevaluated_outcome_binds_to_no_grader(self, artifacts: RunArtifacts) -> None:
        """An outcome that no service evaluated does not fix the grader."""
        content_hash = generate(artifacts, "t1", GenerationStatus.MAX_TIME)
        grade(artifacts, "t1", EvalStatus.DID_NOT_COMPLETE, content_hash)

        graded = make_plan(artifacts, ["t1"]).graded
        check_same_grader("run-1", graded, GradedBy("https://two.example.com", "v1", None))


class TestWhy:
    """Each task has one reason, and is in one group."""

    def plan(self, artifacts: RunArtifacts, **options: Any) -> Plan:
        """A run in which each state of a task is there once."""
        ok, error = GenerationStatus.SUCCESS, GenerationStatus.ERROR
        states: dict[str, tuple[GenerationStatus, EvalStatus | None]] = {
            "graded": (ok, EvalStatus.EVALUATED),
            "slow": (GenerationStatus.MAX_TIME, EvalStatus.DID_NOT_COMPLETE),
            "ungraded": (ok, None),
            "odd": (ok, EvalStatus.ERROR),
            "failed": (error, EvalStatus.GENERATION_ERROR),
        }
        for task_id, (generated, graded) in states.items():
            content_hash = generate(artifacts, task_id, generated)
            if graded is not None:
                grade(artifacts, task_id, graded, content_hash)
        grade(artifacts, "graded", EvalStatus.EVALUATED, None)
        generate(artifacts, "changed", ok)
        grade(artifacts, "changed", EvalStatus.EVALUATED, "another hash")
        artifacts.task_dir("torn").mkdir()
        artifacts.generation_path("torn").write_text("{")
        return make_plan(artifacts, [*states, "changed", "torn", "missing"], **options)

    def test_reason_is_the_state_on_disk(self, artifacts: RunArtifacts) -> None:
        """The reason of each task is its state on disk."""
        assert self.plan(artifacts).why == {
            Reason.GRADED: first("graded"),
            Reason.DID_NOT_COMPLETE: first("slow"),
            Reason.NOT_GRADED: first("ungraded"),
            Reason.GRADING_FAILED: first("odd"),
            Reason.GENERATION_FAILED: first("failed"),
            Reason.OTHER_GENERATION: first("changed"),
            Reason.UNREADABLE: first("torn"),
            Reason.NOT_GENERATED: first("missing"),
        }

    def test_skip_eval_looks_at_generations_only(self, artifacts: RunArtifacts) -> None:
        """With skip_eval only the generations decide."""
        assert self.plan(artifacts, skip_eval=True).grouped() == {
            "reuse": {Reason.GENERATED: first("graded", "slow", "ungraded", "odd", "changed")},
            "regrade": {},
            "rerun": {
                Reason.GENERATION_FAILED: first("failed"),
                Reason.UNREADABLE: first("torn"),
                Reason.NOT_GENERATED: first("missing"),
            },
        }

    @pytest.mark.parametrize("reason", [Reason.REGRADE, Reason.OTHER_REFERENCES])
    def test_regrade_has_the_given_reason(self, artifacts: RunArtifacts, reason: Reason) -> None:
        """Evaluations that are redone have the given reason."""
        plan = self.plan(artifacts, regrade=reason)

        assert plan.grouped()["regrade"] == {
            reason: first("graded", "slow"),
            Reason.NOT_GRADED: first("ungraded"),
            Reason.GRADING_FAILED: first("odd"),
            Reason.OTHER_GENERATION: first("changed"),
        }
        assert plan.grouped()["reuse"] == {}

    def test_groups_are_reuse_regrade_and_rerun(self, artifacts: RunArtifacts) -> None:
        """Each task is in one of the groups reuse, regrade and rerun."""
        redo = {TaskRepeat("graded"): Reason.RERUN, TaskRepeat("ungraded"): Reason.CHANGED}
        plan = self.plan(artifacts, redo=redo, retry_timeouts=True)

        assert plan.grouped() == {
            "reuse": {},
            "regrade": {
                Reason.GRADING_FAILED: first("odd"),
                Reason.OTHER_GENERATION: first("changed"),
            },
            "rerun": {
                Reason.RERUN: first("graded"),
                Reason.RETRY_TIMEOUTS: first("slow"),
                Reason.CHANGED: first("ungraded"),
                Reason.GENERATION_FAILED: first("failed"),
                Reason.UNREADABLE: first("torn"),
                Reason.NOT_GENERATED: first("missing"),
            },
        }

    @pytest.mark.parametrize(
        ("now", "reused"),
        [
            (None, True),
            (REMOTE, True),
            (GradedBy(REMOTE.service_url, "legacy", None), True),
            (GradedBy("local", "legacy", "1.0"), False),
            (GradedBy(REMOTE.service_url, "legacy", "2.0"), False),
        ],
    )
    def test_other_graders_results_are_not_reused(
        self, artifacts: RunArtifacts, now: GradedBy | None, reused: bool
    ) -> None:
        """Evaluations by another grader are not reused."""
        groups = self.plan(artifacts).grouped(now)

        assert (groups["reuse"].get(Reason.GRADED) == first("graded")) is reused
        assert (groups["regrade"].get(Reason.OTHER_GRADER) == first("graded")) is not reused
        assert groups["reuse"][Reason.DID_NOT_COMPLETE] == first("slow")
