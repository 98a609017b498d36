"""The section of a run's page on what its agents did: tools, and scores by turns and tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark_runner._text import plural
from benchmark_runner.results.report.agent_figures import AgentFigures, ToolUse
from benchmark_runner.results.report.charts import draw_intervals
from benchmark_runner.results.report.effort import Effort, efforts
from benchmark_runner.results.report.run_figures import RunFigures
from benchmark_runner.results.report.safe_text import SafeText

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["AgentSection", "agent_section"]

_MOST_TOOLS, _NAME = 20, 60


@dataclass(frozen=True, slots=True)
class AgentSection:
    """The content of the section.

    Attributes:
        tools: The tools that were called most.
        more: The words about all others; empty if there are none.
        read: The words about the trajectories that were read.
        efforts: Scores by turns and by tokens, each with its chart.
    """

    tools: list[ToolUse]
    more: str
    read: str
    efforts: list[tuple[Effort, Markup]]


def agent_section(figures: RunFigures, texts: SafeText) -> AgentSection | None:
    """Return the section of a run; ``None`` if nothing is known of what its agents did."""
    agents = figures.agents
    shown = [
        ToolUse(texts.line(tool.name, _NAME), tool.calls, tool.failed, tool.tasks)
        for tool in agents.tools[:_MOST_TOOLS]
    ]
    charted = [(effort, _chart(effort)) for effort in efforts(figures)]
    if not agents.with_trajectory and not charted:
        return None
    return AgentSection(shown, _more(agents), " ".join(_read(agents)), charted)


def _read(agents: AgentFigures) -> Iterator[str]:
    if not agents.with_trajectory:
        return
    of = plural(agents.generated, "task")
    yield f"From the trajectories of {agents.with_trajectory:,} of {of} with a generation."
    if agents.cut:
        yield f"{plural(agents.cut, 'task')} had one that could be read in part only."


def _more(agents: AgentFigures) -> str:
    rest = agents.tools[_MOST_TOOLS:]
    if not rest:
        return ""
    calls = sum(tool.calls for tool in rest) + (agents.others.calls if agents.others else 0)
    names = f"more than {len(rest):,} others" if agents.others else plural(len(rest), "other tool")
    return f"And {names}, called {plural(calls, 'time')}."


def _chart(effort: Effort) -> Markup:
    return draw_intervals([(each.name, each.estimate) for each in effort.groups if each.estimate])
