"""The figures of what agents did in a report: the tools that they called, and their effort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmark_runner.results.task_repeats import TaskRepeats
from benchmark_runner.results.task_row import TaskRow
from benchmark_runner.trajectory import Digest

__all__ = ["AgentFigures", "AgentTally", "ToolUse", "calls_text", "median_text"]

#: More names of tools than these are made up by agents, and are counted together.
_MOST_NAMES = 500
_LONGEST_NAME = 200


@dataclass(slots=True)
class ToolUse:
    """The use of a tool by the last attempts at all tasks.

    Attributes:
        name: Its name.
        calls: Number of calls.
        failed: Number of calls that failed.
        tasks: Number of tasks in which it was called.
    """

    name: str
    calls: int = 0
    failed: int = 0
    tasks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFigures:
    """The figures of what agents did.

    Attributes:
        tools: The tools, those that were called most first.
        others: More names, counted together; ``None`` unless there are very many.
        generated: Number of tasks with a generation.
        with_trajectory: Number of tasks with a trajectory.
        cut: Number of tasks with one that could not be read to its end.
        turns: The turns of each task for which they are known; with repeats, their mean.
        tokens: The tokens of each task, of all classes together; likewise.
    """

    tools: Sequence[ToolUse]
    others: ToolUse | None
    generated: int
    with_trajectory: int
    cut: int
    turns: Mapping[str, float]
    tokens: Mapping[str, float]

    @property
    def calls(self) -> int:
        """The number of calls of all tools."""
        return sum(tool.calls for tool in self._all)

    @property
    def failed(self) -> int:
        """The number of those that failed."""
        return sum(tool.failed for tool in self._all)

    @property
    def _all(self) -> list[ToolUse]:
        return [*self.tools, *([self.others] if self.others else [])]


def median_text(amounts: Mapping[str, float]) -> str:
    """Return the middle of the turns, or tokens, of tasks; empty if none are known."""
    return f"median {median(amounts.values()):,.0f}" if amounts else ""


def calls_text(agents: AgentFigures) -> str:
    """Return the number of tool calls, and of those that failed; empty without a trajectory."""
    return f"{agents.calls:,}, {agents.failed:,} failed" if agents.with_trajectory else ""


@dataclass(slots=True)
class AgentTally:
    """The figures of what agents did, counted task by task."""

    _tools: dict[str, ToolUse] = field(default_factory=dict[str, ToolUse])
    _others: ToolUse = field(default_factory=lambda: ToolUse(""))
    _generated: int = 0
    _with_trajectory: int = 0
    _cut: int = 0
    _turns: dict[str, float] = field(default_factory=dict[str, float])
    _tokens: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, task: TaskRepeats, digests: Sequence[Digest | None]) -> None:
        """Count a task, with the digest of each of its repeats that has a trajectory."""
        known = [each for each in digests if each is not None]
        self._generated += any(row.generation_status is not None for row in task.rows)
        self._with_trajectory += bool(known)
        self._cut += any(each.is_cut for each in known)
        used: dict[int, ToolUse] = {}
        for each in known:
            for name, count in each.tools.items():
                tool = self._tool(name[:_LONGEST_NAME])
                tool.calls += count.calls
                tool.failed += count.failed
                used[id(tool)] = tool
        for tool in used.values():
            tool.tasks += 1
        _note(self._turns, task, [*map(_turns, task.rows, digests)])
        _note(self._tokens, task, [*map(_tokens, task.rows, digests)])

    def figures(self) -> AgentFigures:
        """Return the figures of the tasks so far."""
        tools = sorted(self._tools.values(), key=lambda tool: (-tool.calls, tool.name))
        others = self._others if self._others.calls else None
        return AgentFigures(
            tools=tools,
            others=others,
            generated=self._generated,
            with_trajectory=self._with_trajectory,
            cut=self._cut,
            turns=self._turns,
            tokens=self._tokens,
        )

    def _tool(self, name: str) -> ToolUse:
        if name not in self._tools and len(self._tools) == _MOST_NAMES:
            return self._others
        return self._tools.setdefault(name, ToolUse(name))


def _note(known: dict[str, float], task: TaskRepeats, amounts: Sequence[int | None]) -> None:
    """Note the mean of a task's repeats, unless it is unknown of one that was generated."""
    pairs = zip(task.rows, amounts, strict=True)
    own = [amount for row, amount in pairs if row.generation_status is not None]
    some = [amount for amount in own if amount is not None]
    if some and len(some) == len(own):
        known[task.task_id] = sum(some) / len(some)


def _turns(row: TaskRow, found: Digest | None) -> int | None:
    if row.total_turns is None and found is not None:
        return found.turns
    return row.total_turns


def _tokens(row: TaskRow, found: Digest | None) -> int | None:
    of_row = (
        row.input_tokens, row.output_tokens, row.reasoning_tokens, row.cache_read_tokens,
        row.cache_write_tokens,
    )  # fmt: skip
    usage = found.usage if found is not None else None
    classes = of_row
    if not any(of_row) and usage is not None:
        classes = (
            usage.input, usage.output, usage.reasoning, usage.cache_read, usage.cache_write
        )  # fmt: skip
    if classes[0] is None or classes[1] is None:
        return None
    return sum(count or 0 for count in classes)
