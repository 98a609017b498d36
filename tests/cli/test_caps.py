"""A run that is paused: it has cost enough, or goes wrong again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.scripted_service import ScriptedService

RUN = ["run", "--run-id", "r1", "--parallelism", "1"]
SLOWLY = """\
        if not (ROOT / "healed").exists():
            await asyncio.sleep(0.2)
"""
WAIT_FOR_EACH_OTHER = """\
        if task.id in ("t0", "t1"):
            await TOGETHER.wait()
"""


def say(count: int) -> list[dict[str, str]]:
    return [{"id": f"t{n}", "question": f"say {n}", "answer": f"{n}"} for n in range(count)]


def fail(count: int, reason: str = "no luck") -> list[dict[str, str]]:
    return [{"id": f"f{n}", "question": f"raise {reason}", "answer": ""} for n in range(count)]


def paused(project: RunnerProject, *args: str) -> Ended:
    """A command that was paused: it says why, how the run stands and how to go on."""
    ended = project.run(*RUN, *args)
    assert ended.code == 1
    assert "RunPausedError: paused " in ended.err
    assert "No score yet: " in ended.out
    assert "run --run-id r1" in ended.resume_command
    assert not (project.results / "r1" / "final_score.json").exists()
    return ended


class TestMaxCost:
    @pytest.fixture
    def costly(self, project: RunnerProject) -> RunnerProject:
        """Five tasks, each of which costs a dollar."""
        project.change_agent(
            ("GenerationResult(answer=rest)", "GenerationResult(answer=rest, cost=1)")
        )
        project.write_tasks(say(5))
        return project

    def test_no_task_starts_beyond_max_cost(self, costly: RunnerProject) -> None:
        """No task starts once --max-cost is reached."""
        ended = paused(costly, "--max-cost", "2")
        assert costly.calls == ["t0", "t1"]
        assert "paused at a cost of $2.00: --max-cost is 2\n" in ended.err
        assert "higher --max-cost" in ended.err
        assert "Cost     $2.00" in ended.out
        assert "3 not generated" in ended.out

    def test_finished_tasks_are_evaluated(self, costly: RunnerProject) -> None:
        """Tasks that are finished are evaluated in spite of the pause."""
        paused(costly, "--max-cost", "2")
        for task_id in ("t0", "t1"):
            assert costly.read("r1", task_id, "eval.json")["status"] == "evaluated"

    def test_owed_evaluations_are_made(self, costly: RunnerProject) -> None:
        """Evaluations that are left from before are made in spite of the pause."""
        assert costly.run(*RUN, "--skip-eval", "t0").code == 0
        paused(costly, "--max-cost", "1")
        assert costly.calls == ["t0"]
        assert costly.read("r1", "t0", "eval.json")["status"] == "evaluated"

    def test_higher_cap_resumes(self, costly: RunnerProject) -> None:
        """The same cap starts nothing, and a higher one resumes the run."""
        paused(costly, "--max-cost", "2")
        paused(costly, "--max-cost", "2")
        assert len(costly.calls) == 2
        paused(costly, "--max-cost", "3.5")
        assert len(costly.calls) == 4
        ended = costly.run(*RUN, "--max-cost", "10")
        assert ended.code == 0, ended.err
        assert costly.calls == ["t0", "t1", "t2", "t3", "t4"]
        assert "Cost     $5.00" in ended.out
        assert costly.read("r1", "final_score.json")["complete"] is True

    def test_cap_reached_by_the_last_task_is_no_pause(self, costly: RunnerProject) -> None:
        """A cap that only the last task reaches does not pause the run."""
        ended = costly.run(*RUN, "--max-cost", "5")
        assert ended.code == 0, ended.err
        assert len(costly.calls) == 5
        assert costly.read("r1", "final_score.json")["complete"] is True

    def test_finished_run_is_not_paused(self, costly: RunnerProject) -> None:
        """A cap does not pause a run that is finished."""
        assert costly.run(*RUN).code == 0
        assert costly.run(*RUN, "--max-cost", "1").code == 0

    def test_earlier_attempts_count(self, costly: RunnerProject) -> None:
        """The costs of earlier attempts count."""
        assert costly.run(*RUN, "t0").code == 0
        ended = paused(costly, "--max-cost", "3", "--rerun", "t0")
        assert costly.calls == ["t0", "t0", "t1"]
        assert "Cost     $3.00" in ended.out

    def test_failed_attempts_count(self, project: RunnerProject) -> None:
        """The costs of failed attempts count."""
        project.write_tasks([{"id": "t0", "question": "say x"}, *fail(3)])
        project.change_agent(
            ("raise ValueError(rest)", "return GenerationResult(status='error', cost=1)")
        )
        paused(project, "--max-cost", "2")
        assert project.calls == ["t0", "f0", "f1"]
        paused(project, "--max-cost", "3")
        assert project.calls == ["t0", "f0", "f1", "f0"]

    def test_zero_starts_nothing(self, costly: RunnerProject) -> None:
        """A --max-cost of 0 starts nothing."""
        paused(costly, "--max-cost", "0")
        assert costly.calls == []

    def test_unknown_costs_are_reported(self, costly: RunnerProject) -> None:
        """Unknown costs are reported and do not count."""
        costly.change_agent(("cost=1)", "cost=1 if task.id == 't2' else None)"))
        ended = paused(costly, "--max-cost", "1")
        assert costly.calls == ["t0", "t1", "t2"]
        assert "(2 generations without a recorded cost not counted)" in ended.err
        assert "Cost     $1.00; not known of 2 generations" in ended.out

    def test_running_tasks_are_finished(self, costly: RunnerProject) -> None:
        """Tasks that are running are finished and evaluated."""
        # The first two go on only together.
        costly.change_agent(
            ("class SampleRunner", "TOGETHER = asyncio.Barrier(2)\n\n\nclass SampleRunner"),
            ("        word, _, rest", f"{WAIT_FOR_EACH_OTHER}        word, _, rest"),
        )
        ended = costly.run("run", "--run-id", "r1", "--parallelism", "2", "--max-cost", "1")
        assert ended.code == 1
        assert sorted(costly.calls) == ["t0", "t1"]
        for task_id in ("t0", "t1"):
            assert costly.read("r1", task_id, "generation.json")["status"] == "success"
            assert costly.read("r1", task_id, "eval.json")["status"] == "evaluated"
        assert "Cost     $2.00" in ended.out


class TestMaxErrors:
    def test_no_task_starts_beyond_max_errors(self, project: RunnerProject) -> None:
        """No task starts once --max-errors is reached."""
        project.write_tasks([*fail(1, "one"), *say(1), *fail(5, "other")[1:]])
        ended = paused(project, "--max-errors", "2")
        assert project.calls == ["f0", "t0", "f1"]
        assert "paused after 2 generation errors: --max-errors is 2" in ended.err
        assert project.read("r1", "t0", "eval.json")["status"] == "evaluated"

    def test_errors_of_one_invocation_count(self, project: RunnerProject) -> None:
        """Only the errors of this invocation count."""
        project.write_tasks([*fail(4), *say(1)])
        paused(project, "--max-errors", "3")
        assert project.calls == ["f0", "f1", "f2"]
        paused(project, "--max-errors", "3")
        assert project.calls[3:] == ["f0", "f1", "f2"]

    def test_resume_command_continues_after_errors(self, project: RunnerProject) -> None:
        """The printed command continues once the cause is removed."""
        project.write_tasks([*fail(4), *say(1)])
        ended = paused(project, "--max-errors", "2")
        assert "--max-errors 2" in ended.resume_command
        project.heal()
        ended = project.shell(ended.resume_command)
        assert ended.code == 0, ended.err
        assert sorted(project.calls[2:]) == ["f0", "f1", "f2", "f3", "t0"]

    def test_errors_of_the_last_tasks_are_no_pause(self, project: RunnerProject) -> None:
        """Errors of the last tasks do not pause the run."""
        project.write_tasks([*say(1), *fail(2)])
        ended = project.run(*RUN, "--max-errors", "2")
        assert ended.code == 1
        assert "paused" not in ended.err
        assert "Generation failed for 2 tasks: f0, f1" in ended.out


class TestIdenticalErrors:
    def test_ten_identical_errors_pause_the_run(self, project: RunnerProject) -> None:
        """Ten identical errors in a row pause the run."""
        project.write_tasks([*say(1), *fail(30)])
        ended = paused(project)
        assert project.calls == ["t0", *(f"f{n}" for n in range(10))]
        assert "paused after 10 generations in a row failed in the same way" in ended.err
        assert "ValueError: no luck" in ended.err
        assert project.read("r1", "t0", "eval.json")["status"] == "evaluated"
        assert "20 not generated" in ended.out

    def test_resume_continues_after_identical_errors(self, project: RunnerProject) -> None:
        """The printed command continues once the cause is removed."""
        project.write_tasks(fail(12))
        ended = paused(project)
        project.heal()
        assert project.shell(ended.resume_command).code == 0
        assert len(project.calls) == 22

    def test_success_in_between_is_no_pause(self, project: RunnerProject) -> None:
        """A success in between does not pause the run."""
        project.write_tasks([*fail(18)[:9], *say(1), *fail(18)[9:]])
        ended = project.run(*RUN)
        assert ended.code == 1
        assert "paused" not in ended.err
        assert len(project.calls) == 19

    def test_different_errors_are_no_pause(self, project: RunnerProject) -> None:
        """Different errors do not pause the run."""
        tasks = fail(18)
        tasks[9]["question"] = "raise something else"
        project.write_tasks(tasks)
        ended = project.run(*RUN)
        assert "paused" not in ended.err
        assert len(project.calls) == 18

    def test_ten_errors_of_ten_tasks_are_no_pause(self, project: RunnerProject) -> None:
        """Ten identical errors of the last ten tasks do not pause the run."""
        project.write_tasks(fail(10))
        ended = project.run(*RUN)
        assert ended.code == 1
        assert "paused" not in ended.err
        assert "Generation failed for 10 tasks" in ended.out


class TestJson:
    def test_pause_is_an_error_beside_the_result(self, project: RunnerProject) -> None:
        """With --json a pause is an error beside the state of the run."""
        project.write_tasks([*say(1), *fail(4)])
        ended = project.run(*RUN, "--max-errors", "2", "--json")
        assert ended.code == 1
        document: dict[str, Any] = ended.json
        assert document["error"] == {
            "type": "RunPausedError",
            "message": "paused after 2 generation errors: --max-errors is 2",
            "hint": "Correct what the errors name, then resume the run.",
        }
        assert (document["complete"], document["final_score"]) == (False, None)
        assert document["counts"]["attempted"] == 3
        assert "run --run-id r1" in document["resume_command"]

    def test_json_has_costs_and_unknown_ones(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """With --json the costs are given with the number of unknown ones."""
        project.write_tasks(say(3))
        project.change_agent(
            (
                "GenerationResult(answer=rest)",
                "GenerationResult(answer=rest, cost=None if task.id == 't0' else 0.25)",
            )
        )
        document = project.run(*RUN, "--service-url", scripted.url, "--json").json
        assert (document["cost"], document["cost_unknown"]) == (0.5, 1)


@pytest.mark.parametrize(
    "flags",
    [
        ["--max-cost", "-1"],
        ["--max-cost", "-0.01"],
        ["--max-cost", "nan"],
        ["--max-cost", "inf"],
        ["--max-cost", "much"],
        ["--max-errors", "0"],
        ["--max-errors", "-1"],
        ["--max-errors", "1.5"],
    ],
)
def test_invalid_cap_is_refused(project: RunnerProject, flags: list[str]) -> None:
    """A cap that makes no sense is refused."""
    ended = project.run(*RUN, *flags)
    assert ended.code == 2
    assert flags[0] in ended.err
    assert ended.out == ""
    assert project.calls == []
    assert not project.results.exists()


class TestIdenticalEvaluationErrors:
    """Ten evaluations in a row that fail in the same way, for good."""

    FLAGS = ("--eval-parallelism", "1")

    @pytest.mark.sampled(2)
    @pytest.mark.parametrize(
        ("api", "path", "answer"),
        [
            ("legacy", "/evaluate-response/", (400, {"detail": "schema not accepted"})),
            ("legacy", "/evaluate-response/", (404, {"detail": "no such artifact"})),
            ("v1", "/v1/evaluate", (422, {"detail": "body"})),
            ("v1", "/v1/evaluate", (200, {"status": "error", "errors": ["Dataset not found"]})),
        ],
    )
    def test_run_is_paused(
        self,
        project: RunnerProject,
        scripted: ScriptedService,
        api: str,
        path: str,
        answer: tuple[int, Any],
    ) -> None:
        """The run is paused, and neither generates nor evaluates the rest."""
        project.set_in_class(f'EVALUATION_API = "{api}"')
        project.write_tasks(say(40))
        project.change_agent(("        match word:\n", f"{SLOWLY}        match word:\n"))
        scripted.answers[path] = answer
        ended = paused(project, "--service-url", scripted.url, *self.FLAGS)
        assert "paused after 10 evaluations in a row failed in the same way: " in ended.err
        assert scripted.paths().count(path) == 10
        assert len(project.calls) < 40
        del scripted.answers[path]
        project.heal()
        assert project.run(*RUN, "--service-url", scripted.url).code == 0
        assert sorted(project.calls) == sorted(f"t{n}" for n in range(40))

    def test_evaluate_is_paused(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """The command evaluate stops asking, too."""
        project.write_tasks(say(20))
        assert project.run(*RUN, "--skip-eval").code == 0
        scripted.answers["/evaluate-response/"] = (400, {"detail": "no"})
        ended = project.run(
            "evaluate", "--run-id", "r1", "--service-url", scripted.url, *self.FLAGS
        )
        assert ended.code == 1
        assert "RunPausedError: paused after 10 evaluations" in ended.err
        assert scripted.paths().count("/evaluate-response/") == 10

    def test_outage_does_not_pause(self, project: RunnerProject, scripted: ScriptedService) -> None:
        """A service in trouble does not pause the run: what is generated can count later."""
        project.write_tasks(say(15))
        scripted.answers["/evaluate-response/"] = (503, {"detail": "down"})
        ended = project.run(
            *RUN, "--service-url", scripted.url, "--service-attempts", "1", *self.FLAGS
        )
        assert ended.code == 1
        assert "paused" not in ended.err
        assert len(project.calls) == 15
