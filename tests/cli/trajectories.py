"""Agents that record what they did, and trajectories that others wrote, for tests of ``show``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Ended, RunnerProject

RECORDING_AGENT = """
import os
import signal

from benchmark_runner import BenchmarkRunner, GenerationResult, TokenUsage
from benchmark_runner.trajectory import Metrics, ToolCall, record


class SampleRunner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        with record(log_dir, name="finder", version="2", model=model) as trajectory:
            trajectory.user(task.question)
            trajectory.agent(
                "I look.",
                reasoning="Where\\nis it?",
                tool_calls=[
                    ToolCall(
                        tool_call_id="1",
                        function_name="bash",
                        arguments={"script": "cd /tmp\\nls", "limit": 3, "in": ["-a"], "env": {}},
                    ),
                    ToolCall(tool_call_id="2", function_name="bash", arguments={"script": "ls x"}),
                ],
                metrics=Metrics.from_usage(TokenUsage(input=1200, output=30), cost_usd=0.25),
            )
            trajectory.observation("ls: no x", call_id="2", failed=True, extra={"exit_code": 2})
            trajectory.observation("a.txt\\nb.txt", call_id="1")
            if task.question == "die" and not os.path.exists("healed"):
                os.kill(os.getpid(), signal.SIGKILL)
            trajectory.agent(f"It is {task.question}.")
        return GenerationResult(answer=task.question)
"""


@dataclass
class Written:
    """The trajectory that an agent of its own left in the log folder of task ``t1``."""

    project: RunnerProject

    def write(self, *steps: dict[str, Any], name: str = "trajectory.json", **more: Any) -> Path:
        content = {
            "schema_version": "ATIF-v1.6",
            "agent": {"name": "other", "version": "1"},
            "steps": [{"step_id": place, **step} for place, step in enumerate(steps, start=1)],
            **more,
        }
        return self.put(json.dumps(content), name)

    def put(self, text: str, name: str = "trajectory.json") -> Path:
        path = self.project.results / "r1" / "t1" / "agent_logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def shown(self, *more: str, **environment: str) -> str:
        ended = self.project.run("show", "r1", "t1", "--trajectory", *more, **environment)
        assert (ended.code, ended.err) == (0, "")
        return ended.out

    def digest(self, **environment: str) -> Ended:
        return self.project.run("show", "r1", "t1", **environment)
