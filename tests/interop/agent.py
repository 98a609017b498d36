"""The agent of the runs that are exported, with a task for each outcome."""

from __future__ import annotations

from typing import Any

#: In the environment of the run; the agent says it, and no export may.
PLANTED_KEY = "planted-key-0123456789abcdef"

AGENT = """\
import asyncio
import os
import shutil
from pathlib import Path

from benchmark_runner import BenchmarkRunner, GenerationResult, TokenUsage, current_generation
from benchmark_runner.trajectory import ContentPart, Metrics, Source, ToolCall, record

ROOT = Path(__file__).parents[1]
TOOLS = [
    {"type": "function", "function": {
        "name": "search", "description": "Search the web.",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}}}},
    {"name": "run_python", "description": "Run code.", "input_schema": {"type": "object"}},
]
USAGE = TokenUsage(input=1000, output=40, reasoning=60, cache_read=200, cache_write=10)


class SampleRunner(BenchmarkRunner):
    NAME = "sample"

    async def generate(self, task, model, llm_config=None, log_dir=None):
        word, _, rest = task.question.partition(" ")
        more = {"usage": USAGE, "cost": 0.0123}
        if word == "silent":
            return GenerationResult(answer=rest, **more)
        if word == "delegate":
            shutil.copytree(ROOT / "delegating", log_dir, dirs_exist_ok=True)
            return GenerationResult(answer=rest, **more)
        with record(log_dir, name="finder", version="2", model=model, tools=TOOLS) as log:
            image = ContentPart(type="image", source=Source(media_type="image/png", path="1.png"))
            log.system("You answer questions about triangles. Use the tools.")
            log.user([ContentPart(text=task.question), image])
            log.agent(
                "I look it up, and compute it.",
                reasoning="The sides are 3, 4 and 5.\\nSo it has a right angle.",
                tool_calls=[
                    ToolCall(tool_call_id="1", function_name="search",
                             arguments={"query": "area of a triangle", "pages": [1, 2]}),
                    ToolCall(tool_call_id="2", function_name="run_python",
                             arguments={"code": "a, b, c = 3, 4, 5\\ns = (a + b + c) / 2\\n" * 4}),
                ],
                metrics=Metrics.from_usage(USAGE, cost_usd=0.0123),
            )
            log.observation("Heron's formula", call_id="1")
            log.observation("ValueError: math domain error", call_id="2", failed=True)
            if word == "mend" and current_generation().attempt == 1:
                raise RuntimeError("the first attempt fails")
            if word == "raise":
                raise ValueError(rest)
            if word == "wait":
                await asyncio.Event().wait()
            if word == "tell":
                rest = os.environ["PLANTED_API_KEY"]
            if word == "alternate":
                rest = "yes" if current_generation().repeat == 1 else "no"
            log.agent(rest)
            if word == "out-of-turns":
                return GenerationResult(status="max_turns", answer=rest, total_turns=2)
        return GenerationResult(answer=rest, total_turns=2, **more)
"""
GRADER = """\
def grade(task, response):
    if task["answer"] == "refuse":
        raise KeyError("no such rubric")
    if task["answer"] == "half":
        return {"pass_percentage": 0.5, "reason": "half of it"}
    return {"pass_percentage": float(response == task["answer"]), "reason": "as told"}
"""
HOSTILE = (
    "</script><img src=x onerror=alert(1)> =1+1 **bold** attachment://0 \u202e[x](javascript:1)"
)

#: Their answers are what the grader compares with; each outcome once.
TASKS: list[dict[str, Any]] = [
    {"id": "right", "question": "say yes", "answer": "yes"},
    {"id": "wrong", "question": "say no", "answer": "yes"},
    {"id": "half", "question": "say a half", "answer": "half"},
    {"id": "flaky", "question": "alternate", "answer": "yes"},
    {"id": "silent", "question": "silent yes", "answer": "yes"},
    {"id": "delegating", "question": "delegate It is 6.", "answer": "It is 6."},
    {"id": "b c?#&%2f", "question": f"say {HOSTILE}", "answer": HOSTILE},
    {"id": "leaking", "question": "tell", "answer": "no"},
    {"id": "slow", "question": "wait", "answer": "", "timeout": 0.3},
    {"id": "chatty", "question": "out-of-turns so far", "answer": ""},
    {"id": "mended", "question": "mend yes", "answer": "yes"},
    {"id": "broken", "question": "raise no luck", "answer": ""},
    {"id": "unfair", "question": "say anything", "answer": "refuse"},
    {"id": "missing", "question": "say nothing", "answer": ""},
]
#: Of these all are done, and the run gets a final score.
COMPLETE = (
    "right",
    "wrong",
    "half",
    "flaky",
    "silent",
    "delegating",
    "b c?#&%2f",
    "slow",
    "chatty",
)
#: Of these, one by one, the service scores the first and not the second.
UNSCORED = [{"id": "right", "question": "say yes"}, {"id": "odd", "question": "say yes"}]
RESULTS = [(200, {"pass_percentage": 1.0}), (200, {"comment": "I can't say"})]
