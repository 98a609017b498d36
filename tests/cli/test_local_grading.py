"""Grades of the author's own grader, in a run and by ``serve``."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_serve import Serving

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

#: No grade for one task, in the place of RESULT.
GRADER = """\
def grade(task, response):
    if task["id"] != "t1":
        return {"score": 1.0}
    return RESULT
"""
CASES = {
    "None": "None",
    "'1.0'": "str '1.0'",
    "{'correct': 1.0}": "{'correct': float}",
    "{'score': '1.0'}": "{'score': str}",
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("api", ["legacy", "v1"])
@pytest.mark.parametrize("result", CASES)
def test_grade_without_a_score_is_an_error(project: RunnerProject, result: str, api: str) -> None:
    """A grade without a score is that task's error by name, never a 0; a resume redoes it."""
    project.set_in_class(f'EVALUATION_API = "{api}"')
    project.write_grader(GRADER.replace("RESULT", result))
    ended = project.run("run", "--run-id", "r1", "--service-attempts", "1")
    assert ended.code == 1
    assert f"the grader returned {CASES[result]}, in which task_score() finds no" in ended.out
    assert project.read("r1", "t1", "eval.json")["status"] == "error"
    assert project.read("r1", "t2", "eval.json")["status"] == "evaluated"
    assert "r1/final_score.json" not in project.files()

    project.write_grader(GRADER.replace("RESULT", "0.5"))
    assert project.run("evaluate", "--run-id", "r1", "--regrade").code == 0
    assert project.read("r1", "final_score.json")["final_score"] == pytest.approx(2.5 / 3)
    assert len(project.calls) == 3


def test_served_grade_without_a_score_is_an_error(project: RunnerProject) -> None:
    """A service on a port refuses it, too."""
    project.write_grader(GRADER.replace("RESULT", "None"))
    serving = Serving(project)
    ended = project.run(
        *("run", "--run-id", "r1", "--dataset-name", "validation", "--service-attempts", "1"),
        *("--service-url", serving.url),
    )
    serving.stop(signal.SIGTERM)
    assert ended.code == 1
    assert "the grader returned None" in ended.out


def test_own_score_method_needs_no_number(project: RunnerProject) -> None:
    """A runner that scores by itself gets its grader's results whatever they are."""
    project.write_grader("def grade(task, response):\n    return 'B'\n")
    project.set_in_class(
        "async def score(self, eval_results):\n"
        "        from benchmark_runner import ScoreResult\n"
        "        right = sum(each.result == 'B' for each in eval_results)\n"
        "        return ScoreResult(tasks_evaluated=[], final_score=right)"
    )
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert project.read("r1", "final_score.json")["final_score"] == 3
