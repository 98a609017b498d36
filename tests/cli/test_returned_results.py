"""Results that an author's code changed until they are no plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Ended, RunnerProject

AGENT = """
from benchmark_runner import BenchmarkRunner, EvalResult, GenerationResult, ScoreResult


class SampleRunner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        r = GenerationResult(answer="paid for", cost=0.5)
        if task.id == "t2":
            {generation}
        return r

    async def evaluate(self, task_id, generation):
        r = EvalResult(task_id=task_id, status="evaluated", result={{"score": 1.0}})
        if task_id == "t2":
            {evaluation}
        return r

    async def score(self, eval_results):
        r = ScoreResult(tasks_evaluated=["t1"], final_score=1.0)
        {score}
        return r
"""
ALL = ("t1", "t2", "t3")


def write(project: RunnerProject, **lines: str) -> None:
    filled = {name: lines.get(name, "pass") for name in ("generation", "evaluation", "score")}
    project.write_agent(AGENT.format(**filled))


def failed(project: RunnerProject, name: str, **lines: str) -> dict[str, Any]:
    """Return this file of the one task that fails as the result is changed by these lines."""
    write(project, **lines)
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 1, ended.out + ended.err
    found = project.read("r1", "t2", name)
    assert found["status"] == "error"
    assert found["error"] in ended.out
    return found


def resumed(project: RunnerProject) -> Ended:
    write(project)
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.out + ended.err
    assert [project.read("r1", task_id, "eval.json")["status"] for task_id in ALL] == (
        ["evaluated"] * 3
    )
    return ended


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("r.data = None", "data"),
        ("r.data = 42", "data"),
        ("r.metadata['me'] = r.metadata", "metadata"),
        ("r.cost = '0.01'", "cost"),
        ("r.cost = float('nan')", "cost"),
        ("r.status = 'error'; r.error = ValueError('x')", "error"),
        ("r.status = 'failed'", "status"),
        ("r.question = {'a': 1}", "question"),
        ("r.total_turns = object()", "total_turns"),
    ],
)
def test_unusable_generation_is_one_tasks_error(
    project: RunnerProject, line: str, field: str
) -> None:
    """A result that is no plain data is that task's error, which names the field."""
    found = failed(project, "generation.json", generation=line)
    assert f"generate() returned a result with unusable fields: {field}: " in found["error"]
    assert found["data"] == ("" if field == "data" else "paid for")
    assert [project.read("r1", one, "eval.json")["status"] for one in ("t1", "t3")] == (
        ["evaluated"] * 2
    )
    assert not list(project.results.rglob("*.corrupt-*"))
    resumed(project)


@pytest.mark.parametrize(
    ("line", "status", "data"),
    [
        ("r.status = 'max_turns'", "max_turns", "paid for"),
        ("r.usage = {'input': 1}", "success", "paid for"),
        ("r.data = 'half \\ud800'", "success", "half \ufffd"),
        ("import decimal; r.cost = decimal.Decimal('0.02')", "success", "paid for"),
    ],
)
def test_usable_change_is_kept(project: RunnerProject, line: str, status: str, data: str) -> None:
    """A change that can be plain data is kept, and nothing fails."""
    write(project, generation=line)
    ended = project.run("run", "--run-id", "r1")
    assert ended.code == 0, ended.out + ended.err
    found = project.read("r1", "t2", "generation.json")
    assert (found["status"], found["data"]) == (status, data)


def test_answer_for_another_task_is_kept(project: RunnerProject) -> None:
    """An answer that names another task is an error of its task, and is kept."""
    found = failed(project, "generation.json", generation="r.task_id = 't1'")
    assert (found["task_id"], found["data"]) == ("t2", "paid for")
    assert project.read("r1", "t1", "generation.json")["status"] == "success"


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("r.result = object()", "result"),
        ("r.result.score = object()", "result"),
        ("r.status = 'right'", "status"),
        ("r.error = 42", "error"),
        ("r.errors = 'x'", "errors"),
    ],
)
def test_unusable_evaluation_is_one_tasks_error(
    project: RunnerProject, line: str, field: str
) -> None:
    """An evaluation that is no plain data is that task's error; no generation is redone."""
    found = failed(project, "eval.json", evaluation=line)
    assert f"evaluate() returned a result with unusable fields: {field}: " in found["error"]
    before = project.read("r1", "t2", "generation.json")
    resumed(project)
    assert project.read("r1", "t2", "generation.json") == before


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("r.final_score = '1'", "final_score"),
        ("r.tasks_evaluated = None", "tasks_evaluated"),
        ("r.metadata['me'] = r.metadata", "metadata"),
    ],
)
def test_unusable_score_is_refused(project: RunnerProject, line: str, field: str) -> None:
    """A score that is no plain data is refused with its field, and nothing is redone."""
    write(project, score=line)

    ended = project.run("run", "--run-id", "r1")

    assert ended.code == 2
    assert f"score() returned a result with unusable fields: {field}: " in ended.err
    assert not (project.results / "r1" / "final_score.json").exists()
    resumed(project)
