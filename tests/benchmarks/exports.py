"""A run of thousands of tasks is exported in seconds and in flat memory, whatever the format.

Each task has a trajectory of some 2 kB, and in a variant none. What JSON Lines hold is imported
as another run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Figure, main
from tests.benchmarks.project import project
from tests.benchmarks.resume import multiply
from tests.benchmarks.service import service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.project import Project, Ran

_FEW = 500
_MANY = 5000
_SECONDS = 10
#: The arguments of each export, and the ending of what it writes.
_TABLES = {"csv": ([], ".csv"), "jsonl": ([], ".jsonl")}
_OF_TRAJECTORIES = {
    "inspect": (["--format", "inspect"], ".eval"),
    "atif": (["--format", "atif"], "-atif"),
    "otel": (["--format", "otel"], "-otel.jsonl"),
    "otel with contents": (["--format", "otel", "--contents"], "-contents.jsonl"),
}
_TEXT = "It looks for the right place first, and then it changes what is there. " * 3


def measure(quick: bool) -> Iterator[Figure]:
    """Export runs of few and of many tasks to each format, and import them."""
    many = 2 * _FEW if quick else _MANY
    with project() as made:
        with service() as url:
            made.run(made.write_tasks(1), "one", url, "--no-durable")
        for count in (_FEW, many):
            multiply(made, "one", f"{count}", made.write_tasks(count))
        for name, (flags, ending) in _TABLES.items():
            yield from _figures(f"export, {name}", many, _export(made, flags, ending))
        yield from _figures("import of what jsonl has", many, _import(made))
        for name, (flags, ending) in _OF_TRAJECTORIES.items():
            again = _export(made, flags, f"-without{ending}")
            yield from _figures(f"export, {name} without trajectories", many, again)
        for count in (_FEW, many):
            _write_trajectories(made.run_dir(f"{count}"))
        for name, (flags, ending) in _OF_TRAJECTORIES.items():
            yield from _figures(f"export, {name}", many, _export(made, flags, ending))


def _export(made: Project, flags: list[str], ending: str) -> Callable[[int], Ran]:
    return lambda count: made.start("export", f"{count}", *flags, "--output", f"{count}{ending}")


def _import(made: Project) -> Callable[[int], Ran]:
    def start(count: int) -> Ran:
        run = ["--run-id", f"imported-{count}", "--model", "m"]
        tasks = ["--dataset-file", made.write_tasks(count)]
        return made.start("import", f"{count}.jsonl", *run, *tasks)

    return start


def _figures(goal: str, many: int, start: Callable[[int], Ran]) -> Iterator[Figure]:
    few, lot = start(_FEW), start(many)
    yield Figure(
        goal=f"{goal}: seconds of {many:,} tasks",
        ours=lot.seconds,
        other=_SECONDS,
        other_is="the limit",
        unit="s",
        at_most=1,
    )
    yield Figure(
        goal=f"{goal}: memory of {many:,} tasks",
        ours=lot.peak_mb,
        other=few.peak_mb,
        other_is=f"{_FEW:,} tasks",
        unit="MB",
        at_most=1.2,
    )


def _write_trajectories(run_dir: Path) -> None:
    call = {"tool_call_id": "c1", "function_name": "run", "arguments": {"code": _TEXT}}
    seen = {"source_call_id": "c1", "content": _TEXT, "extra": {"exit_code": 0}}
    metrics = {"prompt_tokens": 1000, "completion_tokens": 200, "cost_usd": 0.01}
    acts = {"message": _TEXT, "reasoning_content": _TEXT, "metrics": metrics}
    steps = [
        {"source": "user", "message": _TEXT},
        {"source": "agent", **acts, "tool_calls": [call], "observation": {"results": [seen]}},
        {"source": "agent", **acts},
    ]
    trajectory = {
        "schema_version": "ATIF-v1.8",
        "agent": {"name": "an-agent", "version": "1"},
        "steps": [
            {"step_id": number, "timestamp": f"2026-05-04T03:00:{number:02}Z", **step}
            for number, step in enumerate(steps, start=1)
        ],
    }
    content = json.dumps(trajectory)
    for logs in run_dir.glob("*/agent_logs"):
        (logs / "trajectory.json").write_text(content)


if __name__ == "__main__":
    main(measure)
