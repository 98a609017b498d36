"""Whatever an agent does to the folder of its task, the run goes on and a resume heals it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.files import contents

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject

AGENT = """
import os
import shutil
from pathlib import Path
from benchmark_runner import BenchmarkRunner, GenerationResult

OUTSIDE = Path({outside!r})


class SampleRunner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        folder = log_dir.parent
        if task.id == "t1":
            {misdeed}
        return GenerationResult(answer="one")
"""
MISDEEDS = {
    "removed": "shutil.rmtree(folder)",
    "read-only": "folder.chmod(0o500)",
    "without access": "log_dir.chmod(0); folder.chmod(0)",
    "a link": "shutil.rmtree(folder); folder.symlink_to(OUTSIDE)",
    "a broken link": "shutil.rmtree(folder); folder.symlink_to('nowhere')",
    "a file": "shutil.rmtree(folder); folder.write_text('x')",
    "a pipe": "shutil.rmtree(folder); os.mkfifo(folder)",
    "generation is a pipe": "os.mkfifo(folder / 'generation.json')",
    "generation is a folder": "(folder / 'generation.json' / 'x').mkdir(parents=True)",
    "generation is a link": "(folder / 'generation.json').symlink_to(OUTSIDE / 'file')",
    "eval is a pipe": "os.mkfifo(folder / 'eval.json')",
    "temporary file is a folder": "(folder / '.eval.json.tmp' / 'x').mkdir(parents=True)",
    "logs are a pipe": "log_dir.rmdir(); os.mkfifo(log_dir)",
    "attempts are a file": "a = folder / 'attempts'; a.exists() or a.write_text('x')",
    "moving is full": "(folder / 'attempts/.moving/agent_logs/x').mkdir(parents=True)",
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("somebody's")
    return folder


@pytest.mark.sampled
@pytest.mark.parametrize("misdeed", MISDEEDS.values(), ids=MISDEEDS)
def test_agent_that_breaks_its_folder(project: RunnerProject, outside: Path, misdeed: str) -> None:
    """The answer is kept, the others go on, and all commands can read the run."""
    project.write_agent(AGENT.format(outside=str(outside), misdeed=misdeed))
    project.write_tasks([{"id": f"t{n}", "question": "q", "answer": "one"} for n in (1, 2)])
    before = contents(outside)

    ended = project.run("run", "--run-id", "r1")

    assert ended.code == 0, ended.out + ended.err
    for task_id in ("t1", "t2"):
        assert project.read("r1", task_id, "generation.json")["data"] == "one"
        assert project.read("r1", task_id, "eval.json")["status"] == "evaluated"
    again = project.run("run", "--run-id", "r1", "--rerun", "t1")
    assert again.code == 0, again.out + again.err
    assert project.read("r1", "final_score.json")["final_score"] == 1
    assert contents(outside) == before


BREAK = {
    "a pipe": "rm -r {task}; mkfifo {task}",
    "a link": "rm -r {task}; ln -s {outside} {task}",
    "a file": "rm -r {task}; touch {task}",
    "generation is a pipe": "rm {task}/generation.json; mkfifo {task}/generation.json",
    "generation is a folder": "rm {task}/generation.json; mkdir {task}/generation.json",
    "generation is a link": "ln -sf {outside}/file {task}/generation.json",
    "generation is huge": "truncate -s 10G {task}/generation.json",
    "eval is a pipe": "rm {task}/eval.json; mkfifo {task}/eval.json",
    "score is a pipe": "rm {task}/../final_score.json; mkfifo {task}/../final_score.json",
    "events are a pipe": "rm {task}/../events.jsonl; mkfifo {task}/../events.jsonl",
    "lock is a pipe": "rm {task}/../.lock; mkfifo {task}/../.lock",
    "earlier attempt is a pipe": "mkdir -p {task}/attempts/1;"
    " mkfifo {task}/attempts/1/generation.json",
    "logs are pipes": "mkfifo {task}/agent_logs/trajectory.json {task}/agent_logs/traceback.log",
    "not UTF-8": "touch {task}/agent_logs/$(printf 'a\\377b')",
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("command", BREAK.values(), ids=BREAK)
def test_broken_folder_is_readable(project: RunnerProject, outside: Path, command: str) -> None:
    """No command that reads hangs or ends in a traceback, whatever is in a run's folder."""
    assert project.run("run", "--run-id", "r1").code == 0
    project.shell(command.format(task=project.results / "r1" / "t1", outside=outside))
    for looking in (
        ["status", "r1", "--follow"],
        ["runs", "--json"],
        ["show", "r1", "t1", "--json"],
        ["report", "r1", "--output", "page.html"],
        ["export", "r1", "--format", "jsonl"],
        ["run", "--run-id", "r1", "--dry-run"],
    ):
        ended = project.run(*looking)
        assert ended.code in {0, 1}, f"{looking}: {ended.code} {ended.err}"
        assert "Traceback" not in ended.err, ended.err
        if "--json" in looking:
            json.loads(ended.out)
    resumed = project.run("run", "--run-id", "r1")
    if "/../" not in command:  # outside the task's own folder it may be refused
        assert resumed.code == 0, resumed.out + resumed.err
        assert project.read("r1", "final_score.json")["complete"] is True
