"""Goal 2: requests a second of the transport, beside httpx's own and beside aiohttp alone.

Each is measured in a process of its own, from its first request to its last, with the
connections that it opens.
"""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import REPOSITORY, run
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

_AT_A_TIME = (10, 100, 500)


def measure(quick: bool) -> Iterator[Figure]:
    """Compare the rates."""
    times = 1 if quick else 3
    # With 500 at a time httpx's own does 70 a second.
    many, few = (1500, 150) if quick else (4000, 1000)
    counts = {"ours": many, "httpx": few, "aiohttp": many}
    with service() as url:
        for at_a_time in _AT_A_TIME:
            rounds = [
                [_rate(transport, url, count, at_a_time) for transport, count in counts.items()]
                for _ in range(times)
            ]
            ours, httpx, aiohttp = map(median, zip(*rounds, strict=True))
            for other, other_is in ((httpx, "httpx's own"), (aiohttp, "aiohttp alone")):
                yield Figure(
                    goal=f"2 transport, {at_a_time} at a time",
                    ours=ours,
                    other=other,
                    other_is=other_is,
                    unit="requests/s",
                )


def _rate(transport: str, url: str, count: int, at_a_time: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.requester", "--transport", transport]
    command += ["--url", f"{url}/evaluate-response/", "--count", f"{count}"]
    return float(run([*command, "--at-a-time", f"{at_a_time}"], REPOSITORY).out)


if __name__ == "__main__":
    main(measure)
