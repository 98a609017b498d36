"""``run --dry-run``: what would become of each task and why, and nothing is touched."""

from __future__ import annotations

import os
import select
import socket
from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner._run.plan import Reason
from tests.files import state

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.scripted_service import ScriptedService

RUN = ["run", "--run-id", "r1"]
PLAN = [*RUN, "--dry-run"]
GRADER = """\
from pathlib import Path

def grade(task, response):
    with (Path(__file__).parents[1] / "graded.txt").open("a") as graded:
        graded.write(task["id"] + "\\n")
    return {"pass_percentage": float(response == task["answer"])}
"""


def planned(project: RunnerProject, *args: str, **environment: str) -> dict[str, Any]:
    """The plan as JSON, once it is sure that making it has touched nothing."""
    before = state(project.root)
    ended = project.run(*PLAN, "--json", *args, **environment)
    assert ended.code == 0, ended.out
    assert len(ended.out.splitlines()) == 1
    assert state(project.root) == before
    return ended.json


def groups(document: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """What becomes of the tasks, why, and of which; the counts checked."""
    for action in document["plan"].values():
        assert all(group["count"] == len(group["task_ids"]) for group in action)
    return {
        action: {Reason[group["why"].upper()]: group["task_ids"] for group in listed}
        for action, listed in document["plan"].items()
    }


class TestWhatIsSaid:
    def test_new_run_generates_everything(self, project: RunnerProject) -> None:
        """A new run would generate all tasks."""
        before = state(project.root)
        ended = project.run(*PLAN)
        assert ended.code == 0
        assert ended.out.splitlines() == [
            "Plan of run r1, a new run; nothing is done",
            "  model    sample-model",
            "  results  results/r1",
            "  reuse    0 tasks",
            "  evaluate 0 tasks",
            "  generate 3 tasks",
            "    3 not generated yet: t3, t1, t2",
            "Leave out --dry-run to do it.",
        ]
        assert ended.err == ""
        assert state(project.root) == before

    def test_run_id_is_generated(self, project: RunnerProject) -> None:
        """Without a run id one is generated."""
        document = project.run("run", "--dry-run", "--json").json
        assert document["run_id"]
        assert document["resumed"] is False
        assert not project.results.exists()

    def test_existing_run_is_grouped(self, project: RunnerProject) -> None:
        """The tasks of an existing run are grouped."""
        project.run(*RUN, "t3")
        project.run(*RUN, "--skip-eval", "t1")
        ended = project.run(*PLAN)
        assert ended.code == 0
        assert ended.out.splitlines() == [
            "Plan of run r1, an existing run; nothing is done",
            "  model    sample-model",
            "  results  results/r1",
            "  reuse    1 task",
            "    1 evaluated: t3",
            "  evaluate 1 task",
            "    1 not evaluated yet: t1",
            "  generate 1 task",
            "    1 not generated yet: t2",
            "Leave out --dry-run to do it.",
        ]

    def test_many_tasks_are_counted(self, project: RunnerProject) -> None:
        """Of many tasks a few are named and all are counted."""
        project.write_tasks([{"id": f"t{n}", "question": "say", "answer": ""} for n in range(40)])
        ended = project.run(*PLAN)
        assert "    40 not generated yet: t0, t1, t2, t3, t4, …" in ended.out.splitlines()
        assert len(planned(project)["plan"]["rerun"][0]["task_ids"]) == 40

    def test_json_is_one_object(self, project: RunnerProject) -> None:
        """The JSON is one object with every task."""
        project.run(*RUN, "t1")
        document = planned(project)
        assert document == {
            "schema": 1,
            "command": "run",
            "run_id": "r1",
            "results_dir": str(project.results),
            "resumed": True,
            "plan": {
                "reuse": [{"why": "graded", "text": "evaluated", "count": 1, "task_ids": ["t1"]}],
                "regrade": [],
                "rerun": [
                    {
                        "why": "not_generated",
                        "text": "not generated yet",
                        "count": 2,
                        "task_ids": ["t3", "t2"],
                    }
                ],
            },
            "removed": [],
            "unreadable": [],
        }

    def test_only_the_chosen_tasks_are_in_it(self, project: RunnerProject) -> None:
        """Only the chosen tasks are in the plan."""
        assert groups(planned(project, "t1", "t2"))["rerun"] == {Reason.NOT_GENERATED: ["t1", "t2"]}

    def test_plan_is_carried_out(self, project: RunnerProject) -> None:
        """A run does what the plan says."""
        project.run(*RUN, "t3")
        project.run(*RUN, "--skip-eval", "t1")
        rerun = groups(planned(project, "--rerun", "t3"))["rerun"]
        assert rerun == {Reason.RERUN: ["t3"], Reason.NOT_GENERATED: ["t2"]}
        assert project.run(*RUN, "--rerun", "t3").code == 0
        assert sorted(project.calls[2:]) == ["t2", "t3"]


class TestWhy:
    """Each reason, once."""

    def only(self, document: dict[str, Any], action: str, why: Reason, *task_ids: str) -> None:
        expected = {"reuse": {}, "regrade": {}, "rerun": {}} | {action: {why: [*task_ids]}}
        assert groups(document) == expected

    def test_reason_evaluated(self, project: RunnerProject) -> None:
        """A task with an evaluation is reused."""
        project.run(*RUN)
        self.only(planned(project), "reuse", Reason.GRADED, "t3", "t1", "t2")

    def test_reason_did_not_complete(self, project: RunnerProject) -> None:
        """A task that did not complete is reused, or redone with --retry-timeouts."""
        project.write_tasks([{"id": "t1", "question": "out-of-turns", "answer": ""}])
        project.run(*RUN)
        self.only(planned(project), "reuse", Reason.DID_NOT_COMPLETE, "t1")
        self.only(planned(project, "--retry-timeouts"), "rerun", Reason.RETRY_TIMEOUTS, "t1")

    def test_reason_generated(self, project: RunnerProject) -> None:
        """Without evaluations a generation is reused."""
        project.run(*RUN, "--skip-eval")
        self.only(planned(project, "--skip-eval"), "reuse", Reason.GENERATED, "t3", "t1", "t2")
        self.only(planned(project), "regrade", Reason.NOT_GRADED, "t3", "t1", "t2")

    def test_reason_evaluation_failed(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A failed evaluation is redone."""
        flags = ["--service-url", scripted.url]
        scripted.answers["/evaluate-response/"] = (400, {"detail": "Task ID not found"})
        project.run(*RUN, *flags)
        document = planned(project, *flags)
        self.only(document, "regrade", Reason.GRADING_FAILED, "t3", "t1", "t2")

    def test_reason_other_generation(self, project: RunnerProject) -> None:
        """An evaluation of another generation is redone."""
        project.run(*RUN, "t1")
        generation = project.results / "r1" / "t1" / "generation.json"
        generation.write_text(generation.read_text().replace('"one"', '"wrong"'))
        self.only(planned(project, "t1"), "regrade", Reason.OTHER_GENERATION, "t1")

    @pytest.mark.parametrize("command", [[], ["--skip-eval"]])
    def test_reason_other_grader(
        self, project: RunnerProject, scripted: ScriptedService, command: list[str]
    ) -> None:
        """An evaluation by another grader is redone unless --skip-eval is given."""
        project.run(*RUN)
        document = planned(project, *command, "--service-url", scripted.url)
        if command:
            self.only(document, "reuse", Reason.GENERATED, "t3", "t1", "t2")
        else:
            self.only(document, "regrade", Reason.OTHER_GRADER, "t3", "t1", "t2")

    def test_reason_other_references(self, project: RunnerProject) -> None:
        """The local service changes with its tasks, so evaluations are redone."""
        project.run(*RUN)
        project.dataset.write_text(project.dataset.read_text().replace("say two", "say other"))
        assert groups(planned(project, "--accept-changed-tasks")) == {
            "reuse": {},
            "regrade": {Reason.OTHER_REFERENCES: ["t3", "t1"]},
            "rerun": {Reason.CHANGED: ["t2"]},
        }

    def test_reason_unreadable(self, project: RunnerProject) -> None:
        """A generation that can't be read is redone."""
        project.run(*RUN, "t1")
        (project.results / "r1" / "t1" / "generation.json").write_text("{")
        self.only(planned(project, "t1"), "rerun", Reason.UNREADABLE, "t1")

    def test_reason_generation_failed(self, project: RunnerProject) -> None:
        """A failed generation is redone."""
        project.write_tasks([{"id": "t1", "question": "raise no luck", "answer": ""}])
        project.run(*RUN)
        self.only(planned(project), "rerun", Reason.GENERATION_FAILED, "t1")

    def test_reason_changed(self, project: RunnerProject) -> None:
        """A changed task is redone."""
        project.run(*RUN, "--skip-eval", "t2")
        project.dataset.write_text(project.dataset.read_text().replace("say two", "say other"))
        document = planned(project, "--accept-changed-tasks", "--skip-eval", "t2")
        self.only(document, "rerun", Reason.CHANGED, "t2")

    def test_reason_rerun(self, project: RunnerProject) -> None:
        """A task that is named by --rerun is redone."""
        project.run(*RUN, "t1")
        self.only(planned(project, "--rerun", "t1", "t1"), "rerun", Reason.RERUN, "t1")


class TestNothingIsTouched:
    def test_agent_and_grader_are_not_called(self, project: RunnerProject) -> None:
        """Neither the agent nor the grader is called."""
        project.write_grader(GRADER)
        project.run(*RUN, "--skip-eval", "t1")
        ended = project.run(*PLAN, "--rerun", "t1")
        assert ended.code == 0
        assert project.calls == ["t1"]
        assert not (project.root / "graded.txt").exists()

    def test_service_is_asked_for_its_version_only(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A service is asked only for its version."""
        project.run(*RUN, "--skip-eval", "t1")
        planned(project, "--service-url", scripted.url)
        assert scripted.paths() == ["/version"]

    def test_unreadable_files_are_listed_and_stay(self, project: RunnerProject) -> None:
        """Files that can't be read are listed and stay in their place."""
        project.run(*RUN)
        generation = project.results / "r1" / "t1" / "generation.json"
        grade = project.results / "r1" / "t2" / "eval.json"
        generation.write_text("{")
        grade.write_text("{")
        document = planned(project)
        assert document["unreadable"] == [str(generation), str(grade)]
        assert groups(document) == {
            "reuse": {Reason.GRADED: ["t3"]},
            "regrade": {Reason.NOT_GRADED: ["t2"]},
            "rerun": {Reason.UNREADABLE: ["t1"]},
        }
        ended = project.run(*PLAN)
        for name in ("t1/generation.json", "t2/eval.json"):
            said = f"  would be set aside, because it can't be read: results/r1/{name}"
            assert said in ended.out.splitlines()

    def test_torn_config_stays(self, project: RunnerProject) -> None:
        """A torn config of a run without generations stays in its place."""
        config = project.results / "r1" / "run_config.json"
        config.parent.mkdir(parents=True)
        config.write_text("{")
        document = planned(project)
        assert document["unreadable"] == [str(config)]
        assert document["resumed"] is False

    def test_a_problem_is_planned_too(self, project: RunnerProject) -> None:
        """A problem is planned, too."""
        (project.root / "p.txt").write_text("say one")
        flags = ["--skip-eval", "--problem", "p.txt", "p1"]
        assert groups(planned(project, *flags))["rerun"] == {Reason.NOT_GENERATED: ["p1"]}
        assert project.run(*RUN, *flags).code == 0
        assert groups(planned(project, *flags))["reuse"] == {Reason.GENERATED: ["p1"]}

    def test_plan_works_beside_a_running_run(self, project: RunnerProject) -> None:
        """The plan is made while another process holds the run."""
        project.write_tasks(
            [
                {"id": "t1", "question": "say one", "answer": "one"},
                {"id": "t2", "question": "wait", "answer": ""},
            ]
        )
        read_end, write_end = os.pipe()
        process = project.start(*RUN, "--parallelism", "1", ready=write_end)
        try:
            ready, _, _ = select.select([read_end], [], [], 20)
            assert ready, "the agent did not get there"
            ended = project.run(*PLAN, "--json")
        finally:
            process.kill()
            process.communicate()
            os.close(read_end)
            os.close(write_end)
        assert ended.code == 0, ended.out
        assert groups(ended.json)["rerun"] == {Reason.NOT_GENERATED: ["t2"]}


class TestServicesThatCanNotBeUsed:
    @pytest.fixture
    def nobody(self) -> str:
        """A port where nobody listens."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{taken.getsockname()[1]}"

    def test_down_service_is_no_obstacle(self, project: RunnerProject, nobody: str) -> None:
        """A service that is down is no obstacle."""
        project.run(*RUN, "--skip-eval", "t1")
        document = planned(project, "--service-url", nobody)
        assert groups(document)["regrade"] == {Reason.NOT_GRADED: ["t1"]}

    def test_failing_service_is_asked_once(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A service that fails is asked once."""
        scripted.answers["/version"] = (503, {"detail": "in trouble"})
        planned(project, "--service-url", scripted.url)
        assert scripted.paths() == ["/version"]

    def test_refused_key_is_no_obstacle(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A service that refuses the key is no obstacle."""
        scripted.answers["/version"] = (401, {"detail": "Unauthorized"})
        document = planned(project, "--service-url", scripted.url)
        assert groups(document)["rerun"] == {Reason.NOT_GENERATED: ["t3", "t1", "t2"]}

    def test_missing_service_is_no_obstacle(self, project: RunnerProject) -> None:
        """Without a service the generations are planned."""
        project.write_cli(default_service_url=None)
        assert groups(planned(project))["rerun"] == {Reason.NOT_GENERATED: ["t3", "t1", "t2"]}


class TestErrors:
    def refused(self, project: RunnerProject, *args: str, **environment: str) -> Ended:
        before = state(project.root)
        ended = project.run(*PLAN, *args, **environment)
        assert ended.code == 2
        assert ended.out == ""
        assert state(project.root) == before
        return ended

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (["--model", "m2"], "model was 'sample-model', now 'm2'"),
            (["--limit", "2"], "--limit 2"),
            (["t9"], "1 unknown task id: t9"),
            (["--rerun", "t9"], "1 unknown task id: t9"),
            (["--dataset-file", "missing.json"], "missing.json"),
        ],
    )
    def test_refusals_of_run_apply(
        self, project: RunnerProject, flags: list[str], said: str
    ) -> None:
        """Input that run refuses is refused."""
        project.run(*RUN, "t1")
        assert said in self.refused(project, *flags).err

    def test_changes_need_acceptance(self, project: RunnerProject) -> None:
        """Changed tasks and code are refused unless accepted."""
        project.run(*RUN, "--skip-eval", "t1")
        stamp = {"SAMPLE_GENERATION_VERSION": "v2"}
        assert "'dev', now 'v2'" in self.refused(project, **stamp).err
        planned(project, "--accept-code-change", **stamp)
        project.dataset.write_text(project.dataset.read_text().replace("say one", "say other"))
        assert "1 changed (t1)" in self.refused(project).err
        planned(project, "--accept-changed-tasks")
        # Planning has accepted nothing.
        assert "1 changed (t1)" in self.refused(project).err

    def test_json_refusal_is_an_object(self, project: RunnerProject) -> None:
        """With --json a refusal is an object."""
        project.run(*RUN, "t1")
        ended = project.run(*PLAN, "--json", "--model", "m2")
        assert ended.code == 2
        assert ended.json["error"]["type"] == "RunIdentityError"
