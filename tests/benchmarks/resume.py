"""Goal 5: a run in which nothing is left to do is found to be so as fast as it can be read.

The other one is a bare scan, which opens and parses the same two files of each task. What a
run of one task takes, which is to start and to end, is taken off. The service is gone by the
time, so that a command that asks it for anything fails.

The runs are those of real commands, but for copies: of the files of a task that was generated
and graded, under other ids, and of the config, for as many tasks. ``score`` makes their score.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import partial
from typing import TYPE_CHECKING

from benchmark_runner._run.task_content import task_hash
from benchmark_runner.schemas import Task
from tests.benchmarks.figures import Figure, main, medians
from tests.benchmarks.project import Project, project
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the seconds."""
    few_tasks, many_tasks, times = (2000, 5000, 3) if quick else (5000, 100_000, 5)
    with project() as made:
        with service() as url:
            made.run(made.write_tasks(1), "one", url, "--no-durable")
            for count, name in ((few_tasks, "few"), (many_tasks, "many")):
                multiply(made, "one", name, made.write_tasks(count))
                made.start("score", "--run-id", name, "--service-url", url)
        for command in ("run", "score", "evaluate", "status"):
            resume = partial(_resume, made, command, url)
            scan = partial(_scan, made.run_dir("few"))
            start_up, few, scanned = medians(
                partial(resume, "one"), partial(resume, "few"), scan, times=times
            )
            (lot,) = medians(partial(resume, "many"), times=1)
            yield Figure(
                goal=f"5 {command} of {few_tasks:,} finished tasks, without start-up",
                ours=few - start_up,
                other=scanned,
                other_is="a bare scan",
                unit="s",
                at_most=3.0,
            )
            yield Figure(
                goal=f"5 {command}, a task of {many_tasks:,}",
                ours=(lot - start_up) / many_tasks * 1e6,
                other=(few - start_up) / few_tasks * 1e6,
                other_is=f"a task of {few_tasks:,}",
                unit="µs",
                at_most=1.25,
            )


def _resume(made: Project, command: str, url: str, name: str) -> None:
    if command == "status":  # it looks only, and so asks nobody
        ran = made.start(command, name)
        assert "Score " in ran.out, ran.out
        return
    ran = made.start(command, "--run-id", name, "--service-url", url)
    assert "from before" in ran.out, ran.out


def _scan(run_dir: Path) -> None:
    for folder in os.scandir(run_dir):
        if folder.is_dir():
            for name in ("generation.json", "eval.json"):
                with open(f"{folder.path}/{name}", encoding="utf-8") as file:  # noqa: PTH123
                    json.loads(file.read())


def multiply(made: Project, source: str, name: str, tasks: Path) -> None:
    """Write the files of a run of ``tasks`` in which each one is done, and not yet scored."""
    config = made.read(source, "run_config.json")
    (task_id,) = config["tasks"]
    generation, grade = (
        made.read(source, task_id, file) for file in ("generation.json", "eval.json")
    )
    config |= {"run_id": name, "tasks": [], "task_hashes": {}, "dataset_file": str(tasks)}
    made.run_dir(name).mkdir()
    with tasks.open() as lines:
        for line in lines:
            fields = json.loads(line)
            del fields["answer"]
            task = Task(**fields)
            config["tasks"].append(task.id)
            config["task_hashes"][task.id] = task_hash(task)
            folder = made.run_dir(name) / task.id
            (folder / "agent_logs").mkdir(parents=True)
            content = json.dumps({**generation, "task_id": task.id}, indent=2)
            folder.joinpath("generation.json").write_text(content)
            of_it = hashlib.sha256(content.encode()).hexdigest()
            content = json.dumps({**grade, "task_id": task.id, "generation_hash": of_it}, indent=2)
            folder.joinpath("eval.json").write_text(content)
    made.run_dir(name).joinpath("run_config.json").write_text(json.dumps(config, indent=2))


if __name__ == "__main__":
    main(measure)
