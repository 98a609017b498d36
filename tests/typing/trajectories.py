"""The author's API of trajectories as type checkers see it; pyright checks this file.

A line with ``# pyright: ignore[rule]`` must be an error: pyright reports one that is none.
"""
# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import assert_type

from benchmark_runner import GenerationResult, LLMConfig, Task, TokenUsage, current_generation
from benchmark_runner.trajectory import (
    ContentPart,
    Digest,
    Metrics,
    ObservationResult,
    Recorder,
    Source,
    Step,
    ToolCall,
    Trajectory,
    digest,
    dump_trajectory,
    failed,
    find_trajectories,
    read_trajectories,
    read_trajectory,
    record,
    text_of,
)


async def generate(
    task: Task, model: str, llm_config: LLMConfig | None = None, log_dir: Path | None = None
) -> GenerationResult:
    """An agent that records what it does."""
    details = {"finish_reason": "tool_calls"}
    tools = [{"type": "function", "function": {"name": "add", "strict": True}}]
    with record(log_dir, name="agent", version="1", model=model, tools=tools) as trajectory:
        assert_type(trajectory, Recorder)
        trajectory.system("Be brief.")
        picture = Source(media_type="image/png", path="screen.png")
        trajectory.user([ContentPart(text="Look:"), ContentPart(type="image", source=picture)])
        usage = TokenUsage(input=10, output=2, cache_read=5)
        trajectory.agent(
            None,
            reasoning="Both numbers are there.",
            tool_calls=[ToolCall(tool_call_id="a", function_name="add", arguments={"x": [1, 2]})],
            metrics=Metrics.from_usage(usage, 0.01),
            extra=details,
        )
        trajectory.observation("3", call_id="a", failed=False, extra={"exit_code": 0})
        assert_type(trajectory.problem, OSError | None)
        trajectory.user(task)  # pyright: ignore[reportArgumentType]
        trajectory.agent("3", Metrics())  # pyright: ignore[reportCallIssue]
        trajectory.observation("3", "a")  # pyright: ignore[reportCallIssue]
        trajectory.agent("3", metrics=usage)  # pyright: ignore[reportArgumentType]
    with record(None) as nowhere:
        nowhere.agent("not recorded")
    record("agent_logs")  # pyright: ignore[reportArgumentType]
    assert_type(current_generation().time_left(), float)
    return GenerationResult(answer="3")


def trajectories(log_dir: Path) -> None:
    assert_type(find_trajectories(log_dir), list[Path])
    assert_type(read_trajectories(log_dir), Iterator[tuple[Path, Trajectory]])
    found = read_trajectory(log_dir / "trajectory.json")
    assert_type(found, Trajectory | None)
    _ = found.steps  # pyright: ignore[reportOptionalMemberAccess]
    if found is None:
        return
    assert_type(found.steps, list[Step])
    assert_type(found.is_cut, bool)
    assert_type(dump_trajectory(found), str)
    for step in found.own_steps:
        assert_type(text_of(step.message), str)
        assert_type(step.metrics and step.metrics.usage(), TokenUsage | None)
        for result in step.results:
            assert_type(result, ObservationResult)
            assert_type(failed(result), bool)


def digests(*found: Trajectory) -> None:
    sums = digest(*found)
    assert_type(sums, Digest)
    assert_type(sums.turns, int)
    assert_type(sums.usage, TokenUsage)
    assert_type(sums.cost, float | None)
    assert_type(sums.tools["add"].failed, int)
    assert_type(sums.last_message, str)
    assert_type(sums.duration, float | None)
