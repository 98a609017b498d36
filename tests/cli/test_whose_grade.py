"""Grades and scores that are of something else: another run, another task, or of nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService

#: An agent that grades itself, and sums up its run.
FORGERY = """
        import json
        for name, content in FORGED.items():
            file = log_dir.parents[1] / name.replace("ID", task.id)
            file.write_text(json.dumps({**content, "task_id": task.id}))
"""
EVAL = {"status": "evaluated", "result": {"pass_percentage": 1.0}}
SCORE = {"tasks_evaluated": ["t1"], "final_score": 1.0, "complete": True}


@pytest.fixture
def forging(project: RunnerProject) -> RunnerProject:
    """A project whose agent writes files of the framework into each task's folder."""
    project.change_agent(
        (
            '        word, _, rest = task.question.partition(" ")\n',
            f"{FORGERY}        word, _, rest = task.question.partition(' ')\n",
        ),
        ("ROOT =", f"FORGED = {{'ID/eval.json': {EVAL}, 'final_score.json': {SCORE}}}\nROOT ="),
    )
    return project


def test_grade_without_a_hash_is_none(forging: RunnerProject) -> None:
    """An eval.json that an agent wrote itself is no grade, for any command."""
    assert forging.run("run", "--run-id", "r1", "--skip-eval").code == 0
    assert "3 not graded yet" in forging.run("status", "r1").out
    (listed,) = forging.run("runs", "--json").json["runs"]
    assert (listed["complete"], listed["final_score"]) == (False, None)
    assert forging.run("score", "--run-id", "r1").code == 1
    ended = forging.run("run", "--run-id", "r1")
    assert ended.code == 0
    assert "Score    0.6667" in ended.out
    assert len(forging.calls) == 3


def test_grade_that_loses_its_hash_is_none(project: RunnerProject) -> None:
    """An eval.json that was replaced by one without a hash is made again."""
    project.run("run", "--run-id", "r1")
    for name, content in {
        "t2/eval.json": {**EVAL, "task_id": "t2"},
        "final_score.json": SCORE,
    }.items():
        (project.results / "r1" / name).write_text(json.dumps(content))
    assert "2 scored" in project.run("status", "r1").out
    ended = project.run("run", "--run-id", "r1")
    assert "1 to evaluate, 2 done before" in ended.out
    assert "Score    0.6667" in ended.out


def test_grade_of_the_earlier_framework_counts(project: RunnerProject) -> None:
    """In a run of the earlier framework, evaluations without a hash count, also later."""
    run = project.results / "r1"
    config = {"run_id": "r1", "model": "sample-model", "tasks": ["t3", "t1", "t2"]}
    tasks = {"t3": "three", "t1": "one"}
    for task_id, answer in tasks.items():
        (run / task_id).mkdir(parents=True)
        generation = {"task_id": task_id, "status": "success", "data": answer}
        (run / task_id / "generation.json").write_text(json.dumps(generation))
        (run / task_id / "eval.json").write_text(json.dumps({**EVAL, "task_id": task_id}))
    source = {"dataset_file": str(project.dataset), "dataset_name": "validation"}
    (run / "run_config.json").write_text(json.dumps({**config, **source}))
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.err
    assert project.calls == ["t2"]
    again = project.run("run", "--run-id", "r1")
    assert "0 to generate, 0 to evaluate, 3 done before" in again.out


OTHER_RUN = {"run_id": "another", "status": "evaluated", "result": 1.0}


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/v1/evaluate", OTHER_RUN, "the answer is about run 'another', not 'r1'"),
        ("/v1/evaluate", {**OTHER_RUN, "run_id": None, "task_id": "t9"}, "about task 't9'"),
        (
            "/v1/evaluate",
            {"status": "evaluated", "result": {"instance_id": "t2"}},
            "about task 't2'",
        ),
        ("/evaluate-response/", {"task_id": "t2", "score": 1}, "about task 't2'"),
        ("/evaluate-response/", {"instance_id": "t2", "resolved": True}, "about task 't2'"),
        ("/evaluate-response/", {"task_name": "t2", "score": 1}, "about task 't2'"),
    ],
)
def test_grade_of_something_else_is_refused(
    project: RunnerProject, scripted: ScriptedService, path: str, answer: Any, said: str
) -> None:
    """A grade of another run or task is an error of the task."""
    if path == "/v1/evaluate":
        project.set_in_class('EVALUATION_API = "v1"')
    scripted.answers[path] = (200, answer)
    ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url, "t1", "t3")
    assert ended.code == 1
    assert said in ended.out
    assert project.read("r1", "t1", "eval.json")["status"] == "error"


def test_score_of_another_run_is_refused(project: RunnerProject, scripted: ScriptedService) -> None:
    """A score of another run is refused, and nothing is written."""
    project.set_in_class('EVALUATION_API = "v1"')
    answer = {"run_id": "another", "tasks_evaluated": ["t1"], "final_score": 1.0}
    scripted.answers["/v1/score"] = (200, answer)
    ended = project.run("run", "--run-id", "r1", "--service-url", scripted.url)
    assert ended.code == 1
    assert "the answer is about run 'another', not 'r1'" in ended.err
    assert not (project.results / "r1" / "final_score.json").exists()
