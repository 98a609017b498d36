"""Beside another framework, Inspect: for comparison, nothing is asked.

Inspect scores in the same process, we over HTTP; both run as many tasks at a time. All are whole
processes, from their start to their end. It needs inspect-ai: ``nox -s bench_peers``.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main, medians
from tests.benchmarks.project import Project, project, run
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PARALLELISM = 100


def measure(quick: bool) -> Iterator[Figure]:
    """Compare start-up and rates."""
    tasks, times = (500, 1) if quick else (1000, 3)
    with project() as made, service() as url:
        inspect = Path(sys.executable).with_name("inspect")
        ours, other = medians(
            partial(made.start, "--help"),
            partial(run, [inspect, "--help"], made.root),
            times=3 if quick else 11,
        )
        yield Figure(
            goal="peers, --help", ours=ours, other=other, other_is="inspect --help", unit="s"
        )
        ours, other = medians(*_evaluations(made, tasks, url), times=times)
        yield Figure(
            goal=f"peers, {tasks} no-op tasks, {_PARALLELISM} at a time",
            ours=tasks / ours,
            other=tasks / other,
            other_is="inspect eval",
            unit="tasks/s",
        )


def _evaluations(
    made: Project, tasks: int, url: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    """A run of ours and one of Inspect, over as many tasks; a new one at each call."""
    file = made.write_tasks(tasks)
    numbers = count()

    def ours() -> None:
        flags = ["--parallelism", f"{_PARALLELISM}", "--eval-parallelism", f"{_PARALLELISM}"]
        made.run(file, f"ours-{next(numbers)}", url, *flags)

    def inspects() -> None:
        logs = made.root / f"inspect-{next(numbers)}"
        command = [sys.executable, "-m", "tests.benchmarks.inspect_noop", "--samples", f"{tasks}"]
        command += ["--parallelism", f"{_PARALLELISM}", "--logs", logs]
        run(command, made.root)
        assert len(list(logs.iterdir())) == 1

    return ours, inspects


if __name__ == "__main__":
    main(measure)
