"""The digest of a trajectory: turns, tools, tokens, cost, and how it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmark_runner._spend import Spend, known_amount, known_sum
from benchmark_runner.schemas import TokenUsage
from benchmark_runner.trajectory.atif import FinalMetrics, Step, Trajectory, failed, text_of

__all__ = ["Digest", "ToolCount", "digest", "time_of"]

#: Trajectories within trajectories are counted down to here; a hostile file may hold more.
_DEPTH = 20


@dataclass(slots=True)
class ToolCount:
    """The number of calls of a tool, and of those that failed."""

    calls: int = 0
    failed: int = 0


@dataclass(slots=True)
class Digest:
    """The sums of a trajectory, subagents included.

    Attributes:
        turns: Number of steps of the agent itself.
        steps: Number of its steps of any kind.
        tools: The calls of each tool, by its name.
        usage: The tokens by class; ``None`` for a class that is unknown.
        cost: US dollars; ``None`` if unknown.
        last_message: The last text of the agent.
        duration: Seconds between the first and the last time stamp; ``None`` if unknown.
        is_cut: True if a part of the trajectory could not be read.
    """

    turns: int = 0
    steps: int = 0
    tools: dict[str, ToolCount] = field(default_factory=dict[str, ToolCount])
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost: float | None = None
    last_message: str = ""
    duration: float | None = None
    is_cut: bool = False

    @property
    def calls(self) -> int:
        """The number of calls of all tools."""
        return sum(tool.calls for tool in self.tools.values())

    @property
    def failed_calls(self) -> int:
        """The number of those that failed."""
        return sum(tool.failed for tool in self.tools.values())


def digest(*trajectories: Trajectory) -> Digest:
    """Return the digest of a trajectory, or of all those of one generation together.

    Tokens and cost are those that a trajectory states as its totals, or else the sums of its
    steps. As the format has it, the stated cost includes that of subagents, the tokens do not.
    """
    own = [step for each in trajectories for step in each.own_steps]
    agent_steps = [step for step in own if step.source == "agent"]
    found = Digest(
        turns=len(agent_steps),
        steps=len(own),
        usage=_added(map(_usage, trajectories)),
        cost=known_sum(map(_cost, trajectories)),
        last_message=next((text for step in reversed(agent_steps) if (text := _text(step))), ""),
        duration=_duration(own),
        is_cut=any(each.is_cut for each in trajectories),
    )
    for trajectory in trajectories:
        for each in _with_subagents(trajectory):
            _count_calls(each, found.tools)
    return found


def _count_calls(trajectory: Trajectory, tools: dict[str, ToolCount]) -> None:
    # Some models use an id again in a later step: a result is of the last call with its id.
    named: dict[str, ToolCount] = {}
    for step in trajectory.own_steps:
        for call in step.tool_calls or ():
            count = tools.setdefault(call.function_name, ToolCount())
            count.calls += 1
            named[call.tool_call_id] = count
        for result in step.results:
            if failed(result) and (count := named.pop(result.source_call_id or "", None)):
                count.failed += 1


def _with_subagents(trajectory: Trajectory, depth: int = _DEPTH) -> Iterator[Trajectory]:
    yield trajectory
    if depth:
        for below in trajectory.subagent_trajectories or ():
            yield from _with_subagents(below, depth - 1)


def _usage(trajectory: Trajectory) -> TokenUsage:
    return _added(
        usage for each in _with_subagents(trajectory) for usage in _usages_without_subagents(each)
    )


def _usages_without_subagents(trajectory: Trajectory) -> Iterator[TokenUsage]:
    stated = (trajectory.final_metrics or FinalMetrics()).usage()
    if stated != TokenUsage():
        yield stated
    else:
        yield from (step.metrics.usage() for step in trajectory.own_steps if step.metrics)


def _cost(trajectory: Trajectory, depth: int = _DEPTH) -> float | None:
    stated = known_amount((trajectory.final_metrics or FinalMetrics()).total_cost_usd)
    if stated is not None:
        return stated
    costs = [known_amount(step.metrics.cost_usd) for step in trajectory.own_steps if step.metrics]
    if depth:
        costs += [_cost(each, depth - 1) for each in trajectory.subagent_trajectories or ()]
    return known_sum(costs)


def _added(usages: Iterable[TokenUsage]) -> TokenUsage:
    spend = Spend()
    for usage in usages:
        spend.add(None, **dict(usage))
    return spend.usage


def _text(step: Step) -> str:
    return text_of(step.message).strip()


def _duration(steps: list[Step]) -> float | None:
    times = [time for step in steps if (time := time_of(step)) is not None]
    return (max(times) - min(times)).total_seconds() if times else None


def time_of(step: Step) -> datetime | None:
    """Return the time of a step, in UTC if it names no zone; ``None`` without one."""
    try:
        time = datetime.fromisoformat(step.timestamp or "")
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
