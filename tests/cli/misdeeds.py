"""An agent that does whatever a test says in some tasks, beside others that answer."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.cli.conftest import Ended, RunnerProject

#: A question that begins with "do" is the body of an async function. The tasks that only answer
#: wait until all deeds are over, so that they are under way meanwhile.
AGENT = """\
import asyncio, contextlib, multiprocessing, os, signal, subprocess, sys, threading, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from benchmark_runner import BenchmarkRunner, EvalResult, GenerationResult, ScoreResult, Task

ROOT = Path(__file__).parents[1]


class BadText(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


async def leave(code=0):
    await asyncio.sleep(0)
    sys.exit(code)


async def interrupt():
    await asyncio.sleep(0)
    raise KeyboardInterrupt


def announce(text):
    if ready := os.environ.get("READY_FD"):
        os.write(int(ready), f"{text}\\n".encode())


class SampleRunner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        with (ROOT / "calls.txt").open("a") as calls:
            calls.write(f"{task.id}\\n")
        word, _, rest = task.question.partition(" ")
        if word == "do" and not (ROOT / "healed").exists():
            names = {"loop": asyncio.get_running_loop(), "log_dir": log_dir}
            exec("async def deed():\\n" + rest, {**globals(), **names}, names)
            try:
                return GenerationResult(answer=await names["deed"]() or "done")
            finally:
                names["loop"].call_later(0.2, (ROOT / f"over-{task.id}").touch)
        while len([*ROOT.glob("over-*")]) < int((ROOT / "deeds").read_text()):
            await asyncio.create_task(asyncio.sleep(0.02))
        return GenerationResult(answer=rest)
"""
OTHERS = ("o1", "o2", "o3")


def give_deeds(project: RunnerProject, deeds: Mapping[str, str]) -> None:
    """Give the agent a task for each deed, which is the code, and three others."""
    project.write_agent(AGENT)
    (project.root / "deeds").write_text(str(len(deeds)))
    project.write_tasks(
        [
            *(
                {"id": name, "question": f"do {textwrap.indent(deed, '    ')}", "answer": "done"}
                for name, deed in deeds.items()
            ),
            *({"id": name, "question": f"say {name}", "answer": name} for name in OTHERS),
        ]
    )


def run_with(project: RunnerProject, deeds: Mapping[str, str], *flags: str) -> Ended:
    """Run all tasks at a time."""
    give_deeds(project, deeds)
    count = str(len(deeds) + len(OTHERS))
    return project.execute("run", "--run-id", "r1", "--parallelism", count, *flags, timeout=60)


def assert_failed(project: RunnerProject, ended: Ended, reasons: Mapping[str, str]) -> None:
    """Each deed is an error of its task that tells why, and a resume heals the run."""
    assert ended.code == 1, ended.out + ended.err
    failed = {name: project.read("r1", name, "generation.json") for name in reasons}
    assert {name: found["status"] for name, found in failed.items()} == dict.fromkeys(
        reasons, "error"
    )
    unexplained = {
        name: failed[name]["error"]
        for name, reason in reasons.items()
        if reason not in failed[name]["error"]
    }
    assert not unexplained
    assert_others_are_done(project)
    project.heal()
    resumed = project.shell(ended.resume_command)
    assert resumed.code == 0, resumed.out + resumed.err
    assert sorted(project.calls) == sorted([*reasons, *reasons, *OTHERS])


def assert_others_are_done(project: RunnerProject) -> None:
    for name in OTHERS:
        assert project.read("r1", name, "generation.json")["data"] == name
        assert project.read("r1", name, "eval.json")["result"] == {"pass_percentage": 1.0}
