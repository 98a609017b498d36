"""Goal 4: the memory of a whole run does not grow with the number of its tasks.

But for the list of tasks itself, which is held in memory: what that weighs is measured in
processes of its own, of which one holds the list and the other a single task, and taken off.
They hold what a run registers, made as a run makes it: each row without the fields that only the
grader may see, which would weigh more, and one by one, so that nothing but the list is counted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import Project, project, run
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

_FEW = 1000
_TEXT = "What is it? " * 85


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the peaks."""
    many = 5000 if quick else 100_000
    with project() as made, service() as url:
        few = made.run(made.write_tasks(_FEW, _TEXT), "few", url, "--no-durable")
        tasks = made.write_tasks(many, _TEXT)
        peak = made.run(tasks, "many", url, "--no-durable").peak_mb
        weight = _weight(made, tasks)
    yield Figure(
        goal=f"4 memory of a run, {many:,} tasks without their list",
        ours=peak - weight,
        other=few.peak_mb,
        other_is=f"{_FEW:,} tasks",
        unit="MB",
        at_most=1.5,
    )
    yield Figure(
        goal=f"4 memory of a run, {many:,} tasks",
        ours=peak,
        other=weight,
        other_is="their list alone",
        unit="MB",
    )


def _weight(made: Project, tasks: Path) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--hold", tasks, "--first"]
    whole, one = (run([*command, count], made.root).peak_mb for count in (f"{sys.maxsize}", "1"))
    return whole - one


def _hold(file: Path, first: int) -> None:
    """Have a runner hold so many tasks, and nothing else."""
    from itertools import islice

    from pydantic_core import from_json
    from runner.benchmark import NoOpRunner

    runner = NoOpRunner("local")
    with file.open("rb") as lines:
        for row in map(from_json, islice(lines, first)):
            visible = {name: row[name] for name in row if name not in runner.EVALUATOR_FIELDS}
            runner.add_task(runner.TASK_MODEL.model_validate(visible))
    assert runner.get_tasks()


if __name__ == "__main__":
    if "--hold" in sys.argv:
        parser = argparse.ArgumentParser()
        parser.add_argument("--hold", type=Path)
        parser.add_argument("--first", type=int)
        asked = parser.parse_args()
        _hold(asked.hold, asked.first)
    else:
        main(measure)
