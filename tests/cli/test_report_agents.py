"""``report``: what the agents of a run did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("vl_convert")

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject


def test_json_has_what_agents_did(recorded: RunnerProject) -> None:
    """The JSON has the tools of all tasks, and scores by turns and by tokens."""
    tasks = [{"id": f"t{n}", "question": f"{n}", "answer": "1"} for n in range(16)]
    recorded.write_tasks(tasks)
    recorded.change_agent(
        ("answer=task.question", "answer=task.question, total_turns=int(task.question)")
    )
    recorded.run("run", "--run-id", "r1")

    found = recorded.run("report", "r1", "--json").json["runs"][0]["agents"]

    assert (found["tasks_generated"], found["tasks_with_trajectory"]) == (16, 16)
    assert found["tools"] == [{"name": "bash", "calls": 32, "failed": 16, "tasks": 16}]
    first, *_, last = found["by_turns"]["quarters"]
    assert (first["low"], first["high"], first["mean"]) == (0, 3, 0.25)
    assert (last["low"], last["high"], last["mean"], last["total"]) == (12, 15, 0, 4)
    assert found["by_turns"]["unknown"] == 0
    assert found["by_tokens"] is None
