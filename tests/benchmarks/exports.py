"""A run of thousands of tasks is exported in seconds and in flat memory, whatever the format.

The tasks have a trajectory of some 2 kB each, and in a variant none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import project
from tests.benchmarks.resume import multiply
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.project import Project

_FEW = 500
_MANY = 5000
_SECONDS = 10
#: The arguments of each format, the last of which names what is written for a run.
_TABLES = {"csv": ("{}.csv",), "jsonl": ("{}.jsonl",)}
_STEPS = 4
_TEXT = "It looks for the right place first, and then it changes what is there. "


def measure(quick: bool) -> Iterator[Figure]:
    """Export runs of few and of many tasks to each format."""
    many = 2 * _FEW if quick else _MANY
    with project() as made:
        with service() as url:
            made.run(made.write_tasks(1), "one", url, "--no-durable")
        for count in (_FEW, many):
            multiply(made, "one", f"{count}", made.write_tasks(count))
        for name, arguments in _TABLES.items():
            yield from _exported(made, many, name, arguments)


def _exported(made: Project, many: int, name: str, arguments: tuple[str, ...]) -> Iterator[Figure]:
    few, lot = (
        made.start("export", f"{count}", "--output", *(part.format(count) for part in arguments))
        for count in (_FEW, many)
    )
    goal = f"export of {many:,} tasks, {name}"
    yield from _figures(goal, many, (few.seconds, few.peak_mb), (lot.seconds, lot.peak_mb))


def _figures(
    goal: str, many: int, few: tuple[float, float], lot: tuple[float, float]
) -> Iterator[Figure]:
    yield Figure(
        goal=goal, ours=lot[0], other=_SECONDS * many / _MANY, other_is="the limit", unit="s",
        at_most=1,
    )  # fmt: skip
    yield Figure(
        goal=f"{goal}: memory", ours=lot[1], other=few[1], other_is=f"{_FEW:,} tasks", unit="MB",
        at_most=1.2,
    )  # fmt: skip


if __name__ == "__main__":
    main(measure)
