"""What an agent changes in the objects that it is handed reaches no other task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject

# Of three tasks that run at the same time the first one misbehaves before the others answer.
AGENT = """
import asyncio
from benchmark_runner import BenchmarkRunner, GenerationResult, Task
from pydantic import BaseModel

TASKS = []


class Options(BaseModel):
    words: str = "say"


class SampleRunner(BenchmarkRunner):
    NAME = "sample"
    EVALUATION_API = "v1"
    OPTIONS_MODEL = Options

    def load_tasks(self, dataset_file):
        TASKS[:] = super().load_tasks(dataset_file)
        return TASKS

    async def score(self, eval_results):
        return await super().score(eval_results)

    async def generate(self, task, model, llm_config=None, log_dir=None):
        done = self.__dict__.setdefault("done", asyncio.Event())
        planned = task.id
        if planned == "t1":
            {misdeed}
            done.set()
        await done.wait()
        if planned != "t1":
            assert self.options.words == "say"
        words = f"{{task.question}} {{llm_config.temperature}}"
        return GenerationResult(answer=words if planned != "t1" else "say t1")
"""
MISDEEDS = {
    "the id": "task.id = 't2'",
    "the question": "task.question = 'other'",
    "the settings": "llm_config.temperature = 2.0",
    "an option": "self.options.words = 'other'",
    "all options": "self.options = None",
    "a nested value": "task.tags.append('x')",
    "the loaded tasks": "[setattr(one, 'question', 'other') for one in TASKS]",
    "the ids of the loaded tasks": "[setattr(one, 'id', 't2') for one in TASKS]",
    "the registered tasks": "[setattr(one, 'question', 'other') for one in self.get_tasks()]",
    "the registry": "self.register_tasks([])",
    "the number of tasks": "self.add_task(type(task)(id='t9', question='other'))",
    "the dataset": "self._dataset = 'other'",
    "the dataset's name": "self.dataset_name = 'other'",
    "the run": "self.run_id = 'other'",
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("misdeed", MISDEEDS.values(), ids=MISDEEDS)
def test_agent_changes_only_its_own_objects(project: RunnerProject, misdeed: str) -> None:
    """Each task is generated and evaluated as planned, whatever one of them changes."""
    project.write_agent(AGENT.format(misdeed=misdeed))
    project.write_tasks(
        [
            {"id": f"t{n}", "question": f"say t{n}", "answer": f"say t{n} 0.5", "tags": []}
            for n in (1, 2, 3)
        ]
    )

    ended = project.run("run", "--run-id", "r1", "--temperature", "0.5")

    assert ended.code == 0, ended.out + ended.err
    found = [project.read("r1", task_id, "generation.json") for task_id in ("t1", "t2", "t3")]
    assert [one["task_id"] for one in found] == ["t1", "t2", "t3"]
    assert [one["data"] for one in found] == ["say t1", "say t2 0.5", "say t3 0.5"]
    assert [one["question"] for one in found] == ["say t1", "say t2", "say t3"]
    scores = [
        project.read("r1", task_id, "eval.json")["result"]["pass_percentage"]
        for task_id in ("t1", "t2", "t3")
    ]
    assert scores == [0, 1, 1]
    score = project.read("r1", "final_score.json")
    assert score["final_score"] == pytest.approx(2 / 3)
    assert sorted(score["tasks_evaluated"]) == ["t1", "t2", "t3"]
    assert {path.name for path in (project.results / "r1").iterdir() if path.is_dir()} == {
        "t1",
        "t2",
        "t3",
    }
    assert project.run("run", "--run-id", "r1").code == 0
