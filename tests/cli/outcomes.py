"""A run in which a task has come to each end that there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

TASKS = [
    {"id": "right", "question": "say yes", "answer": "yes"},
    {"id": "wrong", "question": "say no", "answer": "yes"},
    {"id": "slow", "question": "wait", "answer": "", "timeout": 0.2},
    {"id": "chatty", "question": "out-of-turns so far", "answer": ""},
    {"id": "broken", "question": "raise no luck with broken", "answer": ""},
    {"id": "broken-2", "question": "raise no luck with broken-2", "answer": ""},
    {"id": "unfair", "question": "say anything", "answer": "refuse"},
    {"id": "ungraded", "question": "say something", "answer": ""},
    {"id": "missing", "question": "say nothing", "answer": ""},
]
GRADER = """\
def grade(task, response):
    if task["answer"] == "refuse":
        raise KeyError("no such rubric")
    return {"pass_percentage": float(response == task["answer"]), "reason": "as told"}
"""


def run_to_all_ends(project: RunnerProject, run_id: str = "r1") -> None:
    """Leave such a run on disk; ``broken`` and ``broken-2`` have failed twice."""
    project.write_tasks(TASKS)
    project.write_grader(GRADER)
    run = ("run", "--run-id", run_id, "--quiet")
    project.run(*run, *(str(task["id"]) for task in TASKS if task["id"] != "missing"))
    project.run(*run, "broken", "broken-2")
    (project.results / run_id / "ungraded" / "eval.json").unlink()
