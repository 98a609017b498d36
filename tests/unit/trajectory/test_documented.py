"""The example of the documentation records what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark_runner import Task, TokenUsage
from benchmark_runner.trajectory import Metrics, ToolCall, digest, read_trajectory, record
from tests.pages import DOCS, blocks, sections

if TYPE_CHECKING:
    from pathlib import Path


def test_documented_example_records(tmp_path: Path) -> None:
    """The example of a port records a turn with its call, its tokens and its cost."""
    (example,) = blocks(sections(DOCS / "authoring.md")["Port an agent"], "python")
    names = {
        "record": record, "Metrics": Metrics, "log_dir": tmp_path, "model": "m",
        "definitions": [{"name": "read"}], "prompt": "Be brief.",
        "task": Task(id="t", question="Why?"), "text": "So.", "output": "no such file",
        "calls": [ToolCall(tool_call_id="a", function_name="read")],
        "usage": TokenUsage(input=2, output=1), "cost": 0.5,
    }  # fmt: skip
    exec(example, names)
    found = read_trajectory(tmp_path / "trajectory.json")
    assert found is not None
    sums = digest(found)
    assert (sums.turns, sums.calls, sums.failed_calls, sums.cost) == (1, 1, 1, 0.5)
