"""A run that stops once it is settled whether it is better or worse than another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.questions import ERROR, NO, RUN, USAGE, YES, make_hopeless, settled, tasks

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject


@pytest.fixture
def baseline(project: RunnerProject) -> RunnerProject:
    """The finished run r0, which passed six of sixty tasks."""
    make_hopeless(project)
    assert project.run("run", "--run-id", "r0").code == 0
    (project.root / "calls.txt").unlink()
    return project


def against(project: RunnerProject, *more: str) -> Ended:
    return project.run(*RUN, "--until-decided-against", "r0", *more)


def test_better_ends_with_0(baseline: RunnerProject) -> None:
    """A run that is better than its baseline is settled with yes, which is of these runs."""
    baseline.change_agent(("answer=rest", 'answer="y" if task.id > "t3" else rest'))

    ended = against(baseline)

    assert "better than r0" in settled(ended, YES)
    assert "two runs of one agent may differ, too" in ended.out
    assert len(baseline.calls) < 60


def test_worse_ends_with_5(baseline: RunnerProject) -> None:
    """A run that is worse than its baseline is settled with no."""
    baseline.write_tasks(tasks(60, passed=54))
    assert baseline.run("run", "--run-id", "r5").code == 0
    baseline.change_agent(("answer=rest", 'answer="y"'))

    ended = baseline.run(*RUN, "--until-decided-against", "r5")

    assert "worse than r5" in settled(ended, NO)


def test_another_grader_is_refused(baseline: RunnerProject) -> None:
    """A baseline that another version of the grader evaluated is refused, before anything."""
    baseline.write_grader('def grade(task, response):\n    return {"pass_percentage": 1.0}\n')

    ended = against(baseline)

    assert ended.code == USAGE
    assert "the baseline 'r0' was evaluated by local" in ended.err
    assert not baseline.calls
    assert not (baseline.results / "r1").exists()


def test_equal_runs_are_never_settled(baseline: RunnerProject) -> None:
    """A run that equals its baseline is complete, and neither better nor worse."""
    ended = against(baseline)

    assert ended.code == ERROR
    assert "Equal    after 60 of 60 tasks: r0 has the same mean" in ended.out
    assert "--until" not in ended.resume_command
    assert baseline.read("r1", "final_score.json")["final_score"] == 0.1


def test_baseline_is_recorded(baseline: RunnerProject) -> None:
    """The scores of the baseline are those of the time the question was asked."""
    against(baseline, "--max-cost", "3")
    for file in (baseline.results / "r0").rglob("eval.json"):
        file.unlink()

    assert baseline.run("status", "r1").code == 0
    assert "r0 has the same mean" in against(baseline).out


def test_unfinished_baseline_is_refused(baseline: RunnerProject) -> None:
    """A baseline with a task that has no score is refused, before anything is run."""
    (baseline.results / "r0" / "t7" / "eval.json").unlink()

    ended = against(baseline)

    assert ended.code == USAGE
    assert "not finished" in ended.err
    assert "t7" in ended.err
    assert not baseline.calls


def test_other_tasks_are_refused(baseline: RunnerProject) -> None:
    """A baseline of other tasks, or of other content, is refused."""
    changed = tasks(60, passed=6)
    changed[4]["question"] = "say z"
    baseline.write_tasks([*changed, {"id": "new", "question": "say x", "answer": "x"}])

    ended = against(baseline)

    assert ended.code == USAGE
    assert "2 tasks of the two runs differ: t4, new" in ended.err


def test_missing_baseline_is_refused(baseline: RunnerProject) -> None:
    """A baseline that does not exist is refused."""
    ended = baseline.run(*RUN, "--until-decided-against", "r7")

    assert ended.code == USAGE
    assert "there is no such run" in ended.err
