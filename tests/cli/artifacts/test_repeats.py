"""Runs with repeats whose answers are files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.files import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.artifact_service import ArtifactService
    from tests.cli.conftest import Ended, RunnerProject

OWN_EVALUATE = """
    async def evaluate(self, task_id, generation):
        said = self.artifact_path(task_id).read_text()
        return EvalResult(task_id=task_id, status="evaluated", result={"said": said})

    def task_score(self, result):
        return 1.0

    async def score(self, results):
        said = {each.task_id: self.artifact_path(each.task_id).read_text() for each in results}
        return ScoreResult(tasks_evaluated=[*said], final_score=1.0, metadata=said)
"""


def run(patches: RunnerProject, *flags: str, command: str = "run") -> Ended:
    ended = patches.run(command, "--run-id", "r1", *flags)
    assert ended.code == 0, ended.out + ended.err
    return ended


def numbered(patches: RunnerProject) -> None:
    """Have the agent write another file for each repeat."""
    patches.change_agent(
        ("import BenchmarkRunner,", "import BenchmarkRunner, current_generation,"),
        (
            'f"patch of {task.question}\\n"',
            'f"patch of {task.id}, repeat {current_generation().repeat}\\n"',
        ),
    )


def folder_of(patches: RunnerProject, task_id: str, repeat: int) -> Path:
    folder = patches.results / "r1" / task_id
    return folder if repeat == 1 else folder / "repeats" / str(repeat)


def record_of(
    patches: RunnerProject, task_id: str, repeat: int, name: str = "generation.json"
) -> dict[str, Any]:
    return json.loads((folder_of(patches, task_id, repeat) / name).read_bytes())


def test_each_repeat_sends_its_own_file(
    patches: RunnerProject, artifact_service: ArtifactService
) -> None:
    """Each repeat keeps and uploads a file of its own, under a key of its own."""
    numbered(patches)
    run(patches, "--repeats", "2")
    for task_id in ("t1", "t2", "t3"):
        kept = {
            repeat: contents(folder_of(patches, task_id, repeat) / "submission")
            for repeat in (1, 2)
        }
        assert [*kept[1].values()] != [*kept[2].values()]
        hashes = {record_of(patches, task_id, repeat)["artifact"]["sha256"] for repeat in (1, 2)}
        graded = [(key, sha256) for task, key, sha256 in artifact_service.graded if task == task_id]
        assert {sha256 for _, sha256 in graded} == hashes
        assert len({key for key, _ in graded}) == len(graded) == 2
    assert len(artifact_service.objects) == 6


def test_regrade_sends_each_file_again(
    patches: RunnerProject, artifact_service: ArtifactService
) -> None:
    """A regrade uploads the file of each repeat again."""
    numbered(patches)
    run(patches, "--repeats", "2")
    before = sorted(artifact_service.graded)
    artifact_service.objects.clear()
    run(patches, "--regrade", command="evaluate")
    assert sorted(artifact_service.graded) == sorted(before * 2)


def test_own_methods_get_the_file_of_the_repeat(patches: RunnerProject) -> None:
    """artifact_path() leads evaluate() and score() of the author's to the file of the repeat."""
    numbered(patches)
    patches.change_agent(
        ("GenerationResult\n", "EvalResult, GenerationResult, ScoreResult\n"),
        ("        return GenerationResult(artifact=file)\n",
         "        return GenerationResult(artifact=file)\n" + OWN_EVALUATE),
    )  # fmt: skip
    run(patches, "--repeats", "3")
    for repeat in (1, 2, 3):
        said = record_of(patches, "t1", repeat, "eval.json")["result"]
        assert said == {"said": f"patch of t1, repeat {repeat}\n"}
    score = json.loads((patches.results / "r1" / "final_score.json").read_bytes())
    assert [each["metadata"]["t1"] for each in score["repeats"]] == [
        f"patch of t1, repeat {repeat}\n" for repeat in (1, 2, 3)
    ]
