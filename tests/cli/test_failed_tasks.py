"""Tasks that fail in a run, and how the run tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


class TestFailures:
    def test_exception_is_the_tasks_error(self, project: RunnerProject) -> None:
        """An exception is that task's error; the others run."""
        project.write_tasks(
            [
                {"id": "t1", "question": "raise no luck", "answer": ""},
                {"id": "t2", "question": "say two", "answer": "two"},
                {"id": "t3", "question": "time-out", "answer": ""},
            ]
        )
        ended = project.execute("run", "--run-id", "r1")
        assert ended.code == 1
        assert "Generation failed for 1 task: t1\n  ValueError: no luck" in ended.out
        assert "traceback in results/r1/t1/agent_logs/traceback.log" in ended.out
        log = project.results / "r1" / "t1" / "agent_logs" / "traceback.log"
        assert "Traceback (most recent call last)" in log.read_text()
        assert project.read("r1", "t3", "generation.json")["status"] == "error"
        assert project.read("r1", "t2", "eval.json")["status"] == "evaluated"
        assert not (project.results / "r1" / "final_score.json").exists()

        project.heal()
        ended = project.shell(ended.resume_command)
        assert ended.code == 0, ended.err
        assert sorted(project.calls) == ["t1", "t1", "t2", "t3", "t3"]
        earlier = project.results / "r1" / "t1" / "attempts" / "1"
        assert "no luck" in (earlier / "generation.json").read_text()
        assert "no luck" in (earlier / "agent_logs" / "traceback.log").read_text()
        assert project.read("r1", "t1", "generation.json")["attempts"] == 2

    def test_failures_of_one_reason_are_one_group(self, project: RunnerProject) -> None:
        """Many tasks that fail for one reason are one group."""
        project.write_tasks(
            [{"id": f"t{n}", "question": "raise no credit", "answer": ""} for n in range(100)]
        )
        ended = project.run("run", "--run-id", "r1", "--parallelism", "100")
        assert ended.code == 1
        assert "Generation failed for 100 tasks: t0, t1, t2, t3, t4, …" in ended.out
        assert ended.out.count("no credit") == 1

    def test_task_ids_in_reasons_are_one_group(self, project: RunnerProject) -> None:
        """Reasons that differ only in the task's id are one group."""
        ids = [f"task-{number}" for number in range(60)]
        project.write_tasks(
            [{"id": i, "question": f"raise no folder {i!r} for {i}", "answer": ""} for i in ids]
        )
        ended = project.run("run", "--run-id", "r1", "--json", "--parallelism", "60")
        assert ended.code == 1
        (group,) = ended.json["failures"]
        assert sorted(group["task_ids"]) == sorted(ids)
        assert "no folder" in group["error"]

    def test_failing_grader_is_redone(self, project: RunnerProject) -> None:
        """A grader that fails is an evaluation error that is redone."""
        project.write_grader("def grade(task, response):\n    raise KeyError('points')\n")
        ended = project.run("run", "--run-id", "r1")
        assert ended.code == 1
        assert "Evaluation failed for 3 tasks" in ended.out
        assert "points" in ended.out
        assert project.read("r1", "t1", "eval.json")["status"] == "error"
        assert project.run("run", "--run-id", "r1").code == 1
        assert len(project.calls) == 3

    @pytest.mark.parametrize(
        "body",
        [
            "raise KeyError('points')",
            "return 0.5",
        ],
    )
    def test_failing_author_score_keeps_evaluations(
        self, project: RunnerProject, body: str
    ) -> None:
        """An author's scoring that fails is reported and keeps the evaluations."""
        project.set_in_class(f"async def score(self, eval_results): {body}")
        ended = project.execute("run", "--run-id", "r1")
        assert ended.code in {1, 2}
        assert "score()" in ended.err
        assert project.read("r1", "t1", "eval.json")["status"] == "evaluated"

    def test_failing_task_score_is_redone(self, project: RunnerProject) -> None:
        """A task_score() that fails is an evaluation error, and the answers are kept."""
        project.set_in_class("def task_score(self, result): raise KeyError('points')")
        ended = project.execute("run", "--run-id", "r1")
        assert ended.code == 1
        assert "task_score() raised KeyError: 'points'" in ended.out
        assert project.read("r1", "t1", "eval.json")["status"] == "error"
        project.change_agent(("raise KeyError('points')", "return 1"))
        assert project.execute("run", "--run-id", "r1").code == 0
        assert len(project.calls) == 3

    def test_score_that_is_not_the_mean(self, project: RunnerProject) -> None:
        """A score that is not the mean of its tasks is shown beside it."""
        project.set_in_class("def task_score(self, result): return result['pass_percentage'] / 2")
        project.set_in_class(
            "async def score(self, eval_results):\n"
            "        from benchmark_runner import ScoreResult\n"
            "        return ScoreResult(tasks_evaluated=[], final_score=0.9)"
        )
        ended = project.run("run", "--run-id", "r1")
        assert "Score    0.9  [local]" in ended.out
        assert "Mean     0.3333 ± 0.17 (standard error, n=3) of the tasks' scores" in ended.out
        # 0.3333 ± 4.303 · 0.1667
        assert "Interval -0.3838 to 1.05 (95 %, Student's t)" in ended.out
