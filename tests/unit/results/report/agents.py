"""Trajectories of made agents, in the folders of their tasks, and a run of such agents."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.unit.results.report.hostile import TEXTS
from tests.unit.results.report.runs import START, MadeRun

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = {"type": "image", "source": {"media_type": "image/png", "path": "shots/1.png"}}


def step(number: int, source: str = "agent", message: Any = "", **more: Any) -> dict[str, Any]:
    """A step; the first one is at the start, the next one seven seconds later."""
    at = (START + timedelta(seconds=7 * (number - 1))).isoformat()
    return {"step_id": number, "timestamp": at, "source": source, "message": message, **more}


def call(call_id: str, tool: str, **arguments: Any) -> dict[str, Any]:
    """A call of a tool."""
    return {"tool_call_id": call_id, "function_name": tool, "arguments": arguments}


def result(call_id: str | None, content: Any, *, failed: bool = False, **more: Any) -> Any:
    """A result of a call."""
    extra = {"extra": {"is_error": True}} if failed else {}
    return {"source_call_id": call_id, "content": content, **extra, **more}


def trajectory(*steps: dict[str, Any], name: str = "my-agent", **more: Any) -> dict[str, Any]:
    """A trajectory."""
    agent = {"name": name, "version": "1.0", "model_name": "some-model-1"}
    return {"schema_version": "ATIF-v1.8", "agent": agent, "steps": [*steps], **more}


def put(folder: Path, content: dict[str, Any], name: str = "trajectory.json") -> Path:
    """Write it below a folder of logs."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def usual() -> dict[str, Any]:
    """An agent that searches, fails to run its code, and answers."""
    code = (
        "def area(a, b, c):\n    s = (a + b + c) / 2\n    return (s * (s - a) * (s - b)) ** 0.5\n"
    )
    return trajectory(
        step(1, "system", "You answer questions about triangles. Use the tools."),
        step(2, "user", [{"type": "text", "text": "What is the area?"}, IMAGE]),
        step(
            3,
            message="I look it up, and compute it.",
            reasoning_content="The sides are 3, 4 and 5.\nSo it has a right angle.",
            tool_calls=[
                call("c1", "search", query="area of a triangle", pages=[1, 2]),
                call("c2", "run_python", code=code),
            ],
            observation={
                "results": [
                    result("c1", "Heron's formula"),
                    result("c2", "ValueError: math domain error", failed=True),
                ]
            },
            metrics={
                "prompt_tokens": 1200, "completion_tokens": 300, "cached_tokens": 200,
                "cost_usd": 0.0123,
            },
        ),
        step(4, tool_calls=[call("c3", "run_python", code="print(3 * 4 / 2)")]),
        step(5, "system", observation={"results": [result("c3", "6.0")]}),
        step(6, message="The area is 6."),
    )  # fmt: skip


def delegating() -> dict[str, Any]:
    """An agent with two subagents, one of which has one of its own."""
    deepest = trajectory(step(1, message="Deep down."), name="deepest", trajectory_id="s3")
    refs = [{"trajectory_id": "s1"}, {"trajectory_path": "helpers/trajectory.json"}]
    seen = [{**result("c1", "Both have answered."), "subagent_trajectory_ref": refs}]
    below = {"results": [result(None, None, subagent_trajectory_ref=[{"trajectory_id": "s3"}])]}
    sub = trajectory(
        step(1, "user", "Find the sides."),
        step(2, message="They are 3, 4 and 5.", observation=below),
        name="finder",
        trajectory_id="s1",
        subagent_trajectories=[deepest],
    )
    return trajectory(
        step(1, "user", "What is the area?"),
        step(2, tool_calls=[call("c1", "delegate", to=["finder", "helper"])],
             observation={"results": seen}),
        step(3, message="It is 6."),
        subagent_trajectories=[sub],
    )  # fmt: skip


def long(steps: int) -> dict[str, Any]:
    """An agent that takes many steps, every tenth of which fails."""
    return trajectory(
        *(
            step(
                number,
                message=f"Step number {number}.",
                tool_calls=[call(f"c{number}", "try", value=number)],
                observation={"results": [result(f"c{number}", "no" * 20, failed=number % 10 == 0)]},
            )
            for number in range(1, steps + 1)
        )
    )


def hostile() -> dict[str, Any]:
    """An agent in whose trajectory each text is hostile."""
    return trajectory(
        *(
            step(
                number,
                text,
                [{"type": "text", "text": text}, {"type": text, "source": {"path": text}}],
                reasoning_content=text,
                model_name=text,
                tool_calls=[call(text, text, **{text: text, "nested": {text: [text]}})],
                observation={
                    "results": [
                        result(text, text, failed=True, subagent_trajectory_ref=text),
                        result(None, text, subagent_trajectory_ref=[{"trajectory_id": text}]),
                    ]
                },
            )
            for number, text in enumerate(TEXTS, 1)
        ),
        step(99, message=TEXTS[1] * 10_000),
        name=TEXTS[0],
        notes=TEXTS[3],
        trajectory_id=TEXTS[4],
        subagent_trajectories=[trajectory(step(1, message=TEXTS[5]), name=TEXTS[5])],
    )


def agents(results: Path, run_id: str = "agents") -> MadeRun:
    """A run of agents, each of which left a trajectory of its kind."""
    run = MadeRun(results, run_id)
    made = {
        "usual": usual(),
        "delegating": delegating(),
        "long": long(230),
        "<b>#?&%2f;": usual(),
        "hostile": hostile(),
    }
    for task_id, content in made.items():
        run.graded(task_id, {"pass_percentage": 1.0}, total_turns=4)
        put(logs(run, task_id), content)
    helper = trajectory(step(1, message="Nobody asked me."), name="helper")
    put(logs(run, "delegating"), helper, "helpers/trajectory.json")
    run.graded("silent", {"pass_percentage": 0.0})
    run.failed("killed", "TimeoutError: the service did not answer")
    put(logs(run, "killed"), usual())
    run.tasks.pop()
    run.graded("killed", {"pass_percentage": 0.0})
    put(logs(run, "killed"), trajectory(step(1, message="I do not know.")))
    cut = json.dumps(usual())
    (logs(run, "silent") / "trajectory_atif.json").write_text("{no json")
    run.graded("torn", {"pass_percentage": 0.0})
    put(logs(run, "torn"), usual()).write_text(cut[: len(cut) * 2 // 3])
    return run


def logs(run: MadeRun, task_id: str) -> Path:
    """The folder of logs of a task."""
    return run.artifacts.agent_logs_dir(task_id)
