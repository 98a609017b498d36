"""The digest of what an agent did in ``show``: turns, tools, tokens, cost, its last message."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from benchmark_runner._text import dollars, duration, for_terminal, in_one_line, plural
from benchmark_runner.cli.console import masked
from benchmark_runner.cli.shell import short_path
from benchmark_runner.results.phrases import token_text
from benchmark_runner.results.trajectories import TaskTrajectories
from benchmark_runner.trajectory import Agent, ToolCount

_LABEL = " " * 11
#: Characters of a name; and of the last message, the lines that are shown of it, and of a line.
_NAME, _MESSAGE, _LINES, _WIDTH = 40, 2000, 3, 80 - len(_LABEL)
_MOST_TOOLS, _MOST_FILES = 12, 5


def digest_lines(found: TaskTrajectories) -> Iterator[str]:
    """Yield the digest of the trajectories of an attempt."""
    sums = found.digest
    yield from _labelled("agent", _each(agent_text(each.agent) for _, each in found.read))
    yield f"  turns    {sums.turns:,}, in {plural(sums.steps, 'step')}"
    calls = _calls_text(sums.calls, sums.failed_calls)
    yield f"  tools    {calls if sums.calls else 'none called'}"
    yield from (f"{_LABEL}{line}" for line in _tool_lines(by_calls(sums.tools)))
    facts = {
        "tokens": token_text(sums.usage),
        "cost": "" if sums.cost is None else dollars(sums.cost),
        "took": "" if sums.duration is None else duration(sums.duration),
        "cut": "the file ends early: this is as far as it goes" if sums.is_cut else "",
    }
    for name, value in facts.items():
        yield from _labelled(name, [value] if value else [])
    yield from _labelled("last", _beginning(sums.last_message))
    yield from _labelled("file", _paths(found))


def digest_as_json(found: TaskTrajectories) -> dict[str, object]:
    """Return the digest of the trajectories of an attempt for ``--json``."""
    sums = found.digest
    return {
        "files": [str(path) for path, _ in found.read],
        "other_files": [str(path) for path in found.unread],
        "is_cut": sums.is_cut,
        "turns": sums.turns,
        "steps": sums.steps,
        "tool_calls": sums.calls,
        "failed_tool_calls": sums.failed_calls,
        "tools": {
            name: {"calls": count.calls, "failed": count.failed}
            for name, count in by_calls(sums.tools)
        },
        "tokens": sums.usage.model_dump(),
        "cost": sums.cost,
        "seconds": sums.duration,
        "last_message": sums.last_message,
    }


def by_calls(tools: dict[str, ToolCount]) -> list[tuple[str, ToolCount]]:
    """Return the tools, those that were called most first."""
    return sorted(tools.items(), key=lambda item: (-item[1].calls, item[0]))


def agent_text(agent: Agent) -> str:
    """Return the name, the version and the model of an agent in one line."""
    name = " ".join(filter(None, map(short_name, (agent.name, agent.version))))
    model = short_name(agent.model_name or "")
    return ", ".join(filter(None, (name or "without a name", model)))


def safe(text: str) -> str:
    """Return a text of others for a terminal, masked while it is whole."""
    return masked(for_terminal(text))


def short_name(text: str, longest: int = _NAME) -> str:
    """Return a name of others in one line, and cut if it is long.

    It is cut in the middle: tools of one MCP server begin alike.
    """
    line = in_one_line(safe(text))
    half = (longest - 1) // 2
    return line if len(line) <= longest else f"{line[: longest - 1 - half]}…{line[-half:]}"


def _labelled(label: str, lines: Sequence[str]) -> Iterator[str]:
    for name, line in zip([label, *[""] * len(lines)], lines, strict=False):
        yield f"  {name:8} {line}"


def _tool_lines(tools: Sequence[tuple[str, ToolCount]]) -> Iterator[str]:
    shown = [(short_name(name) or "without a name", count) for name, count in tools[:_MOST_TOOLS]]
    width = max((len(name) for name, _ in shown), default=0)
    for name, count in shown:
        yield f"{name:{width}}  {_calls_text(count.calls, count.failed)}"
    if rest := tools[_MOST_TOOLS:]:
        calls = sum(count.calls for _, count in rest)
        yield f"… and {plural(len(rest), 'more tool')}, {plural(calls, 'call')}"


def _calls_text(calls: int, failed: int) -> str:
    return f"{plural(calls, 'call')}{f', {failed:,} failed' if failed else ''}"


def _beginning(text: str) -> list[str]:
    line = in_one_line(safe(text))[:_MESSAGE]
    return wrap(line, _WIDTH, max_lines=_LINES, placeholder=" …")


def _paths(found: TaskTrajectories) -> list[str]:
    read = [in_one_line(short_path(path)) for path, _ in found.read]
    unread = [f"{in_one_line(short_path(path))} (not counted)" for path in found.unread]
    paths = [*read, *unread]
    hidden = len(paths) - _MOST_FILES
    return paths[:_MOST_FILES] + ([f"… and {hidden} more"] if hidden > 0 else [])


def _each(texts: Iterator[str]) -> list[str]:
    return [*dict.fromkeys(texts)][:_MOST_FILES]
