"""Goal 3: tasks a second, where the agent and the grader take half a second each.

The ideal is that every place is taken all the time. Counted from the first task's start to the
last eval's file, so without the start of the process and the score. With durable writes it needs a
disk that does five flushes a task at that rate: 5,000 a second for 500 at a time.
"""

from __future__ import annotations

import json
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import Project, project
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 0.5
#: How many at a time, and the least of the ideal rate.
_ASKED = {100: 0.95, 500: 0.9}


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the rates with the ideal ones."""
    rounds = 8 if quick else 40
    with project() as made, service(_SECONDS) as url:
        for (at_a_time, at_least), durable in product(_ASKED.items(), (True, False)):
            count = at_a_time * rounds
            flags = ["--parallelism", f"{at_a_time}", "--eval-parallelism", f"{at_a_time}"]
            flags += [] if durable else ["--no-durable"]
            disk = "" if durable else ", not durable"
            run_id = f"r{at_a_time}{disk and '-not-durable'}"
            made.run(made.write_tasks(count), run_id, url, *flags, GENERATE_SECONDS=f"{_SECONDS}")
            yield Figure(
                goal=f"3 half-second work, {at_a_time} at a time{disk}",
                ours=count / _seconds_at_work(made, run_id),
                # Grading follows generating, at the same time as the next ones.
                other=count / ((rounds + 1) * _SECONDS),
                other_is="the ideal rate",
                unit="tasks/s",
                at_least=at_least,
            )


def _seconds_at_work(made: Project, run_id: str) -> float:
    generations = made.run_dir(run_id).glob("*/generation.json")
    starts = (json.loads(file.read_bytes())["started_at"] for file in generations)
    first = min(datetime.fromisoformat(start).timestamp() for start in starts)
    evals = made.run_dir(run_id).glob("*/eval.json")
    return max(file.stat().st_mtime for file in evals) - first


if __name__ == "__main__":
    main(measure)
