"""Goal 3: tasks a second, where the agent and the grader take half a second each.

The ideal is that every place is taken all the time. Counted from the first task's start to the
last eval's file, so without the start of the process and the score.

With durable writes it takes a disk that does five flushes a task at that rate, 5,000 a second with
500 at a time. So there the other one is a bare loop that flushes as much, with as many places.
"""

from __future__ import annotations

import json
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import Project, project
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

_SECONDS = 0.5
#: How many at a time, and the least of the ideal rate.
_ASKED = {500: 0.9, 100: 0.95}


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the rates with the ideal ones."""
    rounds, cases = (16, 1) if quick else (40, len(_ASKED))
    with project() as made, service(_SECONDS) as url:
        for at_a_time, at_least in islice(_ASKED.items(), cases):
            count = at_a_time * rounds
            # Grading follows generating, at the same time as the next ones.
            ideal = (rounds + 1) * _SECONDS
            yield Figure(
                goal=f"3 half-second work, {at_a_time} at a time, not durable",
                ours=count / _ours(made, at_a_time, rounds, url, "--no-durable"),
                other=count / ideal,
                other_is="the ideal rate",
                unit="tasks/s",
                at_least=at_least,
            )
            yield Figure(
                goal=f"3 half-second work, {at_a_time} at a time",
                ours=count / _ours(made, at_a_time, rounds, url),
                other=count / max(ideal, _bare(made, at_a_time, rounds, url)),
                other_is="the ideal rate, or a bare loop's",
                unit="tasks/s",
                at_least=at_least,
            )


def _ours(made: Project, at_a_time: int, rounds: int, url: str, *flags: str) -> float:
    run_id = "-".join((f"r{at_a_time}", *flags))
    flags += ("--parallelism", f"{at_a_time}", "--eval-parallelism", f"{at_a_time}")
    tasks = made.write_tasks(at_a_time * rounds)
    made.run(tasks, run_id, url, *flags, GENERATE_SECONDS=f"{_SECONDS}")
    return _seconds_at_work(made, run_id)


def _bare(made: Project, at_a_time: int, rounds: int, url: str) -> float:
    # Each of its tasks has one place for both halves, so that there are as many of either.
    flags = ["--parallelism", f"{2 * at_a_time}", "--generate-seconds", f"{_SECONDS}"]
    tasks = made.write_tasks(at_a_time * rounds)
    ran = made.run_bare(tasks, f"bare-{at_a_time}", url, *flags, "--durable")
    # It begins twice as many at once as we do, half a round ahead of us.
    return float(ran.out) + _SECONDS


def _seconds_at_work(made: Project, run_id: str) -> float:
    generations = made.run_dir(run_id).glob("*/generation.json")
    starts = (json.loads(file.read_bytes())["started_at"] for file in generations)
    first = min(datetime.fromisoformat(start).timestamp() for start in starts)
    evals = made.run_dir(run_id).glob("*/eval.json")
    return max(file.stat().st_mtime for file in evals) - first


if __name__ == "__main__":
    main(measure)
