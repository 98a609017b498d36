"""Goal 11: answers that are files, which are never whole in memory, and uploaded at full speed.

The memory is that of a whole run with one file, beside one with a file of 1 KiB. The rate is that
of uploads, each with its own request for a URL and checked against its SHA-256, beside a bare loop
of aiohttp that does the same.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import REPOSITORY, project, run
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_A_TIME = 500
_KIB = 1024
_LARGE = 64 * _KIB
_MOST_MB = 8
_AGENT = """\
import os

from benchmark_runner import BenchmarkRunner, GenerationResult


class FileRunner(BenchmarkRunner):
    NAME = "no-op"
    PAYLOAD_TYPE = "artifact"
    EVALUATION_API = "v1"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        with (log_dir / "answer.bin").open("wb") as file:
            for _ in range(int(os.environ["FILE_KIB"])):
                file.write(os.urandom(1024))
        return GenerationResult(artifact=log_dir / "answer.bin")


NoOpRunner = FileRunner
"""


def measure(quick: bool) -> Iterator[Figure]:
    """Measure the growth of the memory, and compare the rates."""
    with project() as made, service() as url:
        made.write_agent(_AGENT)
        tasks = made.write_tasks(1)
        small, large = (
            median(
                made.run(tasks, f"r{kib}-{number}", url, FILE_KIB=f"{kib}").peak_mb
                for number in range(1 if quick else 3)
            )
            for kib in (1, _LARGE)
        )
    yield Figure(
        goal="11 growth of memory by an artifact of 64 MiB",
        ours=large - small,
        other=_MOST_MB,
        other_is="the most",
        unit="MB",
        at_most=1.0,
    )
    count, times = (1000, 1) if quick else (3000, 3)
    with service() as url:
        for kib in (16, _KIB):
            rounds = [
                [
                    _rate(by, url, count if kib < _KIB else count // 3, kib)
                    for by in ("ours", "aiohttp")
                ]
                for _ in range(times)
            ]
            ours, bare = map(median, zip(*rounds, strict=True))
            yield Figure(
                goal=f"11 uploads of {kib} KiB, {_AT_A_TIME} at a time",
                ours=ours,
                other=bare,
                other_is="a bare aiohttp loop",
                unit="uploads/s",
                # Of small ones, the request for the URL is most; goal 2 is about those.
                at_least=0.9 if kib == _KIB else None,
            )


def _rate(by: str, url: str, count: int, kib: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.uploader", "--by", by, "--url", url]
    command += ["--count", f"{count}", "--at-a-time", f"{_AT_A_TIME}", "--kib", f"{kib}"]
    return float(run(command, REPOSITORY).out)


if __name__ == "__main__":
    main(measure)
