"""A run that is paused: it has cost enough, or goes wrong again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject
    from tests.fakes import ScriptedService

RUN = ["run", "--run-id", "r1", "--parallelism", "1"]
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

    def test_no_task_starts_once_it_is_reached(self, costly: RunnerProject) -> None:
        ended = paused(costly, "--max-cost", "2")
        assert costly.calls == ["t0", "t1"]
        assert "paused at a cost of $2.00: --max-cost is 2\n" in ended.err
        assert "higher --max-cost" in ended.err
        assert "Cost     $2.00" in ended.out
        assert "3 not generated" in ended.out

    def test_what_is_finished_is_graded_all_the_same(self, costly: RunnerProject) -> None:
        paused(costly, "--max-cost", "2")
        for task_id in ("t0", "t1"):
            assert costly.read("r1", task_id, "eval.json")["status"] == "evaluated"

    def test_grades_owed_from_before_are_made_too(self, costly: RunnerProject) -> None:
        assert costly.run(*RUN, "--skip-eval", "t0").code == 0
        paused(costly, "--max-cost", "1")
        assert costly.calls == ["t0"]
        assert costly.read("r1", "t0", "eval.json")["status"] == "evaluated"

    def test_the_same_again_starts_nothing_and_a_higher_one_goes_on(
        self, costly: RunnerProject
    ) -> None:
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

    def test_one_that_the_last_task_reaches_pauses_nothing(self, costly: RunnerProject) -> None:
        ended = costly.run(*RUN, "--max-cost", "5")
        assert ended.code == 0, ended.err
        assert len(costly.calls) == 5
        assert costly.read("r1", "final_score.json")["complete"] is True

    def test_of_a_finished_run_it_pauses_nothing(self, costly: RunnerProject) -> None:
        assert costly.run(*RUN).code == 0
        assert costly.run(*RUN, "--max-cost", "1").code == 0

    def test_earlier_attempts_count(self, costly: RunnerProject) -> None:
        assert costly.run(*RUN, "t0").code == 0
        ended = paused(costly, "--max-cost", "3", "--rerun", "t0")
        assert costly.calls == ["t0", "t0", "t1"]
        assert "Cost     $3.00" in ended.out

    def test_failed_attempts_count(self, project: RunnerProject) -> None:
        project.write_tasks([{"id": "t0", "question": "say x"}, *fail(3)])
        project.change_agent(
            ("raise ValueError(rest)", "return GenerationResult(status='error', cost=1)")
        )
        paused(project, "--max-cost", "2")
        assert project.calls == ["t0", "f0", "f1"]
        paused(project, "--max-cost", "3")
        assert project.calls == ["t0", "f0", "f1", "f0"]

    def test_zero_starts_nothing(self, costly: RunnerProject) -> None:
        paused(costly, "--max-cost", "0")
        assert costly.calls == []

    def test_costs_that_are_not_known_are_said(self, costly: RunnerProject) -> None:
        costly.change_agent(("cost=1)", "cost=1 if task.id == 't2' else None)"))
        ended = paused(costly, "--max-cost", "1")
        assert costly.calls == ["t0", "t1", "t2"]
        assert "(2 generation(s) without a recorded cost not counted)" in ended.err
        assert "Cost     $1.00; not known of 2 generation(s)" in ended.out

    def test_tasks_that_are_running_finish_and_are_graded(self, costly: RunnerProject) -> None:
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
    def test_no_task_starts_once_there_are_so_many(self, project: RunnerProject) -> None:
        project.write_tasks([*fail(1, "one"), *say(1), *fail(5, "other")[1:]])
        ended = paused(project, "--max-errors", "2")
        assert project.calls == ["f0", "t0", "f1"]
        assert "paused after 2 generation error(s): --max-errors is 2" in ended.err
        assert project.read("r1", "t0", "eval.json")["status"] == "evaluated"

    def test_only_those_of_this_invocation_count(self, project: RunnerProject) -> None:
        project.write_tasks([*fail(4), *say(1)])
        paused(project, "--max-errors", "3")
        assert project.calls == ["f0", "f1", "f2"]
        paused(project, "--max-errors", "3")
        assert project.calls[3:] == ["f0", "f1", "f2"]

    def test_the_printed_command_goes_on_once_the_cause_is_gone(
        self, project: RunnerProject
    ) -> None:
        project.write_tasks([*fail(4), *say(1)])
        ended = paused(project, "--max-errors", "2")
        assert "--max-errors 2" in ended.resume_command
        project.heal()
        ended = project.shell(ended.resume_command)
        assert ended.code == 0, ended.err
        assert sorted(project.calls[2:]) == ["f0", "f1", "f2", "f3", "t0"]

    def test_errors_of_the_last_tasks_pause_nothing(self, project: RunnerProject) -> None:
        project.write_tasks([*say(1), *fail(2)])
        ended = project.run(*RUN, "--max-errors", "2")
        assert ended.code == 1
        assert "paused" not in ended.err
        assert "Generation failed for 2 tasks: f0, f1" in ended.out


class TestIdenticalErrors:
    def test_ten_in_a_row_pause_the_run(self, project: RunnerProject) -> None:
        project.write_tasks([*say(1), *fail(30)])
        ended = paused(project)
        assert project.calls == ["t0", *(f"f{n}" for n in range(10))]
        assert "paused after 10 generations in a row failed in the same way" in ended.err
        assert "ValueError: no luck" in ended.err
        assert project.read("r1", "t0", "eval.json")["status"] == "evaluated"
        assert "20 not generated" in ended.out

    def test_once_the_cause_is_gone_the_printed_command_goes_on(
        self, project: RunnerProject
    ) -> None:
        project.write_tasks(fail(12))
        ended = paused(project)
        project.heal()
        assert project.shell(ended.resume_command).code == 0
        assert len(project.calls) == 22

    def test_a_success_in_between_goes_on(self, project: RunnerProject) -> None:
        project.write_tasks([*fail(18)[:9], *say(1), *fail(18)[9:]])
        ended = project.run(*RUN)
        assert ended.code == 1
        assert "paused" not in ended.err
        assert len(project.calls) == 19

    def test_different_errors_go_on(self, project: RunnerProject) -> None:
        tasks = fail(18)
        tasks[9]["question"] = "raise something else"
        project.write_tasks(tasks)
        ended = project.run(*RUN)
        assert "paused" not in ended.err
        assert len(project.calls) == 18

    def test_ten_that_are_all_there_are_pause_nothing(self, project: RunnerProject) -> None:
        project.write_tasks(fail(10))
        ended = project.run(*RUN)
        assert ended.code == 1
        assert "paused" not in ended.err
        assert "Generation failed for 10 tasks" in ended.out


class TestJson:
    def test_a_pause_is_an_error_beside_how_the_run_stands(self, project: RunnerProject) -> None:
        project.write_tasks([*say(1), *fail(4)])
        ended = project.run(*RUN, "--max-errors", "2", "--json")
        assert ended.code == 1
        document: dict[str, Any] = ended.json
        assert document["error"] == {
            "type": "RunPausedError",
            "message": "paused after 2 generation error(s): --max-errors is 2",
            "hint": "Correct what the errors name, then resume the run.",
        }
        assert (document["complete"], document["final_score"]) == (False, None)
        assert document["counts"]["attempted"] == 3
        assert "run --run-id r1" in document["resume_command"]

    def test_costs_are_in_it_with_what_is_not_known(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
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
def test_a_cap_that_makes_no_sense_is_refused(project: RunnerProject, flags: list[str]) -> None:
    ended = project.run(*RUN, *flags)
    assert ended.code == 2
    assert flags[0] in ended.err
    assert ended.out == ""
    assert project.calls == []
    assert not project.results.exists()
