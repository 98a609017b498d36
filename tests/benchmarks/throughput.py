"""Goal 2: tasks a second, where neither the agent nor the grader takes any time.

Each task is generated, graded by a POST to a service in another process, and leaves two files.
The other one is a bare loop that makes the same requests with the same client and writes the
same bytes in the same way. Both are whole processes, from their start to their end.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import Project, project
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the rates."""
    count, times, parallelisms = (1000, 1, (10, 500)) if quick else (5000, 3, (10, 100, 500))
    with project() as made, service() as url:
        tasks = made.write_tasks(count)
        for durable in (True, False):
            rates: dict[int, float] = {}
            for parallelism in parallelisms:
                rounds = [
                    [
                        count / seconds
                        for seconds in _one_round(made, tasks, url, parallelism, durable)
                    ]
                    for _ in range(times)
                ]
                ours, httpx, aiohttp = map(median, zip(*rounds, strict=True))
                rates[parallelism] = ours
                case = f"2 throughput, {parallelism} at a time{'' if durable else ', not durable'}"
                yield Figure(
                    goal=case,
                    ours=ours,
                    other=httpx,
                    other_is="a bare loop",
                    unit="tasks/s",
                    at_least=0.7,
                )
                yield Figure(
                    goal=case,
                    ours=ours,
                    other=aiohttp,
                    other_is="a bare aiohttp loop",
                    unit="tasks/s",
                )
            yield Figure(
                goal=f"2 no slower at 500 than at 10{'' if durable else ', not durable'}",
                ours=rates[500],
                other=rates[10],
                other_is="at 10",
                unit="tasks/s",
                at_least=1.0,
            )


_runs = iter(range(sys.maxsize))


def _one_round(
    made: Project, tasks: Path, url: str, parallelism: int, durable: bool
) -> tuple[float, float, float]:
    name = f"r{next(_runs)}"
    flags = ["--parallelism", f"{parallelism}", "--eval-parallelism", f"{parallelism}"]
    ours = made.run(tasks, name, url, *flags, *([] if durable else ["--no-durable"]))
    bare_flags = ["--parallelism", f"{parallelism}", *(["--durable"] if durable else [])]
    return ours.seconds, *(
        made.run_bare(tasks, f"{name}-{other}", url, *bare_flags, *extra).seconds
        for other, extra in {"httpx": [], "aiohttp": ["--aiohttp"]}.items()
    )


if __name__ == "__main__":
    main(measure)
